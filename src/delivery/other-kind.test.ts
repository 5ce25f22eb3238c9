import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withFormerKind } from '../api/data-streams/change.ts';
import type { Outcome } from '../destinations/contract.ts';
import { type DataStreamDocument, progressKey, streamKey } from '../registry/data-stream.ts';
import type { Json } from '../registry/registry.ts';
import type { TestRecord } from './records.fixture.ts';
import { TestWorld } from './world.fixture.ts';

const SECOND = 1_000;
const HOUR = 3_600_000;
const some = (from: number, to: number): TestRecord[] =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ id: from + index, organisation: 1 }));

/** A stream of usage records that has delivered the first ten; what its receiver got. */
async function given() {
  const w = new TestWorld();
  await w.organisation(1);
  await w.start();
  const got: number[] = [];
  await w.stream('a', (ids) => {
    got.push(...ids);
    return { type: 'delivered' };
  });
  await w.append('usage', some(1, 10));
  await w.clock.advance(SECOND);
  return { w, got };
}

async function accounts(w: TestWorld) {
  await w.clock.advance(SECOND);
  const { counters, pending, waiting, hours = [] } = await w.progress('a');
  const byHours = hours.reduce((sum, row) => sum + row.filtered, 0);
  assert.equal(byHours, counters.filtered);
  return [counters.delivered, counters.filtered, pending, waiting];
}

/** As the API changes it. */
async function become(w: TestWorld, kind: 'usage' | 'event', more: Partial<DataStreamDocument> = {}) {
  const stored = (await w.registry.get(streamKey(1, 'a')))?.value as unknown as DataStreamDocument;
  const startPosition = async () => ({
    partition: 0,
    position: { sequence: (await w.log.extent(0)).next, index: 0 },
  });
  const { former } = await withFormerKind({ startPosition }, stored, { ...stored, kind });
  await w.change('a', { kind, former: former ?? [], ...more });
}

describe('a stream becomes one of another kind: what waits of the kind before is filtered, once', () => {
  test('while it is paused; changed back, everything waits again', async () => {
    const { w, got } = await given();
    await w.change('a', { desired: 'paused' });
    await w.append('usage', some(11, 15));
    await w.append('event', some(16, 18));
    assert.deepEqual(await accounts(w), [10, 0, 5, 5]);
    await become(w, 'event');
    assert.deepEqual(await accounts(w), [10, 0, 3, 8]);
    await w.append('event', some(21, 22));
    await w.append('usage', some(23, 30));
    assert.deepEqual(await accounts(w), [10, 0, 5, 10]);
    await become(w, 'usage');
    await w.append('event', some(31, 33));
    assert.deepEqual(await accounts(w), [10, 0, 13, 18]);
    await become(w, 'event', { desired: 'running', generation: 2 });
    assert.deepEqual(await accounts(w), [18, 13, 0, 0]);
    assert.deepEqual(got.slice(10), [16, 17, 18, 21, 22, 31, 32, 33]);
  });

  test('in the hours in which it arrived', async () => {
    const { w } = await given();
    await w.change('a', { desired: 'paused' });
    const hour = Math.floor(w.clock.now() / HOUR) * HOUR;
    await w.append('usage', some(11, 15));
    await w.clock.advance(HOUR);
    await w.append('usage', some(16, 17));
    await become(w, 'event', { desired: 'running', generation: 2 });
    assert.deepEqual(await accounts(w), [10, 7, 0, 0]);
    const { hours } = await w.progress('a');
    assert.deepEqual(
      hours?.map(({ hour: at, filtered }) => [at, filtered]),
      [
        [hour, 5],
        [hour + HOUR, 2],
      ],
    );
  });

  for (const [what, outcome, delivered] of [
    ['is taken', { type: 'delivered' }, 20],
    ['is not taken', { type: 'retry', cause: { code: 'http_503', message: 'Busy.' } }, 10],
  ] as const satisfies readonly (readonly [string, Outcome, number])[])
    test(`with a request in flight that ${what}`, async () => {
      const { w } = await given();
      const answer = Promise.withResolvers<Outcome>();
      w.peer('a', () => answer.promise);
      await w.append('usage', some(11, 20));
      await w.append('usage', some(21, 25));
      await become(w, 'event');
      await w.append('event', some(26, 27));
      answer.resolve(outcome);
      w.peer('a', () => ({ type: 'delivered' }));
      await w.clock.advance(600 * SECOND);
      const [taken = 0, filtered = 0, pending] = await accounts(w);
      // A request that is tried again has the records that it had.
      assert.equal(taken + filtered, 27);
      assert.ok(taken >= delivered + 2);
      assert.equal(pending, 0);
    });

  test('while no node runs it', async () => {
    const { w, got } = await given();
    await w.change('a', { desired: 'paused' });
    await w.append('usage', some(11, 15));
    await w.clock.advance(SECOND);
    await w.crash();
    await w.append('usage', some(16, 17));
    await become(w, 'event', { desired: 'running', generation: 2 });
    await w.append('event', some(18, 20));
    await w.append('usage', some(21, 22));
    await w.start();
    assert.deepEqual(await accounts(w), [13, 7, 0, 0]);
    assert.deepEqual(got.slice(10), [18, 19, 20]);
  });
});

test('a stream that had caught up does not get earlier records of its new kind, also if the holder before wrote late that it was behind', async () => {
  const { w, got } = await given();
  await w.clock.advance(SECOND);
  const late = await w.progress('a');
  assert.equal(late.detached, false);
  await w.crash();
  await w.start();
  await w.clock.advance(SECOND);
  const key = progressKey({ partition: 0, organisationId: 1, id: 'a' });
  await w.registry.put(key, { ...late, detached: true } as unknown as Json);
  await w.append('event', some(11, 15));
  await w.clock.advance(SECOND);
  await become(w, 'event');
  await w.append('event', some(16, 18));
  await w.clock.advance(SECOND);
  assert.deepEqual(got.slice(10), [16, 17, 18]);
  assert.deepEqual(await accounts(w), [13, 0, 0, 0]);
  assert.equal((await w.progress('a')).detached, false);
});
