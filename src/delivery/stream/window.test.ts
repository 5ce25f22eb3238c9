import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../lib/manual-clock.fixture.ts';
import { fc } from '../../lib/property.fixture.ts';
import { type Block, blockInMemory } from '../../records/block.ts';
import { layOut } from '../../records/record-index.fixture.ts';
import { HeldBlocks } from './held-blocks.ts';
import { SLOTS, slotRuns } from './lanes.ts';
import { Window } from './window.ts';

const BLOCKS = 3;
const RECORDS = 200;

function blockOf(endpoint: (at: number) => number, records = RECORDS): Block {
  const { index, payload } = layOut(
    'usage',
    Array.from({ length: records }, (_, id) => ({
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

test('pushed, taken, discarded in any order: always the oldest record of a free lane, and the oldest of all is known', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.record({ do: fc.constant('push'), seed: fc.nat() }),
          fc.record({ do: fc.constant('take'), seed: fc.nat() }),
          fc.record({ do: fc.constant('take some'), seed: fc.nat() }),
          fc.record({ do: fc.constant('discard'), seed: fc.nat() }),
        ),
        { maxLength: 60 },
      ),
      (steps) => {
        const window = new Window(SLOTS, true, new HeldBlocks(2 ** 26));
        /** Places of the records that wait, and their lanes, oldest first. */
        let waiting: { sequence: number; index: number; slot: number }[] = [];
        let sequence = 0;
        for (const { do: what, seed } of steps) {
          if (what === 'push') {
            sequence++;
            const random = seededRandom(seed);
            const block = blockOf(() => Math.floor(random.next() * 40), 1 + (seed % 20));
            window.push(sequence, block, Uint32Array.of(0, block.count), () => false);
            const slots = [...slotRuns(block, Uint32Array.of(0, block.count), SLOTS)];
            for (let index = 0; index < block.count; index++) {
              const [slot] = slots.find(([, runs]) => isIn(runs, index)) as [number, Uint32Array];
              waiting.push({ sequence, index, slot });
            }
          } else if (what === 'discard') {
            const through = (waiting[0]?.sequence ?? 0) + (seed % 2);
            window.discard(through);
            waiting = waiting.filter((one) => one.sequence > through);
          } else {
            const busy = new Set(waiting.slice(0, seed % 8).map(({ slot }) => slot));
            const records = what === 'take' ? 1 : 50;
            const limits = { records, bytes: 2 ** 20, until: undefined };
            const spans = window.take(limits, (slot) => !busy.has(slot));
            const taken = spans.flatMap(({ sequence, from, to }) =>
              Array.from({ length: to - from }, (_, at) => ({ sequence, index: from + at })),
            );
            const oldest = waiting.find(({ slot }) => !busy.has(slot));
            assert.deepEqual(taken[0], oldest && { sequence: oldest.sequence, index: oldest.index });
            waiting = waiting.filter(
              (one) => !taken.some((other) => other.sequence === one.sequence && other.index === one.index),
            );
          }
          assert.equal(window.count, waiting.length);
          const [first] = waiting;
          assert.deepEqual(
            window.oldest?.position,
            first && { sequence: first.sequence, index: first.index },
          );
        }
      },
    ),
    { numRuns: 200 },
  );
});

function isIn(runs: Uint32Array, index: number): boolean {
  for (let run = 0; run < runs.length; run += 2)
    if (index >= (runs[run] as number) && index < (runs[run + 1] as number)) return true;
  return false;
}
