import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { type Lmdb, openLmdb, StoreFailure } from '../storage/lmdb.ts';
import { createLmdbRegistry } from './lmdb.ts';
import { testRegistry } from './registry.contract.ts';

testRegistry('LMDB', {
  create: async () => {
    const directory = await mkdtemp(join(tmpdir(), 'simstream-registry-'));
    let failing = false;
    let lmdb: Lmdb | undefined;
    const close = async () => {
      await lmdb?.close();
      lmdb = undefined;
    };
    return {
      open: async () => {
        await close();
        const opened = await openLmdb(directory, { clock: new ManualClock() });
        lmdb = opened;
        const write: Lmdb['write'] = (changes) =>
          failing ? Promise.reject(new StoreFailure('no space left')) : opened.write(changes);
        return createLmdbRegistry({ ...opened, write });
      },
      close,
      destroy: () => rm(directory, { recursive: true }),
      failWrites: (fail) => {
        failing = fail;
      },
    };
  },
});

test('a listing that pauses holds no old pages', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'simstream-registry-'));
  const lmdb = await openLmdb(directory, { clock: new ManualClock() });
  try {
    const registry = createLmdbRegistry(lmdb);
    const text = 'x'.repeat(1_000);
    const keys = Array.from({ length: 2_000 }, (_, i) => `a.${i}`);
    const rewrite = () => registry.putMany(keys.map((key) => ({ key, value: text })));
    for (let i = 0; i < 5; i++) await rewrite();
    const before = await lmdb.sizeOnDisk();
    let count = 0;
    for await (const _ of registry.list('a')) {
      // A snapshot held across these would keep every page that they replace.
      if (count++ === 10) for (let i = 0; i < 20; i++) await rewrite();
    }
    assert.equal(count, keys.length);
    assert.ok((await lmdb.sizeOnDisk()) <= before * 1.5, `${before} grew to ${await lmdb.sizeOnDisk()}`);
  } finally {
    await lmdb.close();
    await rm(directory, { recursive: true });
  }
});
