import assert from 'node:assert/strict';
import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { fc } from '../lib/property.fixture.ts';
import { LMDB_FILE, openLmdb } from '../storage/lmdb.ts';
import { openPages } from '../storage/lmdb-pages.ts';
import { createLmdbLog } from './lmdb-log.fixture.ts';
import type { StoredBlock } from './log.ts';
import { labelOf, newBlock, PLENTY } from './world.fixture.ts';

/*
 * The disk did not keep what was written. On a real LMDB file some pieces of 4 KiB become zeros, or bits flip; then either the
 * store is refused with what to do, or every block is there or said to be lost, and the log goes on.
 */
const BLOCKS = 60;
const PIECE = 4_096;
/** Behind the two pages at the head of the file. */
const FIRST_PIECE = 8;

const clock = new ManualClock();

interface Damage {
  /** Where in the file, in thousandths of it; and at which byte of the piece. */
  readonly at: number;
  readonly offset: number;
  /** undefined: the whole piece becomes zeros. */
  readonly bytes: readonly number[] | undefined;
}

const anyDamage = fc.record({
  at: fc.integer({ min: 0, max: 999 }),
  offset: fc.oneof(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: PIECE - 64 })),
  bytes: fc.option(fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 16 }), {
    nil: undefined,
  }),
});

async function inStore(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'simstream-damage-'));
  try {
    await withLog(directory, async (log) => {
      // Of both kinds that LMDB stores differently: beside their keys, and on pages of their own.
      const texts = Array.from({ length: BLOCKS }, (_, number) =>
        incompressible(number % 3 === 0 ? 30_000 : 1_000),
      );
      const blocks = await Promise.all(texts.flatMap((text) => [newBlock(0, [text]), newBlock(1, [text])]));
      // In one transaction, so that no page of the file is free.
      await log.append(blocks);
    });
    await body(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function withLog<T>(
  directory: string,
  body: (log: Awaited<ReturnType<typeof createLmdbLog>>) => Promise<T>,
): Promise<T> {
  const lmdb = await openLmdb(directory, { clock });
  try {
    return await body(await createLmdbLog(lmdb, { partitions: 2, clock, recentBytes: 0 }));
  } finally {
    await lmdb.close();
  }
}

let state = 1;
function incompressible(length: number): string {
  const bytes = new Uint8Array(length / 2);
  for (let at = 0; at < bytes.length; at++) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    bytes[at] = state >> 16;
  }
  return Buffer.from(bytes).toString('hex');
}

function damage(directory: string, damages: readonly Damage[]): void {
  const path = join(directory, LMDB_FILE);
  const { meta, close } = openPages(path);
  close();
  const pieces = ((meta.lastPage + 1) * meta.pageSize) / PIECE - FIRST_PIECE;
  const descriptor = openSync(path, 'r+');
  for (const { at, offset, bytes } of damages) {
    const written = bytes ? Uint8Array.from(bytes) : new Uint8Array(PIECE);
    const piece = (FIRST_PIECE + Math.floor((at * pieces) / 1_000)) * PIECE;
    writeSync(descriptor, written, 0, written.length, piece + (bytes ? offset : 0));
  }
  closeSync(descriptor);
}

function isWhole(stored: StoredBlock): boolean {
  try {
    return stored.block !== undefined && stored.block.payload().length > 0;
  } catch {
    return false;
  }
}

test('pages of zeros and flipped bits: refused with what to do, or every block is read or said to be lost', () =>
  inStore(async (directory) => {
    const path = join(directory, LMDB_FILE);
    const sound = await readFile(path);
    const seen = { refused: 0, lost: 0, whole: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(anyDamage, { minLength: 1, maxLength: 4 }), async (damages) => {
        const descriptor = openSync(path, 'w');
        writeSync(descriptor, sound);
        closeSync(descriptor);
        damage(directory, damages);
        try {
          await withLog(directory, async (log) => {
            for (const partition of [0, 1]) {
              const { first, next } = await log.extent(partition);
              const read = await log.read(partition, first, PLENTY);
              assert.equal(next, BLOCKS + 1);
              assert.equal(read.length, next - first);
              assert.equal(first, 1);
              for (const stored of read) {
                if (isWhole(stored)) seen.whole++;
                else seen.lost++;
              }
              assert.equal((await log.append([await newBlock(partition, ['more'])])).type, 'stored');
              assert.deepEqual((await log.read(partition, next, PLENTY)).map(labelOf), [`${next}:more`]);
              await log.trim(partition, next);
              assert.deepEqual(await log.extent(partition), { first: next, next: next + 1 });
            }
          });
        } catch (error) {
          if (!(error instanceof Error) || !/it is damaged at page/.test(error.message)) throw error;
          assert.match(error.message, /simstream check.*simstream repair/);
          seen.refused++;
        }
      }),
      { numRuns: 60 },
    );
    assert.ok(seen.refused > 0 && seen.lost > 0 && seen.whole > 0, JSON.stringify(seen));
  }));
