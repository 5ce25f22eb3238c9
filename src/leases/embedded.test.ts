import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { createMemoryRegistry } from '../registry/memory.ts';
import type { Registry } from '../registry/registry.ts';
import { embeddedLeases } from './embedded.ts';
import { testLeases } from './leases.contract.ts';

const NODE = { name: 'one', version: '1.2.3' };

function leasesIn(registry: Registry, clock = new ManualClock()) {
  return embeddedLeases(registry, { clock, node: NODE });
}

testLeases('embedded', {
  create: async () => {
    const registry = createMemoryRegistry();
    const nothing = async () => {};
    return { node: () => leasesIn(registry), settle: nothing, close: nothing, destroy: nothing };
  },
});

test('without a store to keep the epoch in, nothing is held', async () => {
  const registry = createMemoryRegistry({ sync: () => Promise.reject(new Error('disk full')) });
  let ran = false;
  const held = leasesIn(registry).hold(
    1,
    async () => {
      ran = true;
    },
    new AbortController().signal,
  );
  await assert.rejects(held, /disk full/);
  assert.equal(ran, false);
});

test('its one node holds every partition but those whose run has ended', async () => {
  const clock = new ManualClock();
  const leases = leasesIn(createMemoryRegistry(), clock);
  const started = clock.now();
  await clock.advance(10);
  const stop = new AbortController();
  const ended = Promise.withResolvers<void>();
  const held = leases.hold(
    3,
    async (partition, _epoch, signal) => {
      if (partition === 1) return;
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },
    stop.signal,
  );
  leases.nodes.subscribe(() => leases.nodes.snapshot().unheld.length === 1 && ended.resolve());
  await ended.promise;
  const since = started + 10;
  assert.deepEqual(leases.nodes.snapshot(), {
    nodes: [
      {
        ...NODE,
        session: 'one',
        self: true,
        state: 'alive',
        skewMs: 0,
        started,
        partitions: [
          { partition: 0, epoch: 1, since },
          { partition: 2, epoch: 1, since },
        ],
      },
    ],
    unheld: [1],
    stuck: [1],
    ageMs: 0,
    quorum: true,
    faults: ['the run of partition 1 has ended'],
  });
  stop.abort();
  await held;
  assert.deepEqual(leases.nodes.snapshot().unheld, [0, 1, 2]);
});
