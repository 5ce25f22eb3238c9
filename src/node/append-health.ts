import type { RecordLog } from '../log/log.ts';
import type { Registry } from '../registry/registry.ts';

/** Whether records can be stored, for /readyz: a node that refuses all records must not be given any. */
export interface AppendHealth {
  readonly log: RecordLog;
  /** Why records cannot be stored; undefined if no fault is known. */
  fault(): Promise<string | undefined>;
}

/** A document that is written only to see whether writing works. */
const PROBE_KEY = 'readiness';

/**
 * The check writes no more than this, bytes: every storage takes such a document. Less room than that is left for requests
 * that are larger, and those are refused.
 */
const MOST_PROBED = 256 * 2 ** 10;

/**
 * Watches the outcomes of appends. After a refused one, a write of the same size checks whether the fault persists: a node
 * that is not ready gets no records, so no append would show it; and a full disk often has room for something small.
 */
export function watchAppends(log: RecordLog, registry: Registry): AppendHealth {
  let refused: { readonly cause: string; readonly bytes: number } | undefined;
  return {
    log: {
      ...log,
      append: async (blocks, options) => {
        const outcome = await log.append(blocks, options);
        const bytes = blocks.reduce((sum, block) => sum + block.bytes.length, 0);
        if (outcome.type === 'unavailable') refused = { cause: outcome.cause, bytes };
        // A smaller request may have found the last room.
        else if (bytes >= (refused?.bytes ?? 0)) refused = undefined;
        return outcome;
      },
    },
    fault: async () => {
      if (refused === undefined) return undefined;
      const { bytes } = refused;
      if (log.probe) {
        const cause = await log.probe(Math.min(bytes, MOST_PROBED));
        refused = cause === undefined ? undefined : { cause, bytes };
        return cause;
      }
      const outcome = await registry.put(PROBE_KEY, { filler: 'x'.repeat(Math.min(bytes, MOST_PROBED)) });
      if (outcome.type === 'unavailable') refused = { cause: outcome.cause, bytes };
      else {
        refused = undefined;
        await registry.put(PROBE_KEY, {});
      }
      return refused?.cause;
    },
  };
}
