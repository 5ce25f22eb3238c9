import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import type { RecordLog } from '../log/log.ts';
import { createSegmentedLog } from '../log/segments.ts';
import { newBlock, PLENTY } from '../log/world.fixture.ts';
import { createLmdbRegistry } from '../registry/lmdb.ts';
import { LMDB_FILE, openLmdb } from '../storage/lmdb.ts';
import { SEGMENT_DIRECTORY } from '../storage/segment-files.ts';
import { backupStore, restoreStore } from './backup.ts';
import { checkStore } from './check.ts';
import { repairStore } from './repair.ts';

/* On real files: damage of segments is found and reported, and what is not damaged stays. */

const clock = new ManualClock();
const signal = new AbortController().signal;
const work = { clock, signal, progress: () => {} };
const BLOCKS = 12;

async function inDirectory(body: (parent: string) => Promise<void>): Promise<void> {
  const parent = await mkdtemp(join(tmpdir(), 'simstream-segments-'));
  try {
    await body(parent);
  } finally {
    await rm(parent, { recursive: true });
  }
}

async function withLog<T>(
  directory: string,
  body: (log: RecordLog, faults: string[]) => Promise<T>,
): Promise<T> {
  const lmdb = await openLmdb(directory, { clock });
  const faults: string[] = [];
  try {
    const fault = (message: string) => faults.push(message);
    const options = { partitions: 2, clock, recentBytes: 0, fault };
    const segmented = await createSegmentedLog(lmdb, options);
    try {
      return await body(segmented.log, faults);
    } finally {
      await segmented.close();
    }
  } finally {
    await lmdb.close();
  }
}

/** Two segments, of 12 blocks a partition each, with 3 records a block; the first 2 of partition 1 are trimmed. */
async function makeStore(directory: string): Promise<void> {
  for (let segment = 0; segment < 2; segment++)
    await withLog(directory, async (log) => {
      for (let number = 0; number < BLOCKS; number++)
        await log.append([
          await newBlock(0, ['a', `b ${'x'.repeat(2_000)}`, `c ${number}`]),
          await newBlock(1, ['d', 'e', `f ${number}`]),
        ]);
      if (segment === 1) await log.trim(1, 3);
    });
}

const check = (directory: string) => checkStore(join(directory, LMDB_FILE), work);
const segmentsOf = (directory: string) =>
  readdirSync(join(directory, SEGMENT_DIRECTORY))
    .sort()
    .map((name) => join(directory, SEGMENT_DIRECTORY, name));

function overwrite(path: string, at: number, bytes: Uint8Array): void {
  const descriptor = openSync(path, 'r+');
  writeSync(descriptor, bytes, 0, bytes.length, at < 0 ? statSync(path).size + at : at);
  closeSync(descriptor);
}

/** What a node reads of a partition. */
async function readings(directory: string, partition: number) {
  return withLog(directory, async (log, faults) => {
    const { first, next } = await log.extent(partition);
    // A read may end before blocks that are missing: the next one has them.
    const stored: Awaited<ReturnType<typeof log.read>>[number][] = [];
    for (let from = first; from < next; from = (stored.at(-1)?.sequence ?? next) + 1)
      stored.push(...(await log.read(partition, from, PLENTY)));
    const whole = stored.filter(({ block }) => {
      try {
        return block && block.payload().length > 0;
      } catch {
        return false;
      }
    });
    return { first, next, whole: whole.length, lost: stored.length - whole.length, faults };
  });
}

