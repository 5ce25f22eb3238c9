import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { fc } from '../lib/property.fixture.ts';
import { createLmdbLog } from '../log/lmdb-log.fixture.ts';
import type { RecordLog } from '../log/log.ts';
import { newBlock, PLENTY } from '../log/world.fixture.ts';
import { createLmdbRegistry } from '../registry/lmdb.ts';
import type { Registry } from '../registry/registry.ts';
import { LMDB_FILE, openLmdb } from '../storage/lmdb.ts';
import { openPages } from '../storage/lmdb-pages.ts';
import { backupStore, describeBackup, requireRestore, restoreStore } from './backup.ts';
import { checkStore } from './check.ts';
import { type RepairResult, repairStore } from './repair.ts';

/* On real files: what is damaged is found, what is left is saved, and no record is unaccounted for. */

const clock = new ManualClock();
const signal = new AbortController().signal;
const work = { clock, signal, progress: () => {} };
const BLOCKS = 40;
const RECORDS = 3;

interface Store {
  readonly log: RecordLog;
  readonly registry: Registry;
}

async function inDirectory(body: (parent: string) => Promise<void>): Promise<void> {
  const parent = await mkdtemp(join(tmpdir(), 'simstream-maintenance-'));
  try {
    await body(parent);
  } finally {
    await rm(parent, { recursive: true });
  }
}

async function withStore<T>(directory: string, body: (store: Store) => Promise<T>): Promise<T> {
  const lmdb = await openLmdb(directory, { clock });
  try {
    const log = await createLmdbLog(lmdb, { partitions: 2, clock, recentBytes: 0 });
    return await body({ log, registry: createLmdbRegistry(lmdb) });
  } finally {
    await lmdb.close();
  }
}

/** Two partitions with blocks of both kinds that LMDB stores differently, a trimmed front, and documents. */
async function makeStore(directory: string): Promise<void> {
  await withStore(directory, async ({ log, registry }) => {
    const blocks = Array.from({ length: BLOCKS }, (_, number) => {
      const texts = Array.from({ length: RECORDS }, () => noise(number % 2 === 0 ? 9_000 : 200));
      return [newBlock(0, texts), newBlock(1, texts)];
    });
    await log.append(await Promise.all(blocks.flat()));
    await log.trim(1, 3);
    await registry.putMany(
      Array.from({ length: 60 }, (_, number) => ({ key: `thing.${number}`, value: { text: noise(500) } })),
    );
    await registry.put('watermark.0', { sequence: BLOCKS + 1, epoch: 1 });
  });
}

let state = 7;
function noise(length: number): string {
  const bytes = new Uint8Array(length / 2);
  for (let at = 0; at < bytes.length; at++) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    bytes[at] = state >> 16;
  }
  return Buffer.from(bytes).toString('hex');
}

const check = (directory: string) => checkStore(join(directory, LMDB_FILE), work);

function overwrite(directory: string, share: number, bytes: Uint8Array): void {
  const path = join(directory, LMDB_FILE);
  const file = openPages(path);
  file.close();
  const pieces = ((file.meta.lastPage + 1) * file.meta.pageSize) / 4_096 - 8;
  const descriptor = openSync(path, 'r+');
  writeSync(descriptor, bytes, 0, bytes.length, (8 + Math.floor((share * pieces) / 1_000)) * 4_096);
  closeSync(descriptor);
}

