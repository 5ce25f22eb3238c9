import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Block, blockInMemory } from '../../records/block.ts';
import { layOut } from '../../records/record-index.fixture.ts';
import type { Json } from '../../registry/registry.ts';
import { Selector } from './selecting.ts';
import type { StreamSummary } from './stream-context.ts';

const RECORDS = 3_000;
const FIELDS = [{ field: 'imsi', value: ['1'] }];
const OTHERS = [{ field: 'imsi', value: ['2'] }];

function stream(filters: readonly Json[]): StreamSummary {
  return {
    id: 'a',
    organisationId: 1,
    kind: 'usage',
    relation: 1,
    partition: 0,
    desired: 'running',
    generation: 1,
    start: { sequence: 1, index: 0 },
    filters,
    revision: 1,
  };
}

/** A block, and how often its records were asked for. */
function given(records: number) {
  const texts = Array.from({ length: records }, (_, id) =>
    JSON.stringify({ id, imsi: String(id % 3), pad: 'x'.repeat(400) }),
  );
  const { index, payload } = layOut(
    'usage',
    texts.map((text) => ({ text, organisation: 1, eventType: 0, alert: 0, endpoint: 0n })),
  );
  const plain = blockInMemory(index, payload, 0);
  const asked = { times: 0 };
  const block: Block = {
    ...plain,
    payload: () => {
      asked.times++;
      return plain.payload();
    },
  };
  return { block, asked };
}

describe('a block that takes long is judged ahead of its turn', () => {
  test('in slices, and not again when its turn comes', async () => {
    const { block, asked } = given(RECORDS);
    const selector = new Selector(stream(FIELDS), () => 'all');
    let turns = 0;
    let over = false;
    const count = () => {
      turns++;
      if (!over) setImmediate(count);
    };
    setImmediate(count);
    await selector.prepare(block);
    over = true;
    assert.ok(turns >= 1, 'the event loop had no turn');
    const { times } = asked;
    assert.equal(selector.select(block, 1)?.count, RECORDS / 3);
    assert.equal(asked.times, times);
  });

  for (const [what, change] of [
    ['the filter', (selector: Selector) => selector.take(stream(OTHERS))],
    [
      'the organisations of the stream',
      (_: Selector, covered: { of: 'all' | number[] }) => (covered.of = []),
    ],
  ] as const)
    test(`unless ${what} changed meanwhile`, async () => {
      const { block } = given(RECORDS);
      const covered: { of: 'all' | number[] } = { of: 'all' };
      const selector = new Selector(stream(FIELDS), () => covered.of);
      await selector.prepare(block);
      change(selector, covered);
      const fresh = new Selector(stream(what === 'the filter' ? OTHERS : FIELDS), () => covered.of);
      assert.deepEqual(selector.select(block, 1), fresh.select(block, 1));
    });

  test('a small block, or a filter that looks at the index alone, needs no preparation', () => {
    const fields = new Selector(stream(FIELDS), () => 'all');
    assert.equal(fields.prepare(given(10).block), undefined);
    const none = new Selector(stream([]), () => 'all');
    assert.equal(none.prepare(given(RECORDS).block), undefined);
    const nothing = new Selector(stream(FIELDS), () => undefined);
    assert.equal(nothing.prepare(given(RECORDS).block), undefined);
  });
});
