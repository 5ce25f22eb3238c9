import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Segment } from '../../destinations/contract.ts';
import { type Block, blockInMemory } from '../../records/block.ts';
import { layOut } from '../../records/record-index.fixture.ts';
import { UsageSums } from '../../records/usage-sums.ts';
import { Summed } from './summed.ts';

const RECORDS = 40;

/** A block that counts how often its payload is looked at. */
function counting(): { readonly block: Block; readonly looks: () => number } {
  const texts = Array.from({ length: RECORDS }, (_, id) =>
    JSON.stringify({
      id,
      traffic_type: { id: 5, description: 'Data' },
      volume: { total: 3, rx: 2, tx: 1 },
      cost: 0.5,
      currency: { code: 'EUR' },
    }),
  );
  const { index, payload } = layOut(
    'usage',
    texts.map((text) => ({ text, organisation: 1, eventType: 0, alert: 0, endpoint: 0n })),
  );
  let looks = 0;
  const plain = blockInMemory(index, payload, 1_000);
  const look = () => {
    looks++;
    return payload;
  };
  return { block: { ...plain, payload: look }, looks: () => looks };
}

function totalOf(segments: readonly Segment[], outcome: Parameters<Summed['of']>[0]): string | undefined {
  const summed = new Summed();
  summed.begin(segments);
  const sums = new UsageSums();
  const taken = summed.of(outcome);
  taken?.addTo((arrivedAt) => {
    assert.equal(arrivedAt, 1_000);
    return sums;
  });
  return taken && sums.totals.total;
}

test('records that many streams deliver are summed once', () => {
  const { block, looks } = counting();
  const whole = [{ block, from: 0, to: RECORDS }];
  for (let stream = 0; stream < 100; stream++)
    assert.equal(totalOf(whole, { type: 'delivered' }), String(3 * RECORDS));
  assert.equal(looks(), 1);
});

test('other parts of a block have sums of their own', () => {
  const { block } = counting();
  for (let from = 0; from < 12; from++)
    for (const to of [from + 1, from + 20, RECORDS]) {
      const segments = [{ block, from, to }];
      const expected = String(3 * (to - from));
      assert.equal(totalOf(segments, { type: 'delivered' }), expected, `${from} to ${to}`);
      assert.equal(totalOf(segments, { type: 'delivered' }), expected, `${from} to ${to}, again`);
    }
});

test('of a request that was taken in part, what was taken counts', () => {
  const { block } = counting();
  const cause = { code: 'x', message: 'x' };
  const failures = [0, 7].map((index) => ({ index, verdict: 'retry', cause }) as const);
  const segments = [{ block, from: 0, to: RECORDS }];
  assert.equal(totalOf(segments, { type: 'delivered' }), String(3 * RECORDS));
  assert.equal(totalOf(segments, { type: 'partial', failures }), String(3 * (RECORDS - 2)));
});
