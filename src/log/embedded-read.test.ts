import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BlockStore } from './block-store.ts';
import { openReads } from './embedded-read.ts';
import type { NewBlock } from './log.ts';
import { recentBlocks } from './recent-blocks.ts';
import { newBlock } from './world.fixture.ts';

const BLOCKS = 40;
const blocks: readonly NewBlock[] = await Promise.all(
  Array.from({ length: BLOCKS }, (_, at) => newBlock(0, [`record ${at}`])),
);
const LENGTH = Math.max(...blocks.map(({ bytes }) => bytes.length));

/** A store whose blocks are on a disk: it counts what is fetched, and what stops the event loop. */
function onDisk(unreadable: readonly number[] = []) {
  const fetched: number[] = [];
  const stopped: number[] = [];
  const bytesOf = (sequence: number) => (blocks[sequence - 1] as NewBlock).bytes;
  const store = {
    prefetch: async (_partition: number, sequences: readonly number[], most: number) => {
      const found = new Map<number, Uint8Array>();
      let bytes = 0;
      for (const sequence of sequences.filter((each) => !unreadable.includes(each))) {
        bytes += bytesOf(sequence).length;
        if (bytes > most && found.size > 0) break;
        found.set(sequence, bytesOf(sequence));
        fetched.push(sequence);
      }
      return found;
    },
    get: (_partition: number, sequence: number) => {
      stopped.push(sequence);
      if (unreadable.includes(sequence)) throw new Error('the disk cannot read it');
      return bytesOf(sequence);
    },
  };
  const { read } = openReads({
    store: store as unknown as BlockStore,
    recent: recentBlocks(1),
    extentOf: () => ({ first: 1, next: BLOCKS + 1 }),
  });
  return { read, fetched, stopped };
}

const LIMITS = { blocks: 16, bytes: 9 * LENGTH };

describe('a reader that takes a few blocks of each read', () => {
  test('has every block fetched once, and never stops the event loop', async () => {
    const { read, fetched, stopped } = onDisk();
    for (let next = 1; next <= BLOCKS; next += 2) {
      const stored = await read(0, next, LIMITS);
      assert.equal(stored[0]?.sequence, next);
      assert.ok(stored[0]?.block);
    }
    assert.deepEqual(
      fetched,
      Array.from({ length: BLOCKS }, (_, at) => at + 1),
    );
    assert.deepEqual(stopped, []);
  });

  test('hears of each block that cannot be read, and gets the others', async () => {
    const { read } = onDisk([1, 7, 20, 21, BLOCKS]);
    const faults: number[] = [];
    let next = 1;
    while (next <= BLOCKS) {
      const stored = (await read(0, next, LIMITS)).slice(0, 3);
      for (const { sequence, block } of stored) {
        assert.equal(sequence, next++);
        if (!block) faults.push(sequence);
      }
    }
    assert.deepEqual(faults, [1, 7, 20, 21, BLOCKS]);
  });
});
