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
 * Watches the outcomes of appends. After a refused one, a small write checks whether the fault persists: a node that is not
 * ready gets no records, so no append would show it.
 */
export function watchAppends(log: RecordLog, registry: Registry): AppendHealth {
  let refused: string | undefined;
  return {
    log: {
      ...log,
      append: async (blocks, options) => {
        const outcome = await log.append(blocks, options);
        refused = outcome.type === 'unavailable' ? outcome.cause : undefined;
        return outcome;
      },
    },
    fault: async () => {
      if (refused === undefined) return undefined;
      const outcome = await registry.put(PROBE_KEY, {});
      if (outcome.type === 'stored') refused = undefined;
      else if (outcome.type === 'unavailable') refused = outcome.cause;
      return refused;
    },
  };
}
