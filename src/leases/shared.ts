import type { Clock, Random } from '../lib/clock.ts';
import type { Registry } from '../registry/registry.ts';
import { boundedStore } from './bounded-store.ts';
import type { ClusterClock } from './cluster-clock.ts';
import type { Leases } from './leases.ts';
import type { LeaseTelemetry, NodeDescription, Nodes, NodesSnapshot } from './nodes.ts';
import { Participation } from './participation.ts';
import { LEASE_TIMING, type LeaseTiming } from './timing.ts';

interface SharedLeasesOptions {
  /** A registry that holds only leases and nodes: a heartbeat wakes every watcher. */
  readonly store: Registry;
  /**
   * The greatest epoch under which any document of a partition was ever written; 0 if there is none. New epochs continue
   * from it, even when the store of the leases is new.
   * @throws StoreUnavailable
   */
  lastEpoch(partition: number): Promise<number>;
  /**
   * Reads a part of everything that the run of a partition reads: while these reads are slow, a run that does not end
   * is not stuck.
   * @throws StoreUnavailable
   */
  answers(partition: number): Promise<unknown>;
  readonly clock: Clock;
  /** Learns from the heartbeats of others. */
  readonly shared?: ClusterClock;
  readonly random: Random;
  readonly node: NodeDescription;
  readonly telemetry?: LeaseTelemetry;
  readonly timing?: Partial<LeaseTiming>;
  /** Whether the whole storage is down, so that no node can use it; false if that is not certain. */
  readonly storageGone?: () => Promise<boolean>;
  /**
   * Resolves when this node knows all changes of users up to the call, and ends in any case. The node calls it after
   * each silence, before it sends again.
   * @throws StoreUnavailable
   */
  readonly caughtUp?: () => Promise<void>;
}

/**
 * Leases of many nodes in a registry that they share. A node is alive while its heartbeats arrive, and its leases are
 * valid while it is alive. So one heartbeat a second renews all of its leases, however many it has.
 * See docs/decisions/2026-11-23-leases.md.
 */
export function createSharedLeases(options: SharedLeasesOptions): Leases & { readonly nodes: Nodes } {
  const listeners = new Set<() => void>();
  const context = {
    ...options,
    store: boundedStore(options.store, options.clock),
    timing: { ...LEASE_TIMING, ...options.timing },
    changed: () => {
      for (const listener of [...listeners]) listener();
    },
  };
  let snapshot = (): NodesSnapshot => ({
    nodes: [],
    unheld: [],
    stuck: [],
    ageMs: undefined,
    quorum: false,
    faults: [],
  });
  return {
    hold: async (partitions, run, signal) => {
      if (signal.aborted) return;
      const participation = new Participation(context, partitions, run, signal);
      snapshot = () => participation.snapshot();
      await participation.run();
    },
    nodes: {
      snapshot: () => snapshot(),
      subscribe: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
  };
}
