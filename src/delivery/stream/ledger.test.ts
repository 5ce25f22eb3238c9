import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Chunk } from './chunk.ts';
import { Ledger } from './ledger.ts';
import { lengthOf } from './ranges.ts';

const chunk = (sequence: number, ...ranges: readonly (readonly [number, number])[]): Chunk =>
  ranges.map(([from, to]) => ({ sequence, block: undefined, from, to, arrivedAt: 0, bytes: 0, slot: 0 }));
const place = (sequence: number, index: number) => ({ sequence, index });

/** Records that did not pass, and that the cursor passes now. */
function filteredAt(ledger: Ledger, cursor: ReturnType<typeof place>): number {
  let filtered = 0;
  ledger.pass(cursor, (records) => {
    filtered += records;
  });
  return filtered;
}

test('a record that does not pass is counted when the cursor passes it, each once', () => {
  const ledger = new Ledger();
  // Of ten records 2, 3 and 6 pass.
  ledger.read(5, 3, [0, 2, 4, 6, 7, 10], 0);
  assert.equal(ledger.inside, 10);
  assert.equal(filteredAt(ledger, place(5, 2)), 2);
  ledger.fate(chunk(5, [2, 4]));
  assert.equal(filteredAt(ledger, place(5, 6)), 2);
  assert.equal(filteredAt(ledger, place(5, 6)), 0);
  ledger.fate(chunk(5, [6, 7]));
  assert.equal(filteredAt(ledger, place(6, 0)), 3);
  assert.deepEqual([ledger.inside, ledger.empty], [0, true]);
});

test('another selection decides anew about what has no fate, and about nothing else', () => {
  const ledger = new Ledger();
  ledger.read(5, 4, [0, 2, 3, 5, 6, 8], 0);
  let filtered = filteredAt(ledger, place(5, 2));
  // 5 was taken by the destination before 2, which still waits.
  ledger.fate(chunk(5, [5, 6]));
  ledger.skip(6, 7, 0);
  assert.equal(ledger.unread(place(5, 2), []).covered, 14);
  assert.equal(ledger.inside, 0);
  assert.deepEqual(ledger.doneOf(5), [5, 6]);
  // Now 3 and 4 pass, of 2 to 9 without 5.
  ledger.read(5, 2, [2, 3, 6, 10], 0);
  filtered += filteredAt(ledger, place(5, 3));
  ledger.fate(chunk(5, [3, 5]));
  filtered += filteredAt(ledger, place(6, 0));
  assert.deepEqual([filtered, ledger.inside], [7, 0]);
});

test('what lies before the place from which a block is read again keeps its account', () => {
  const ledger = new Ledger();
  ledger.read(5, 4, [0, 2, 3, 5, 6, 8], 0);
  const inFlight = chunk(5, [2, 3]);
  assert.equal(ledger.unread(place(5, 5), [inFlight]).covered, 5);
  ledger.fate(inFlight);
  assert.equal(filteredAt(ledger, place(5, 5)), 4);
  ledger.read(5, 3, [6, 8], 0);
  ledger.fate(chunk(5, [5, 6], [8, 10]));
  assert.equal(filteredAt(ledger, place(6, 0)), 2);
  assert.equal(ledger.inside, 0);
});

test('what is committed is what is done beyond the cursor, and it is taken over', () => {
  const ledger = new Ledger();
  ledger.read(5, 6, [3, 4], 0);
  ledger.fate(chunk(5, [0, 1], [2, 3], [5, 6]));
  filteredAt(ledger, place(5, 1));
  const committed = ledger.toCommit();
  assert.deepEqual(committed, [{ sequence: 5, ranges: [2, 3, 5, 6] }]);
  const next = new Ledger();
  // Documents of older versions say what lies before the cursor as well.
  next.restore(
    [
      { sequence: 4, ranges: [0, 9] },
      { sequence: 5, ranges: [0, 1, ...(committed[0]?.ranges ?? [])] },
    ],
    place(5, 1),
  );
  assert.deepEqual(next.toCommit(), committed);
  next.balance(place(5, 1));
});

test('a second fate of a record, and a cursor that passes open records, are bugs', () => {
  const ledger = new Ledger();
  ledger.read(5, 1, [], 0);
  assert.throws(() => filteredAt(ledger, place(6, 0)), /open records/);
  ledger.fate(chunk(5, [0, 1]));
  assert.throws(() => ledger.fate(chunk(5, [0, 1])), /two fates/);
});

test('the lengths that are counted are right after random changes', () => {
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 16) % below;
  };
  for (let round = 0; round < 200; round++) {
    const ledger = new Ledger();
    const records = 1 + random(12);
    let cursor = 0;
    let fated = 0;
    let filtered = 0;
    const done = new Set<number>();
    for (let selection = 0; selection < 3; selection++) {
      const left = Array.from({ length: records }, (_, index) => index).filter(
        (i) => i >= cursor && !done.has(i),
      );
      const passing = left.filter(() => random(2) === 0);
      const skipped = left.filter((index) => !passing.includes(index)).flatMap((index) => [index, index + 1]);
      assert.equal(lengthOf(skipped) + passing.length, left.length);
      ledger.read(1, passing.length, skipped, 0);
      // Some get a fate in any order; the cursor is the first that has none.
      const open = new Set(passing);
      for (const index of passing.filter(() => random(2) === 0)) {
        ledger.fate(chunk(1, [index, index + 1]));
        open.delete(index);
        done.add(index);
        fated++;
      }
      cursor = Math.min(records, ...open);
      filtered += filteredAt(ledger, place(1, cursor));
      ledger.balance(place(1, cursor));
      if (selection === 2) continue;
      ledger.unread(place(1, cursor), []);
      ledger.balance(place(1, cursor));
      for (const index of done) if (index < cursor) done.delete(index);
    }
    const waiting = ledger.inside;
    assert.equal(fated + filtered + waiting, records);
  }
});

test('the first arrival is the earliest of all blocks, also behind one that a clock was ahead for', () => {
  const ledger = new Ledger();
  ledger.read(1, 1, [], 9_000_000);
  ledger.read(2, 1, [], 1_000);
  assert.equal(ledger.firstArrival, 1_000);
});
