import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestWorld } from '../world.fixture.ts';

const MINUTE = 60_000;
const record = (id: number, organisation = 1) => [{ id, organisation }];

/** A partition with one stream that takes everything. */
async function partition(options: ConstructorParameters<typeof TestWorld>[0] = {}) {
  const w = new TestWorld(options);
  await w.organisation(1);
  await w.organisation(2, 1, 1);
  await w.start();
  const taken: number[] = [];
  await w.stream('a', (ids) => {
    taken.push(...ids);
    return { type: 'delivered' };
  });
  return { w, taken };
}

test('a stream whose machine ended by a bug is started again from its committed place', async () => {
  let broken = false;
  const { w, taken } = await partition({
    stepped: (_state, { type }) => {
      if (broken && type === 'offered') throw new Error('a bug');
    },
  });
  await w.append('usage', record(1));
  await w.clock.advance(1_000);
  broken = true;
  await w.append('usage', record(2));
  await w.clock.advance(1_000);
  assert.deepEqual(taken, [1]);
  assert.match(w.faults.at(-1) ?? '', /a bug/);
  broken = false;
  await w.clock.advance(10_000);
  assert.deepEqual(taken, [1, 2]);
});

test('who gets a record follows a change of the relation at once', async () => {
  const { w, taken } = await partition();
  // Another stream gets the records of organisation 2, so that it is remembered who does.
  await w.stream('b', () => ({ type: 'delivered' }), { relation: 3 });
  await w.append('usage', record(1, 2));
  await w.append('usage', record(2, 1));
  await w.clock.advance(1_000);
  assert.deepEqual(taken, [2]);
  await w.change('a', { relation: 3 });
  await w.append('usage', record(3, 2));
  await w.clock.advance(1_000);
  assert.deepEqual(taken, [2, 3]);
  await w.change('a', { relation: 2 });
  await w.append('usage', record(4, 1));
  await w.append('usage', record(5, 2));
  await w.clock.advance(1_000);
  assert.deepEqual(taken, [2, 3, 5]);
});

test('an idle stream is put away only when its progress is durable', async () => {
  const { w, taken } = await partition();
  const { putMany } = w.registry;
  await w.append('usage', record(1));
  Object.assign(w.registry, {
    putMany: async (writes: readonly unknown[]) => writes.map(() => ({ type: 'unavailable', cause: 'full' })),
  });
  await w.clock.advance(5 * MINUTE);
  assert.deepEqual(taken, [1]);
  Object.assign(w.registry, { putMany });
  await w.clock.advance(5 * MINUTE);
  assert.equal((await w.progress('a')).counters.delivered, 1);
});

test('a large block whose records a filter reads is judged in slices; a filter that changes meanwhile counts', async () => {
  const { w, taken } = await partition();
  const of = (color: string) => [{ field: 'color', value: [color] }];
  await w.change('a', { filters: of('red') });
  const records = Array.from({ length: 4_000 }, (_, at) => ({
    id: at,
    organisation: 1,
    color: at % 2 === 0 ? 'red' : 'blue',
    pad: 'x'.repeat(1_000),
  }));
  await w.append('usage', records);
  await w.change('a', { filters: of('blue') });
  await w.clock.advance(10_000);
  assert.deepEqual(
    taken,
    records.flatMap(({ id, color }) => (color === 'blue' ? [id] : [])),
  );
  await w.append('usage', records);
  await w.clock.advance(10_000);
  assert.equal(taken.length, records.length);
  const { counters, pending } = await w.progress('a');
  assert.deepEqual([counters.delivered, counters.filtered, pending], [4_000, 4_000, 0]);
});