describe('segments', () => {
  test('check counts the blocks that are kept', () =>
    inDirectory(async (directory) => {
      await makeStore(directory);
      const found = await check(directory);
      assert.equal(found.sound, true, JSON.stringify(found));
      assert.deepEqual(
        found.partitions.map(({ first, next, blocks, records }) => [first, next, blocks, records]),
        [
          [1, 2 * BLOCKS + 1, 2 * BLOCKS, 2 * BLOCKS * 3],
          [3, 2 * BLOCKS + 1, 2 * BLOCKS - 2, (2 * BLOCKS - 2) * 3],
        ],
      );
    }));

  const damages: { name: string; damage: (paths: string[]) => void; lost: [least: number, most: number] }[] =
    [
      {
        name: 'a damaged index',
        damage: ([first]) => overwrite(first as string, -40, Buffer.alloc(20, 7)),
        lost: [0, 1],
      },
      {
        name: 'a damaged end',
        damage: ([first]) => overwrite(first as string, -8, Buffer.alloc(8, 7)),
        lost: [0, 0],
      },
      {
        name: 'a damaged header',
        damage: ([first]) => overwrite(first as string, 8, Buffer.alloc(8, 7)),
        lost: [0, 0],
      },
      {
        name: 'a damaged payload',
        damage: ([first]) => overwrite(first as string, 1_000, Buffer.alloc(8, 7)),
        lost: [1, 1],
      },
      {
        name: 'a zeroed page',
        damage: ([first]) => overwrite(first as string, 4_096, Buffer.alloc(4_096)),
        lost: [1, 6],
      },
      {
        name: 'a cut file',
        damage: ([first]) => truncateSync(first as string, statSync(first as string).size / 2),
        lost: [4, 8],
      },
      {
        name: 'a zeroed page and no index',
        damage: ([first]) => {
          overwrite(first as string, 4_096, Buffer.alloc(4_096));
          overwrite(first as string, -32, Buffer.alloc(32));
        },
        lost: [1, 6],
      },
      { name: 'a missing segment', damage: ([first]) => rmSync(first as string), lost: [BLOCKS, BLOCKS] },
    ];
  for (const { name, damage, lost } of damages)
    test(`${name}: the other blocks are read, the lost ones counted, and the log goes on`, () =>
      inDirectory(async (directory) => {
        await makeStore(directory);
        damage(segmentsOf(directory));
        const found = await check(directory);
        const lostByCheck =
          (found.partitions[0]?.lostBlocks ?? 0) + (found.partitions[0]?.damagedBlocks ?? 0);
        const read = await readings(directory, 0);
        assert.ok(read.lost >= lost[0] && read.lost <= lost[1], `${read.lost} blocks are lost`);
        assert.equal(lostByCheck, read.lost, JSON.stringify(found));
        assert.deepEqual([read.first, read.next], [1, 2 * BLOCKS + 1]);
        assert.equal(read.whole + read.lost, 2 * BLOCKS);
        await withLog(directory, async (log) => {
          assert.equal((await log.append([await newBlock(0, ['more'])])).type, 'stored');
          await log.trim(0, 2 * BLOCKS + 2);
          await log.trim(1, 2 * BLOCKS + 1);
          assert.equal((await log.usage()).bytes, 0);
        });
      }));

  test('a segment of a newer version is refused', () =>
    inDirectory(async (directory) => {
      await makeStore(directory);
      overwrite(segmentsOf(directory)[0] as string, 4, Buffer.from([9]));
      await assert.rejects(readings(directory, 0), /version 9 .* up to 1: start the program that wrote it/);
    }));

  test('without its last segment the log is refused until it is repaired', () =>
    inDirectory(async (directory) => {
      await makeStore(directory);
      rmSync(segmentsOf(directory).at(-1) as string);
      assert.equal((await check(directory)).sound, false);
      await assert.rejects(
        readings(directory, 0),
        /the last one of the record log, is missing.*simstream repair/,
      );
      const lmdb = await openLmdb(directory, { clock });
      await createLmdbRegistry(lmdb).put('watermark.0', { sequence: 2 * BLOCKS + 1, epoch: 1 });
      await lmdb.close();
      await repairStore(directory, work);
      const read = await readings(directory, 0);
      assert.deepEqual([read.next, read.whole, read.lost], [2 * BLOCKS + 1, BLOCKS, BLOCKS]);
    }));

  test('a backup of a log in use is whole, and restores to the same', () =>
    inDirectory(async (parent) => {
      const [directory, to, restored] = ['data', 'backup', 'restored'].map((name) => join(parent, name)) as [
        string,
        string,
        string,
      ];
      await makeStore(directory);
      await withLog(directory, async (log) => {
        await log.append([await newBlock(0, ['while it runs'])], { idempotencyKey: 'k' });
        const options = { ...work, includeSecret: false, program: '1' };
        const { check: copied } = await backupStore(directory, to, options);
        assert.equal(copied.sound, true, JSON.stringify(copied));
        assert.equal((await log.append([await newBlock(0, ['after'])])).type, 'stored');
      });
      await restoreStore(to, restored, work);
      assert.equal((await check(restored)).sound, true);
      const read = await readings(restored, 0);
      assert.deepEqual([read.first, read.next, read.lost, read.faults], [1, 2 * BLOCKS + 2, 0, []]);
      await withLog(restored, async (log) => {
        const again = await log.append([await newBlock(0, ['while it runs'])], { idempotencyKey: 'k' });
        assert.equal(again.type, 'duplicate');
      });
    }));
});
