import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoreUnavailable } from '../errors.ts';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { createMemoryRegistry } from '../registry/memory.ts';
import type { Registry } from '../registry/registry.ts';
import { boundedStore, LOST_AFTER_MS } from './bounded-store.ts';

test('a call without an outcome is given up; all others pass', async () => {
  const clock = new ManualClock();
  const never = () => new Promise<never>(() => {});
  const silent: Registry = { ...createMemoryRegistry(), get: never, put: never, delete: never, watch: never };
  const store = boundedStore(silent, clock);
  const { signal } = new AbortController();
  const outcomes = Promise.allSettled([
    store.put('a', 1),
    store.delete('a'),
    store.get('a'),
    store.watch('', () => {}, signal),
  ]);
  await clock.advance(LOST_AFTER_MS);
  const [put, deleted, get, watch] = await outcomes;
  for (const written of [put, deleted])
    assert.equal(written.status === 'fulfilled' && written.value.type, 'unavailable');
  for (const read of [get, watch])
    assert.ok(read.status === 'rejected' && read.reason instanceof StoreUnavailable);

  const answering = boundedStore(createMemoryRegistry(), clock);
  assert.equal((await answering.put('a', 1)).type, 'stored');
  assert.equal((await answering.get('a'))?.value, 1);
  assert.equal(clock.waiting, 0);
});