describe('check', () => {
  test('counts everything in a sound store and changes nothing', () =>
    inDirectory(async (directory) => {
      await makeStore(directory);
      const before = await readFile(join(directory, LMDB_FILE));
      const found = await check(directory);
      assert.equal(found.sound, true);
      assert.deepEqual(
        found.partitions.map(({ first, next, blocks, records }) => [first, next, blocks, records]),
        [
          [1, BLOCKS + 1, BLOCKS, BLOCKS * RECORDS],
          [3, BLOCKS + 1, BLOCKS - 2, (BLOCKS - 2) * RECORDS],
        ],
      );
      assert.deepEqual(found.documents, { thing: 60, watermark: 1 });
      assert.ok(before.equals(await readFile(join(directory, LMDB_FILE))));
    }));

  test('names a missing block at the front and in the middle, and a document that is not JSON', () =>
    inDirectory(async (directory) => {
      await makeStore(directory);
      const lmdb = await openLmdb(directory, { clock });
      const key = (sequence: number) =>
        Buffer.from(`00000001${sequence.toString(16).padStart(12, '0')}`, 'hex');
      const blocks = lmdb.table('log.blocks');
      const documents = lmdb.table('registry.documents');
      await lmdb.write([
        { table: blocks, key: key(3), value: undefined },
        { table: blocks, key: key(20), value: undefined },
        { table: documents, key: Buffer.from('thing.7'), value: Buffer.from('\0\0\0\0\0\u0001{"cut') },
      ]);
      await lmdb.close();
      const found = await check(directory);
      assert.equal(found.sound, false);
      assert.equal(found.partitions[1]?.lostBlocks, 2);
      assert.deepEqual(found.damagedDocuments, ['thing.7']);
    }));

  test('what is not a store is named', () =>
    inDirectory(async (directory) => {
      writeFileSync(join(directory, LMDB_FILE), 'no store');
      await assert.rejects(check(directory), /not an LMDB file/);
    }));
});

describe('repair', () => {
  test('of a sound store changes nothing', () =>
    inDirectory(async (directory) => {
      await makeStore(directory);
      const { kept } = await repairStore(directory, work);
      assert.deepEqual([kept, readdirSync(directory).sort()], [undefined, [LMDB_FILE, `${LMDB_FILE}-lock`]]);
    }));

  test('whatever is damaged: the store opens, each block is there or missing, no sequence is given again', () =>
    inDirectory(async (parent) => {
      const directory = join(parent, 'data');
      await makeStore(directory);
      const sound = await readFile(join(directory, LMDB_FILE));
      const seen = { repaired: 0, lost: 0 };
      const anyDamage = fc.tuple(
        fc.integer({ min: 0, max: 999 }),
        fc.oneof(fc.constant(new Uint8Array(4_096)), fc.uint8Array({ minLength: 1, maxLength: 40 })),
      );
      const property = fc.asyncProperty(
        fc.array(anyDamage, { minLength: 1, maxLength: 4 }),
        async (damages) => {
          await rm(directory, { recursive: true });
          await withStore(directory, async () => {});
          await writeFile(join(directory, LMDB_FILE), sound);
          for (const [share, bytes] of damages) overwrite(directory, share, bytes);
          let result: RepairResult;
          try {
            result = await repairStore(directory, work);
          } catch (error) {
            assert.match((error as Error).message, /whole tables are lost. Restore a backup/);
            return;
          }

          const after = await check(directory);
          assert.deepEqual([after.damagedPages, after.damagedDocuments, after.lostEntries], [[], [], {}]);
          await withStore(directory, async ({ log, registry }) => {
            for (const [partition, first] of [
              [0, 1],
              [1, 3],
            ] as const) {
              const extent = await log.extent(partition);
              assert.ok(extent.next >= BLOCKS + 1, `partition ${partition} goes on from ${extent.next}`);
              assert.ok(extent.first === first || result.check.lostEntries['log.extents'] !== undefined);
              const read = await log.read(partition, extent.first, PLENTY);
              assert.equal(read.length, extent.next - extent.first);
              seen.lost += read.filter(({ block }) => !block).length;
              assert.equal((await log.append([await newBlock(partition, ['more'])])).type, 'stored');
            }
            for await (const { value } of registry.list('thing')) assert.ok(value);
            assert.equal((await registry.put('thing.1', {})).type, 'stored');
          });
          if (result.kept === undefined) return;
          seen.repaired++;
          assert.equal(statSync(result.kept).size, sound.length);
        },
      );
      await fc.assert(property, { numRuns: 8 });
      assert.ok(seen.repaired > 0 && seen.lost > 0, JSON.stringify(seen));
    }));

  test('a file that was cut gives what is left', () =>
    inDirectory(async (directory) => {
      await makeStore(directory);
      const path = join(directory, LMDB_FILE);
      truncateSync(path, Math.floor(statSync(path).size * 0.7));
      const { check: found, kept } = await repairStore(directory, work);
      assert.ok(found.damagedPageCount > 0 && kept !== undefined);
      await withStore(directory, async ({ log }) => {
        assert.ok((await log.extent(0)).next >= BLOCKS + 1);
      });
    }));
});

