import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
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

test('a disk that has room only for something small is full', async () => {
  let room = Number.POSITIVE_INFINITY;
  const clock = new ManualClock();
  const registry = createMemoryRegistry();
  const { log, fault } = watchAppends(
    {
      ...createMemoryLog({ partitions: 1, clock }),
      append: async (blocks) =>
        blocks.some(({ bytes }) => bytes.length > room)
          ? { type: 'unavailable', cause: 'no space left on the disk' }
          : { type: 'stored', positions: [] },
    },
    {
      ...registry,
      put: async (key, value) =>
        JSON.stringify(value).length > room
          ? { type: 'unavailable', cause: 'no space left on the disk' }
          : registry.put(key, value),
    },
  );
  const append = async (text: string) => (await log.append([await newBlock(0, [text])])).type;
  // Random bytes stay as large as they are.
  const large = randomBytes(50_000).toString('base64');
  room = 10_000;
  assert.equal(await append(large), 'unavailable');
  assert.match((await fault()) ?? '', /no space left/);
  assert.equal(await append('a'), 'stored');
  assert.match((await fault()) ?? '', /no space left/, 'the next large request would be refused again');
  room = Number.POSITIVE_INFINITY;
  assert.equal(await fault(), undefined);
  assert.deepEqual((await registry.get('readiness'))?.value, {}, 'the room of the check is given back');
});
