import assert from 'node:assert/strict';
import { settle } from '../lib/manual-clock.fixture.ts';
import type { Change, Registry } from './registry.ts';
import type { RegistryTests } from './world.fixture.ts';

/** A watcher that notes every change that it receives. */
async function startWatch(registry: Registry, prefix: string) {
  const stop = new AbortController();
  const changes: Change[] = [];
  const waiting = new Set<{ count: number; resolve: () => void }>();
  await registry.watch(
    prefix,
    (change) => {
      changes.push(change);
      for (const waiter of waiting) if (changes.length >= waiter.count) waiter.resolve();
    },
    stop.signal,
  );
  return {
    changes,
    /** `key=value`, or `key-` for a deletion. */
    labels: () => changes.map(({ key, value }) => (value === undefined ? `${key}-` : `${key}=${value}`)),
    until: (count: number) =>
      new Promise<void>((resolve) => {
        if (changes.length >= count) resolve();
        else waiting.add({ count, resolve });
      }),
    stop: () => stop.abort(),
  };
}

export const watchTests: RegistryTests = {
  'a watch that is current has seen each write when the write resolves': async (world) => {
    const registry = await world.open();
    if (!registry.watchIsCurrent) return;
    const watch = await startWatch(registry, 'stream');
    for (let n = 0; n < 20; n++) {
      const outcome = n % 3 === 2 ? await registry.delete('stream.a') : await registry.put('stream.a', n);
      assert.equal(outcome.type, 'stored');
      assert.equal(watch.changes.length, n + 1);
    }
    watch.stop();
  },

  'R4 a watcher receives every document, then every change': async (world) => {
    const registry = await world.open();
    await registry.put('stream.1.a', 1);
    await registry.put('stream.2.b', 2);
    await registry.put('stream', 'the prefix itself');
    await registry.put('streams.a', 'another prefix');
    const watch = await startWatch(registry, 'stream');
    assert.deepEqual(watch.labels().toSorted(), ['stream.1.a=1', 'stream.2.b=2']);

    await registry.put('stream.1.a', 3);
    await registry.put('streams.a', 4);
    await registry.delete('stream.2.b');
    await registry.delete('stream.2.b');
    await registry.putMany([
      { key: 'stream.3.c', value: 5 },
      { key: 'stream.1.a', value: 6, expected: 0 },
    ]);
    await watch.until(5);
    await settle();
    assert.deepEqual(watch.labels().slice(2), ['stream.1.a=3', 'stream.2.b-', 'stream.3.c=5']);
    for (const { key, value, revision } of watch.changes.slice(2))
      if (value !== undefined) assert.equal((await registry.get(key))?.revision, revision);
    watch.stop();
  },

  'R4 a watcher that stopped receives nothing more': async (world) => {
    const registry = await world.open();
    const [stopped, other] = [await startWatch(registry, 'a'), await startWatch(registry, 'a')];
    await registry.put('a.1', 1);
    // R4 lets a watcher skip a change that was replaced: wait until the other one has received it.
    await Promise.all([stopped.until(1), other.until(1)]);
    stopped.stop();
    await registry.put('a.1', 2);
    await other.until(2);
    assert.deepEqual(stopped.labels(), ['a.1=1']);
    other.stop();

    await registry.watch('a', () => assert.fail('reported though aborted'), AbortSignal.abort());
    await registry.put('a.1', 3);
    await settle();
  },

  'R4 no change is lost, doubled or reported backwards while the first listing runs': async (world) => {
    const registry = await world.open();
    const keys = Array.from({ length: 1_500 }, (_, i) => `watched.${String(i).padStart(4, '0')}`);
    await registry.putMany(keys.map((key) => ({ key, value: 0 })));

    const received: Change[] = [];
    const stop = new AbortController();
    const ready = registry.watch('watched', (change) => void received.push(change), stop.signal);
    const writes: Promise<unknown>[] = [];
    for (let i = 0; i < 60; i++) {
      const early = keys[i] as string;
      const late = keys[keys.length - 1 - i] as string;
      writes.push(registry.put(early, i + 1), registry.put(late, i + 1), registry.put(`watched.new-${i}`, i));
      writes.push(registry.delete(keys[700 + i] as string));
      if (i % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all([ready, ...writes]);
    await registry.put('watched.zz-last', 'last');
    while (!received.some(({ value }) => value === 'last')) await settle();
    stop.abort();

    const latest = new Map<string, Change>();
    for (const change of received) {
      const before = latest.get(change.key);
      if (before)
        assert.ok(change.revision > before.revision, `${change.key} was reported twice or backwards`);
      latest.set(change.key, change);
    }
    for await (const { key, value, revision } of registry.list('watched'))
      assert.deepEqual(latest.get(key), { key, value, revision });
    for (let i = 0; i < 60; i++) assert.equal(latest.get(keys[700 + i] as string)?.value, undefined);
  },

  'R4 a watcher receives only what is durable': async (world) => {
    const registry = await world.open();
    const watch = await startWatch(registry, 'a');
    world.failWrites(true);
    assert.equal((await registry.put('a.1', 'lost')).type, 'unavailable');
    await settle();
    world.failWrites(false);
    await registry.put('a.1', 'kept');
    await watch.until(1);
    assert.deepEqual(watch.labels(), ['a.1=kept']);
    watch.stop();
  },

  'R4 a watcher may write': async (world) => {
    const registry = await world.open();
    const stop = new AbortController();
    const done = Promise.withResolvers<void>();
    const answer = async (change: Change) => {
      if (change.key === 'a.answer') done.resolve();
      else await registry.put('a.answer', 1);
    };
    await registry.watch('a', (change) => void answer(change).catch(done.reject), stop.signal);
    await registry.put('a.question', 1);
    await done.promise;
    stop.abort();
  },
};
