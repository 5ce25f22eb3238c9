import assert from 'node:assert/strict';
import {
  type ContractHarness,
  type ContractTests,
  type ContractWorld,
  runContract,
} from '../lib/contract-suite.fixture.ts';
import type { Leases } from './leases.ts';

/** A store that outlives its nodes. */
interface LeasesStore extends ContractWorld {
  /** One more node, as after a (re)start. */
  node(): Leases;
  /** Advances time for adapters whose leases expire; does nothing for others. */
  settle(): Promise<void>;
}

const PARTITIONS = 4;

/** What every adapter of the leases port must do, one node at a time; see leases.ts for the invariants. */
export function testLeases(adapter: string, harness: ContractHarness<LeasesStore>): void {
  runContract('leases', adapter, leasesTests, harness);
}

const leasesTests: ContractTests<LeasesStore> = {
  'E1: a node alone runs each partition once': async (world) => {
    const stop = new AbortController();
    const all = Promise.withResolvers<void>();
    const ran: number[] = [];
    const held = world.node().hold(
      PARTITIONS,
      async (partition, _epoch, signal) => {
        ran.push(partition);
        if (ran.length === PARTITIONS) all.resolve();
        await aborted(signal);
      },
      stop.signal,
    );
    await all.promise;
    stop.abort();
    await held;
    assert.deepEqual(ran.toSorted(), [0, 1, 2, 3]);
  },

  'E1: the epoch of a partition grows with every holder': async (world) => {
    const epochs: number[][] = Array.from({ length: PARTITIONS }, () => []);
    for (let start = 0; start < 3; start++) {
      for (const [partition, epoch] of (await epochsOfOneStart(world)).entries())
        epochs[partition]?.push(epoch);
      await world.settle();
    }
    for (const [partition, seen] of epochs.entries()) {
      const ascending = seen.every((epoch, i) => i === 0 || epoch > (seen[i - 1] as number));
      assert.ok(
        ascending && (seen[0] as number) > 0,
        `partition ${partition} had the epochs ${seen.join(', ')}`,
      );
    }
  },

  'E2: a stop aborts the runs, and waits for them': async (world) => {
    const stop = new AbortController();
    const started = Promise.withResolvers<void>();
    const mayEnd = Promise.withResolvers<void>();
    let running = 0;
    let resolved = false;
    const held = world
      .node()
      .hold(
        PARTITIONS,
        async (_partition, _epoch, signal) => {
          if (++running === PARTITIONS) started.resolve();
          await aborted(signal);
          await mayEnd.promise;
          running--;
        },
        stop.signal,
      )
      .then(() => {
        resolved = true;
      });
    await started.promise;
    stop.abort();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(resolved, false);
    mayEnd.resolve();
    await held;
    assert.equal(running, 0);
  },

  'a node that was stopped before it began holds nothing': async (world) => {
    let ran = false;
    await world.node().hold(
      PARTITIONS,
      async () => {
        ran = true;
      },
      AbortSignal.abort(),
    );
    assert.equal(ran, false);
  },

  'a bug in one run ends all of them and comes out of hold': async (world) => {
    const node = world.node();
    const all = Promise.withResolvers<void>();
    let started = 0;
    let ended = 0;
    const held = node.hold(
      PARTITIONS,
      async (partition, _epoch, signal) => {
        if (++started === PARTITIONS) all.resolve();
        await all.promise;
        if (partition === 2) throw new TypeError('a bug');
        await aborted(signal);
        ended++;
      },
      new AbortController().signal,
    );
    await assert.rejects(held, /a bug/);
    assert.equal(ended, PARTITIONS - 1);
  },
};

async function epochsOfOneStart(world: LeasesStore): Promise<number[]> {
  const stop = new AbortController();
  const epochs: number[] = [];
  let running = 0;
  await world.node().hold(
    PARTITIONS,
    async (partition, epoch, signal) => {
      epochs[partition] = epoch;
      if (++running === PARTITIONS) stop.abort();
      await aborted(signal);
    },
    stop.signal,
  );
  return epochs;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
