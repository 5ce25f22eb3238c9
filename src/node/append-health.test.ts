import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { createMemoryLog } from '../log/memory.ts';
import { newBlock } from '../log/world.fixture.ts';
import { createMemoryRegistry } from '../registry/memory.ts';
import { watchAppends } from './append-health.ts';

test('a node whose appends are refused says why, until a write succeeds again', async () => {
  let full = false;
  const sync = async () => {
    if (full) throw new Error('no space left on the disk');
  };
  const clock = new ManualClock();
  const { log, fault } = watchAppends(
    createMemoryLog({ partitions: 1, clock, sync }),
    createMemoryRegistry({ sync }),
  );
  const append = async () => (await log.append([await newBlock(0, ['a'])])).type;
  assert.equal(await append(), 'stored');
  assert.equal(await fault(), undefined);
  full = true;
  assert.equal(await append(), 'unavailable');
  assert.match((await fault()) ?? '', /no space left/);
  assert.match((await fault()) ?? '', /no space left/);
  // Nobody sends records to a node that is not ready: it finds out by itself.
  full = false;
  assert.equal(await fault(), undefined);
  assert.equal(await append(), 'stored');
});
