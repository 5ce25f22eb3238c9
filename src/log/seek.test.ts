import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import { MOST_AHEAD_MS } from './log.ts';
import { seekArrival } from './seek.ts';

const NOW = 1_000_000;
const YEARS = NOW + 10 * 365 * 86_400_000;
const FIRST = 7;

/** Searches blocks that arrived at these times by their own clock. @returns the place in `arrivals`, and how many were read */
async function search(arrivals: readonly (number | undefined)[], time: number) {
  let reads = 0;
  const found = await seekArrival(
    {
      extent: { first: FIRST, next: FIRST + arrivals.length },
      arrivedAt: (sequence) => {
        reads++;
        return arrivals[sequence - FIRST];
      },
      now: NOW,
      lookBack: { ms: 0, least: 2, most: 2 },
    },
    time,
  );
  return { found: found - FIRST, reads };
}

/** Blocks in the order of their true arrival, some of them stamped while a clock was wrong, in runs. */
const runs = fc.array(
  fc.record({
    length: fc.integer({ min: 1, max: 12 }),
    each: fc.integer({ min: 1, max: 9 }),
    right: fc.boolean(),
  }),
  { minLength: 1, maxLength: 12 },
);

function blocksOf(parts: readonly { length: number; each: number; right: boolean }[]) {
  let time = 0;
  return parts.flatMap(({ length, each, right }) =>
    Array.from({ length }, () => {
      time += each;
      return { arrived: time, stamped: right ? time : YEARS + time };
    }),
  );
}

describe('the first block that arrived at or after a time', () => {
  test('is never passed, whatever blocks are from the future', () =>
    fc.assert(
      fc.asyncProperty(runs, fc.integer({ min: 0, max: 900 }), async (parts, time) => {
        const blocks = blocksOf(parts);
        const { found } = await search(
          blocks.map(({ stamped }) => stamped),
          time,
        );
        const right = blocks.findIndex(({ arrived }) => arrived >= time);
        const last = right < 0 ? blocks.length : right;
        assert.ok(found <= last, `found ${found}, but ${last} is the first`);
      }),
    ));

  test('is found but for those from the future that stand directly before it', () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 0, max: 1_000 }),
        async (before, wrong, behind, time) => {
          const part = { each: 1, right: true };
          const blocks = blocksOf([
            { ...part, length: before },
            { ...part, length: wrong, right: false },
            { ...part, length: behind },
          ]);
          const { found } = await search(
            blocks.map(({ stamped }) => stamped),
            time,
          );
          const right = blocks.findIndex(({ arrived }) => arrived >= time);
          const last = right < 0 ? blocks.length : right;
          assert.ok(found <= last);
          for (const { arrived, stamped } of blocks.slice(found, last))
            assert.ok(stamped > NOW, `${arrived} arrived before ${time}`);
        },
      ),
    ));

  test('takes few reads among a hundred thousand', async () => {
    const part = { each: 1, right: true };
    const blocks = blocksOf([
      { ...part, length: 30_000 },
      { ...part, length: 40_000, right: false },
      { ...part, length: 30_000 },
    ]).map(({ stamped }) => stamped);
    for (const time of [1, 10_000, 30_000, 50_000, 70_001, 99_000, 100_000]) {
      const { reads } = await search(blocks, time);
      assert.ok(reads < 120, `${reads} reads for ${time}`);
    }
  });

  test('where all that follows is from the future, by what it says', async () => {
    // The clock is behind now.
    const blocks = [10, 20, YEARS + 10, YEARS + 20, YEARS + 30];
    assert.equal((await search(blocks, YEARS + 15)).found, 3);
    assert.equal((await search([NOW, NOW + MOST_AHEAD_MS, NOW + 1], NOW + 1)).found, 1);
  });

  test('passes unreadable blocks among those from the future', async () => {
    const blocks = [10, 20, YEARS, undefined, YEARS, undefined, 50, 60];
    assert.equal((await search(blocks, 60)).found, 7);
    assert.ok((await search(blocks, 50)).found <= 6);
    assert.equal((await search(blocks, 20)).found, 1);
  });
});
