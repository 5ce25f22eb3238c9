import { type Registry, registryKey } from '../registry/registry.ts';
import type { Leases } from './leases.ts';

/** `lease.epoch`: `{epoch}`, the epoch of the latest start. */
const EPOCH_KEY = registryKey('lease', 'epoch');

/**
 * The leases of a node that has its store to itself: it holds every partition from start to stop. Each start has an
 * epoch greater by one, so that what an earlier start left under way can be told from what this one does (E1, E3).
 */
export function embeddedLeases(registry: Registry): Leases {
  return {
    hold: async (partitions, run, signal) => {
      if (signal.aborted) return;
      const epoch = await nextEpoch(registry);
      const stop = new AbortController();
      const ended = AbortSignal.any([signal, stop.signal]);
      const runs = Array.from({ length: partitions }, async (_, partition) => {
        try {
          await run(partition, epoch, ended);
        } catch (error) {
          // A bug in one partition ends the node's part in all of them: half a node must not look like a whole one.
          stop.abort(error);
          throw error;
        }
      });
      // E2: given up only when every run has settled, the failed ones included.
      const outcomes = await Promise.allSettled(runs);
      const failed = outcomes.find((outcome) => outcome.status === 'rejected');
      if (failed) throw failed.reason;
    },
  };
}

/** Only this process writes to the store; the expected revision still catches two holders within it. */
async function nextEpoch(registry: Registry): Promise<number> {
  for (;;) {
    const entry = await registry.get(EPOCH_KEY);
    const epoch = ((entry?.value as { epoch: number } | undefined)?.epoch ?? 0) + 1;
    const outcome = await registry.put(EPOCH_KEY, { epoch }, entry?.revision ?? 0);
    if (outcome.type === 'stored') return epoch;
    if (outcome.type === 'unavailable')
      throw new Error(`the epoch of this start cannot be stored: ${outcome.cause}`);
  }
}
