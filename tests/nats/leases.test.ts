import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createSharedLeases } from '../../src/leases/shared.ts';
import type { LeaseTiming } from '../../src/leases/timing.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { systemClock, systemRandom } from '../../src/lib/system-clock.ts';
import { createNatsRegistry } from '../../src/registry/nats.ts';
import { type Nats, openNats } from '../../src/storage/nats.ts';
import { type NatsServers, natsMissing, startNats } from '../support/nats-server.ts';
import { waitFor } from '../support/wait-for.ts';

const skip = natsMissing() ?? false;
const PARTITIONS = 16;

interface TestNode {
  readonly nats: Nats;
  readonly held: Map<number, AbortSignal>;
  readonly ended: Promise<void>;
  stop(): void;
  /** The process is gone: no timer of it fires any more, and its connection ends. */
  crash(): Promise<void>;
}

describe('leases on NATS', { skip }, () => {
  let servers: NatsServers;
  const nodes: TestNode[] = [];
  /** Epochs of each partition in the order of their runs, whichever node they were on. */
  const epochs: number[][] = Array.from({ length: PARTITIONS }, () => []);

  before(async () => {
    servers = await startNats();
  });
  after(async () => {
    for (const node of nodes) {
      node.stop();
      if (node.held.size > 0) await node.ended;
      await node.crash();
    }
    await servers.dispose();
  });

  async function start(name: string, timing: Partial<LeaseTiming> = {}): Promise<TestNode> {
    const nats = await openNats({ servers: servers.urls, replicas: 1, clock: systemClock });
    const stop = new AbortController();
    const held = new Map<number, AbortSignal>();
    const gone = new AbortController();
    const clock: Clock = {
      ...systemClock,
      after: (milliseconds, run) => systemClock.after(milliseconds, () => gone.signal.aborted || run()),
    };
    const store = await createNatsRegistry(nats, { prefix: 'test-leases' });
    const leases = createSharedLeases({
      store: {
        ...store,
        watch: (prefix, onChange, signal) =>
          store.watch(prefix, onChange, AbortSignal.any([signal, gone.signal])),
      },
      lastEpoch: async () => 0,
      answers: async () => undefined,
      clock,
      random: systemRandom,
      node: { name, version: '1' },
      timing,
      storageGone: () => nats.gone(),
    });
    const run = async (partition: number, epoch: number, signal: AbortSignal) => {
      epochs[partition]?.push(epoch);
      held.set(partition, signal);
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      held.delete(partition);
    };
    const node: TestNode = {
      nats,
      held,
      ended: leases.hold(PARTITIONS, run, stop.signal),
      stop: () => stop.abort(),
      crash: async () => {
        gone.abort();
        held.clear();
        await nats.connection.close();
      },
    };
    nodes.push(node);
    return node;
  }

  const holders = (partition: number) => nodes.filter(({ held }) => held.get(partition)?.aborted === false);
  const allHeld = () => epochs.every((_, partition) => holders(partition).length === 1);
  const shares = () => nodes.map(({ held }) => held.size);

  /** Waits until every partition has its holder and `check` holds; prints and gives the time since now. */
  async function measure(what: string, check: () => boolean): Promise<number> {
    const from = systemClock.monotonic();
    await waitFor(what, () => (allHeld() && check() ? true : undefined), 20_000);
    const took = systemClock.monotonic() - from;
    console.log(`${what}: ${Math.round(took)} ms; partitions per node: ${shares().join(', ')}`);
    return took;
  }

  test('takeover times: start, join, graceful leave, crash', { timeout: 60_000 }, async () => {
    const a = await start('a');
    await measure('first node', () => a.held.size === PARTITIONS);
    const b = await start('b');
    const joined = await measure('join', () => b.held.size === PARTITIONS / 2);
    assert.ok(joined < 5_000, `${joined} ms`);
    const c = await start('c');
    await measure('second join', () => c.held.size >= 5 && b.held.size <= 6 && a.held.size <= 6);

    b.stop();
    const left = await measure('graceful leave', () => b.held.size === 0 && a.held.size === c.held.size);
    assert.ok(left < 5_000, `${left} ms`);
    await b.ended;

    await c.crash();
    const crashed = await measure('crash', () => a.held.size === PARTITIONS);
    assert.ok(crashed < 10_000, `${crashed} ms`);
    for (const seen of epochs)
      assert.deepEqual(
        seen,
        [...new Set(seen)].toSorted((x, y) => x - y),
        'epochs grow',
      );
  });

  test('NATS away for longer than a lease: the runs go on and are the same afterwards', async () => {
    for (const node of nodes) node.stop();
    await nodes[0]?.ended;
    const short = { heartbeatMs: 300, holdMs: 1_000, lostMs: 4_000 };
    const d = await start('d', short);
    await measure('start after all have left', () => d.held.size === PARTITIONS);
    const before = [...d.held.values()];
    await servers.kill(0);
    // Nothing is to happen in twice the time of a lease, and the servers and nodes of this test have real clocks.
    await systemClock.sleep(2 * short.holdMs);
    assert.ok(before.every(({ aborted }) => !aborted));
    await servers.restart(0);
    const e = await start('e', short);
    await measure('join after NATS was away', () => e.held.size === PARTITIONS / 2);
    assert.ok([...d.held.values()].every((signal) => before.includes(signal)));
  });
});
