import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { type Lmdb, openLmdb, StoreFailure } from '../storage/lmdb.ts';
import { createLmdbLog } from './lmdb-log.fixture.ts';
import { testRecordLog } from './log.contract.ts';
import { IDEMPOTENCY_WINDOW } from './log.ts';
import { newBlock, PARTITIONS } from './world.fixture.ts';

const HOUR = 3_600_000;

testRecordLog('LMDB', {
  create: async () => {
    const clock = new ManualClock();
    const directory = await mkdtemp(join(tmpdir(), 'simstream-log-'));
    let failing = false;
    let lmdb: Lmdb | undefined;
    const reopen = async () => {
      await lmdb?.close();
      lmdb = await openLmdb(directory, { clock });
      return lmdb;
    };
    const close = async () => {
      await lmdb?.close();
      lmdb = undefined;
    };
    return {
      clock,
      open: async ({ partitions = PARTITIONS, ...options } = {}) => {
        const opened = await reopen();
        const write: Lmdb['write'] = (changes) =>
          failing ? Promise.reject(new StoreFailure('no space left')) : opened.write(changes);
        return createLmdbLog({ ...opened, write }, { partitions, clock, ...options });
      },
      close,
      destroy: () => rm(directory, { recursive: true }),
      tamper: async (partition, sequence, change) => {
        const opened = await reopen();
        const blocks = opened.table('log.blocks');
        const key = Buffer.alloc(10);
        key.writeUInt32BE(partition, 0);
        key.writeUIntBE(sequence, 4, 6);
        const changed = change(Uint8Array.from(blocks.getBinary(key) ?? []));
        await opened.write([{ table: blocks, key, value: changed }]);
        await close();
      },
      failWrites: (fail) => {
        failing = fail;
      },
    };
  },
});

async function withLmdb(body: (lmdb: Lmdb, clock: ManualClock) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'simstream-log-'));
  const clock = new ManualClock();
  const lmdb = await openLmdb(directory, { clock });
  try {
    await body(lmdb, clock);
  } finally {
    await lmdb.close();
    await rm(directory, { recursive: true });
  }
}

test('the file stops growing when as much is trimmed as is appended', () =>
  withLmdb(async (lmdb, clock) => {
    const log = await createLmdbLog(lmdb, { partitions: 1, clock });
    const random = Buffer.alloc(40_000, 0);
    const block = await newBlock(0, [random.toString('hex')]);
    const large = { ...block, bytes: Buffer.concat([block.bytes, Buffer.alloc(100_000, 1)]) };
    const turnOver = async (rounds: number) => {
      for (let i = 0; i < rounds; i++) {
        await log.append(Array.from({ length: 10 }, () => large));
        await log.trim(0, (await log.extent(0)).next - 50);
      }
    };
    await turnOver(20);
    const settled = await lmdb.sizeOnDisk();
    await turnOver(60);
    assert.ok((await lmdb.sizeOnDisk()) <= settled * 1.25, `${settled} grew to ${await lmdb.sizeOnDisk()}`);
  }));

test('old idempotency keys are forgotten, those used again are not', () =>
  withLmdb(async (lmdb, clock) => {
    const log = await createLmdbLog(lmdb, { partitions: 1, clock });
    // A leap of the clock, which the log believes when it has seen it for an hour.
    const pass = async (milliseconds: number) => {
      clock.jump(milliseconds - 2 * HOUR);
      await log.append([await newBlock(0, ['seen'])]);
      await clock.advance(2 * HOUR);
    };
    for (let i = 0; i < 10; i++) await log.append([], { idempotencyKey: `${i}` });
    await pass(IDEMPOTENCY_WINDOW);
    await log.append([], { idempotencyKey: '3' });
    await pass(IDEMPOTENCY_WINDOW - 1);
    await log.append([await newBlock(0, ['a'])]);
    assert.equal(lmdb.table('log.requests').getCount(), 1);
    assert.equal(lmdb.table('log.requests-by-time').getCount(), 1);
    assert.deepEqual(await log.append([], { idempotencyKey: '3' }), { type: 'duplicate' });
  }));

test('an append to a store that was closed is unavailable', async () => {
  await withLmdb(async (lmdb, clock) => {
    const log = await createLmdbLog(lmdb, { partitions: 1, clock });
    await lmdb.close();
    const outcome = await log.append([await newBlock(0, ['a'])], { idempotencyKey: 'k' });
    assert.equal(outcome.type, 'unavailable');
  });
});
