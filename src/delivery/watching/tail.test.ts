import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../../lib/manual-clock.fixture.ts';
import type { RecordLog } from '../../log/log.ts';
import { createMemoryLog } from '../../log/memory.ts';
import { type Block, blockInMemory, encodeBlock } from '../../records/block.ts';
import { layOut } from '../../records/record-index.fixture.ts';
import type { OrganisationTree } from '../../registry/organisation-tree.ts';
import { readTail } from './tail.ts';

const STREAM = {
  organisationId: 1,
  relation: 1,
  kind: 'usage',
  partition: 0,
  filters: [],
  start: { sequence: 1, index: 0 },
} as const;
// A stream of its own organisation asks nothing of the tree.
const tree = {} as OrganisationTree;

async function logOf(blocks: readonly (readonly string[])[]): Promise<RecordLog> {
  const log = createMemoryLog({ partitions: 1, clock: new ManualClock() });
  for (const texts of blocks) {
    const { index, payload } = layOut(
      'usage',
      texts.map((text, at) => ({ text, organisation: at % 2 === 0 ? 1 : 2 })),
    );
    const block = blockInMemory(index, payload, 0);
    await log.append([{ partition: 0, bytes: await encodeBlock(index, payload, 0), block }]);
  }
  return log;
}

/** A log that counts the payloads that somebody looks at. */
function counting(log: RecordLog): { log: RecordLog; payloads: () => number; blocks: () => number } {
  const opened = new Set<number>();
  let blocks = 0;
  const watched: RecordLog = {
    ...log,
    read: async (...call) => {
      const stored = await log.read(...call);
      blocks += stored.length;
      return stored.map((one) => {
        if (!one.block) return one;
        const { block, sequence } = one;
        const payload = () => {
          opened.add(sequence);
          return block.payload();
        };
        return { sequence, block: { ...block, payload } satisfies Block };
      });
    },
  };
  return { log: watched, payloads: () => opened.size, blocks: () => blocks };
}

const tailOf = (log: RecordLog, cursor: number, limit: number, after?: { sequence: number; index: number }) =>
  readTail({ log, tree }, STREAM, { sequence: cursor, index: 0 }, after, limit);

describe('the tail of a stream', () => {
  test('has its own records before the cursor, oldest first, and at most what is asked', async () => {
    const log = await logOf(Array.from({ length: 30 }, (_, at) => [`a${at}`, `other${at}`, `b${at}`]));
    const { records, next, skipped } = await tailOf(log, 30, 3);
    assert.deepEqual(
      records.map(({ text }) => text),
      ['b27', 'a28', 'b28'],
    );
    assert.deepEqual([next, skipped], [{ sequence: 30, index: 0 }, false]);
  });

  test('goes on where the caller stopped, and says what it left out', async () => {
    const log = await logOf([['a'], ['b'], ['c'], ['d']]);
    const texts = async (limit: number) => {
      const { records, skipped } = await tailOf(log, 5, limit, { sequence: 2, index: 0 });
      return [records.map(({ text }) => text).join(''), skipped];
    };
    assert.deepEqual(await texts(10), ['bcd', false]);
    assert.deepEqual(await texts(3), ['bcd', false]);
    assert.deepEqual(await texts(2), ['cd', true]);
  });

  test('of one record opens the payload of one block, and reads a few', async () => {
    const full = Array.from({ length: 500 }, (_, at) => `record ${at}`);
    const { log, payloads, blocks } = counting(await logOf(Array.from({ length: 200 }, () => full)));
    const { records } = await tailOf(log, 201, 1);
    assert.equal(records.length, 1);
    assert.ok(payloads() <= 1 && blocks() <= 16, `${payloads()} payloads of ${blocks()} blocks`);
  });

  test('is bounded in bytes', async () => {
    const large = 'x'.repeat(200_000);
    const log = await logOf(Array.from({ length: 60 }, () => [large]));
    const { records } = await tailOf(log, 61, 200);
    assert.ok(records.length >= 15 && records.length <= 21, `${records.length}`);
  });
});
