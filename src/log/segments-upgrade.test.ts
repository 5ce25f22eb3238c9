import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { type Lmdb, openLmdb, StoreFailure } from '../storage/lmdb.ts';
import { lmdbStore } from './lmdb.ts';
import { createLmdbLog } from './lmdb-log.fixture.ts';
import { IDEMPOTENCY_WINDOW, type RecordLog } from './log.ts';
import { createRequestIndex } from './request-index.ts';
import { createSegmentedLog } from './segments.ts';
import { contents, newBlock } from './world.fixture.ts';

const clock = new ManualClock();
const KEY = (number: number) => ({ idempotencyKey: `${number}`, fingerprint: 'f' });

async function withLmdb(body: (lmdb: Lmdb, reopen: () => Promise<Lmdb>) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'simstream-upgrade-'));
  let lmdb = await openLmdb(directory, { clock });
  try {
    await body(lmdb, async () => {
      await lmdb.close();
      lmdb = await openLmdb(directory, { clock });
      return lmdb;
    });
  } finally {
    await lmdb.close();
    await rm(directory, { recursive: true });
  }
}

async function withSegments<T>(lmdb: Lmdb, body: (log: RecordLog) => Promise<T>): Promise<T> {
  const fault = (message: string) => assert.fail(message);
  const segmented = await createSegmentedLog(lmdb, { partitions: 2, clock, recentBytes: 0, fault });
  try {
    return await body(segmented.log);
  } finally {
    await segmented.close();
  }
}

describe('a log whose blocks are in LMDB', () => {
  test('goes on in segments, and lets the old blocks go', () =>
    withLmdb(async (lmdb, reopen) => {
      const before = await createLmdbLog(lmdb, { partitions: 2, clock });
      for (const text of ['a', 'b', 'c']) await before.append([await newBlock(0, [text])]);
      await before.append([await newBlock(1, ['other'])], KEY(1));
      await before.trim(0, 2);
      await withSegments(await reopen(), async (log) => {
        assert.deepEqual(await log.extent(0), { first: 2, next: 4 });
        assert.deepEqual(await log.append([await newBlock(1, ['other'])], KEY(1)), { type: 'duplicate' });
        await log.append([await newBlock(0, ['d'])]);
        assert.deepEqual(await contents(log, 0), ['2:b', '3:c', '4:d']);
      });
      const again = await reopen();
      await withSegments(again, async (log) => {
        assert.deepEqual(await contents(log, 0), ['2:b', '3:c', '4:d']);
        assert.deepEqual(await contents(log, 1), ['1:other']);
        await log.trim(0, 4);
        assert.deepEqual(await contents(log, 0), ['4:d']);
        await log.trim(0, 5);
        await log.trim(1, 2);
        assert.equal((await log.usage()).bytes, 0);
        assert.equal(again.table('log.blocks').getCount(), 0);
        assert.deepEqual(await log.extent(0), { first: 5, next: 5 });
      });
    }));
});

describe('idempotency keys', () => {
  test('come into the table later and are known at once, also after a restart without a close', () =>
    withLmdb(async (lmdb) => {
      const fault = (message: string) => assert.fail(message);
      const open = (ownClock: ManualClock) =>
        createSegmentedLog(lmdb, { partitions: 1, clock: ownClock, fault });
      // Its clock stands still: it writes no key to the table.
      const killed = await open(new ManualClock());
      const rows = () => lmdb.table('log.requests').getCount();
      // A log looks for old keys at its first one, and writes what waits.
      await killed.log.append([], KEY(0));
      while (rows() === 0) await nextTurn();
      await killed.log.append([await newBlock(0, ['a'])], KEY(1));
      assert.equal(rows(), 1);
      assert.deepEqual(await killed.log.append([await newBlock(0, ['a'])], KEY(1)), { type: 'duplicate' });
      // Nothing ends the first log: the second one finds what a crash leaves.
      const after = await open(clock);
      assert.deepEqual(await after.log.append([await newBlock(0, ['a'])], KEY(1)), { type: 'duplicate' });
      await after.close();
      assert.equal(rows(), 2);
      // What it began is at its end before the store is closed.
      await killed.close();
    }));

  test('old ones are forgotten, those used again are not', () =>
    withLmdb(async (lmdb) => {
      await withSegments(lmdb, async (log) => {
        for (let number = 0; number < 10; number++) await log.append([], KEY(number));
      });
      clock.jump(IDEMPOTENCY_WINDOW);
      await withSegments(lmdb, (log) => log.append([], KEY(3)));
      clock.jump(IDEMPOTENCY_WINDOW - 1);
      await withSegments(lmdb, async (log) => {
        await log.append([await newBlock(0, ['a'])]);
        assert.deepEqual(await log.append([], KEY(3)), { type: 'duplicate' });
      });
      assert.equal(lmdb.table('log.requests').getCount(), 1);
      assert.equal(lmdb.table('log.requests-by-time').getCount(), 1);
    }));

  test('wait in memory while the table cannot be written, and are reported once', () =>
    withLmdb(async (lmdb) => {
      let failing = true;
      const write: Lmdb['write'] = (changes) =>
        failing ? Promise.reject(new StoreFailure('no space left')) : lmdb.write(changes);
      failing = false;
      const table = await lmdbStore({ ...lmdb, write }, 1);
      failing = true;
      const faults: string[] = [];
      const index = createRequestIndex(table, clock, (message) => faults.push(message));
      const request = { key: 'ab'.repeat(32), fingerprint: 'f', at: clock.now() };
      index.add([request], { segment: 1, offset: 100 });
      for (let round = 0; round < 3; round++) await clock.advance(2_000);
      assert.deepEqual(index.find(request.key), request);
      assert.equal(faults.length, 1);
      assert.match(faults[0] as string, /wait in memory: no space left/);
      failing = false;
      await index.close();
      assert.deepEqual(table.request(request.key), request);
      assert.deepEqual(table.pair('requests'), [1, 100]);
    }));
});
