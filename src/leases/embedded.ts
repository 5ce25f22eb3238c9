import type { Clock } from '../lib/clock.ts';
import { ALWAYS } from '../lib/permit.ts';
import type { Registry } from '../registry/registry.ts';
import type { Leases } from './leases.ts';
import type { LeaseTelemetry, NodeDescription, Nodes } from './nodes.ts';
import { START_EPOCH, START_EPOCH_KEY } from './start-epoch.ts';

interface EmbeddedLeasesOptions {
  readonly clock: Clock;
  readonly node: NodeDescription;
  readonly telemetry?: LeaseTelemetry;
}

/**
 * Leases of a node that does not share its store: it holds every partition from start to stop. Each start has a greater
 * epoch, so that a late write of an earlier start can be distinguished from this one's (E1, E3).
 */
export function embeddedLeases(
  registry: Registry,
  options: EmbeddedLeasesOptions,
): Leases & { readonly nodes: Nodes } {
  const { telemetry } = options;
  const alone = lonelyNode(options);
  return {
    nodes: alone.nodes,
    hold: async (partitions, run, signal) => {
      if (signal.aborted) return;
      const epoch = await nextEpoch(registry);
      alone.taken(partitions, epoch);
      const stop = new AbortController();
      const ended = AbortSignal.any([signal, stop.signal]);
      const runs = Array.from({ length: partitions }, async (_, partition) => {
        telemetry?.leaseAcquired({ partition, epoch, from: 'none' });
        try {
          await run(partition, epoch, ended, ALWAYS);
        } catch (error) {
          // A bug in one partition ends the node's part in all of them: half a node must not look like a whole one.
          stop.abort(error);
          throw error;
        } finally {
          alone.ended(partition);
          telemetry?.leaseLost({ partition, epoch, reason: ended.aborted ? 'stopped' : 'ended' });
        }
      });
      // E2: the leases are released only when every run has settled, failed runs included.
      const outcomes = await Promise.allSettled(runs);
      const failed = outcomes.find((outcome) => outcome.status === 'rejected');
      if (failed) throw failed.reason;
    },
  };
}

/** The view of a node without others. */
function lonelyNode({ clock, node, telemetry }: EmbeddedLeasesOptions) {
  const listeners = new Set<() => void>();
  const started = clock.now();
  const unheld = new Set<number>();
  let held = { partitions: 0, epoch: 0, since: 0 };
  const notify = () => {
    for (const listener of [...listeners]) listener();
  };
  const nodes: Nodes = {
    snapshot: () => {
      const all = Array.from({ length: held.partitions }, (_, partition) => partition);
      const { epoch, since } = held;
      const partitions = all
        .filter((partition) => !unheld.has(partition))
        .map((partition) => ({ partition, epoch, since }));
      const self = { session: node.name, self: true, state: 'alive' as const, skewMs: 0 };
      const missing = all.filter((partition) => unheld.has(partition));
      return {
        nodes: [{ ...node, ...self, started, partitions }],
        unheld: missing,
        // No other node could take them.
        stuck: missing,
        ageMs: 0,
        quorum: true,
        faults: missing.map((partition) => `the run of partition ${partition} has ended`),
      };
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return {
    nodes,
    taken: (partitions: number, epoch: number) => {
      unheld.clear();
      held = { partitions, epoch, since: clock.now() };
      telemetry?.nodesCounted({ alive: 1 });
      notify();
    },
    ended: (partition: number) => {
      unheld.add(partition);
      notify();
    },
  };
}

/** Only this process writes to the store; the expected revision still catches two holders within it. */
async function nextEpoch(registry: Registry): Promise<number> {
  for (;;) {
    const stored = await START_EPOCH.get(registry, START_EPOCH_KEY);
    const epoch = (stored?.document.epoch ?? 0) + 1;
    const outcome = await START_EPOCH.put(registry, START_EPOCH_KEY, { epoch }, stored?.revision ?? 0);
    if (outcome.type === 'stored') return epoch;
    if (outcome.type === 'unavailable')
      throw new Error(`the epoch of this start cannot be stored: ${outcome.cause}`);
  }
}
