import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../lib/manual-clock.fixture.ts';
import { type Block, blockInMemory } from '../../records/block.ts';
import { layOut } from '../../records/record-index.fixture.ts';
import { HeldBlocks } from './held-blocks.ts';
import { SLOTS } from './lanes.ts';
import { Window } from './window.ts';

const BLOCKS = 3;
const RECORDS = 200;

function blockOf(endpoint: (at: number) => number): Block {
  const { index, payload } = layOut(
    'usage',
    Array.from({ length: RECORDS }, (_, id) => ({
      text: JSON.stringify({ id }),
      organisation: 1,
      eventType: 0,
      alert: 0,
      endpoint: BigInt(endpoint(id)),
    })),
  );
  return blockInMemory(index, payload, 0);
}

/** Takes until nothing is left. @returns each record's place and slot, in the order in which they were taken */
function drain(devices: number, records: number, busy: ReadonlySet<number>) {
  const random = seededRandom(devices);
  const window = new Window(SLOTS, true, new HeldBlocks(2 ** 26));
  for (let sequence = 1; sequence <= BLOCKS; sequence++)
    window.push(
      sequence,
      blockOf(() => Math.floor(random.next() * devices)),
      Uint32Array.of(0, RECORDS),
      () => false,
    );
  const taken: { place: number; slot: number }[][] = [];
  for (;;) {
    const spans = window.take({ records, bytes: 2 ** 20, until: undefined }, (slot) => !busy.has(slot));
    if (spans.length === 0) return { taken, left: window.count };
    taken.push(
      spans.flatMap(({ sequence, from, to, slot }) =>
        Array.from({ length: to - from }, (_, at) => ({ place: sequence * RECORDS + from + at, slot })),
      ),
    );
  }
}

for (const records of [1, 3, 4, 5, 50])
  for (const devices of [1, 7, 1_000])
    test(`${records} records at a time of ${devices} devices: each once, each lane in order, the oldest first`, () => {
      const { taken, left } = drain(devices, records, new Set());
      assert.equal(left, 0);
      const all = taken.flat();
      assert.equal(new Set(all.map(({ place }) => place)).size, BLOCKS * RECORDS);
      const last = new Map<number, number>();
      for (const { place, slot } of all) {
        assert.ok(place > (last.get(slot) ?? -1), `${place} of lane ${slot}`);
        last.set(slot, place);
      }
      for (const request of taken) {
        assert.ok(request.length <= records);
        const places = request.map(({ place }) => place);
        assert.deepEqual(
          places,
          places.toSorted((a, b) => a - b),
        );
      }
      if (records === 1)
        assert.deepEqual(
          all.map(({ place }) => place),
          Array.from({ length: BLOCKS * RECORDS }, (_, at) => RECORDS + at),
        );
    });

test('what belongs to a busy lane stays', () => {
  const all = drain(50, 1, new Set()).taken.flat();
  const busy = new Set(all.slice(0, 3).map(({ slot }) => slot));
  for (const records of [2, 50]) {
    const { taken, left } = drain(50, records, busy);
    const free = all.filter(({ slot }) => !busy.has(slot)).length;
    assert.equal(taken.flat().length, free);
    assert.equal(left, all.length - free);
  }
});