describe('backup and restore', () => {
  test('a backup of a store in use holds what was stored when it began, and restores to the same', () =>
    inDirectory(async (parent) => {
      const [directory, to, restored] = [
        join(parent, 'data'),
        join(parent, 'backup'),
        join(parent, 'restored'),
      ];
      await makeStore(directory);
      await withStore(directory, async ({ log }) => {
        await log.append([await newBlock(0, ['while it runs'])]);
        const { check: copied } = await backupStore(directory, to, {
          ...work,
          includeSecret: false,
          program: '1.2.3',
        });
        assert.equal(copied.sound, true);
        assert.equal((await log.append([await newBlock(0, ['after'])])).type, 'stored');
      });
      assert.deepEqual(readdirSync(to).sort(), ['backup.json', LMDB_FILE]);
      assert.equal(statSync(join(to, LMDB_FILE)).mode & 0o777, 0o600);
      assert.equal(describeBackup(to)?.program, '1.2.3');
      assert.deepEqual(await restoreStore(to, restored, work).then(({ secret }) => secret), false);
      assert.equal(statSync(restored).mode & 0o777, 0o700);
      await withStore(restored, async ({ log }) => {
        assert.deepEqual(await log.extent(0), { first: 1, next: BLOCKS + 2 });
        assert.deepEqual(await log.extent(1), { first: 3, next: BLOCKS + 1 });
      });
    }));

  test('the secret goes with it when asked for', () =>
    inDirectory(async (parent) => {
      const [directory, to, restored] = [
        join(parent, 'data'),
        join(parent, 'backup'),
        join(parent, 'restored'),
      ];
      await makeStore(directory);
      const options = { ...work, includeSecret: true, program: '1' };
      await assert.rejects(
        backupStore(directory, to, options),
        /holds no secret: keep the value of SIMSTREAM_SECRET/,
      );
      assert.equal(existsSync(to), false);
      writeFileSync(join(directory, 'secret'), 'words');
      await backupStore(directory, to, options);
      await restoreStore(to, restored, work);
      assert.equal(await readFile(join(restored, 'secret'), 'utf8'), 'words');
      assert.equal(statSync(join(restored, 'secret')).mode & 0o777, 0o600);
    }));

  test('nothing is overwritten, and a damaged backup is refused', () =>
    inDirectory(async (parent) => {
      const [directory, to] = [join(parent, 'data'), join(parent, 'backup')];
      await makeStore(directory);
      const options = { ...work, includeSecret: false, program: '1' };
      await assert.rejects(backupStore(parent, to, options), /holds no store of simstream/);
      await assert.rejects(backupStore(directory, directory, options), /is not empty \(it holds/);
      await backupStore(directory, to, options);
      await assert.rejects(backupStore(directory, to, options), /is not empty/);
      await assert.rejects(restoreStore(to, directory, work), /is not empty/);
      for (let share = 0; share < 1_000; share += 100) overwrite(to, share, new Uint8Array(4_096));
      const restored = join(parent, 'restored');
      await assert.rejects(
        restoreStore(to, restored, work),
        /the backup is damaged: use another one, or run/,
      );
      assert.equal(existsSync(restored), false);
    }));

  test('the directory of a node that runs is not a backup', () =>
    inDirectory(async (parent) => {
      const [directory, restored] = [join(parent, 'data'), join(parent, 'restored')];
      await makeStore(directory);
      await withStore(directory, async () => {
        await assert.rejects(restoreStore(directory, restored, work), /a node runs on .*simstream backup/);
        await assert.rejects(requireRestore(directory, restored, work), /a node runs on/);
      });
      assert.equal(existsSync(restored), false);
      await restoreStore(directory, restored, work);
      await withStore(restored, async () => {});
    }));
});
