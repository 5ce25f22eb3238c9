import { StoreUnavailable } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { WriteOutcome } from '../registry/registry.ts';

/** Longer than a NATS cluster takes to restart; then a person should look. */
const PATIENCE_MS = 120_000;
const PAUSE_MS = 1_000;

/**
 * Asks again while a store does not answer, until the patience is over or the caller stops it.
 * @throws StoreUnavailable when no answer came in time; other errors of `work`
 */
export type Patience = <T>(work: () => Promise<T>) => Promise<T>;

export function patience(clock: Clock, signal: AbortSignal, waiting: (cause: string) => void): Patience {
  return async (work) => {
    const deadline = clock.monotonic() + PATIENCE_MS;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        if (signal.aborted || clock.monotonic() >= deadline) throw error;
        waiting(error.message);
        await clock.sleep(PAUSE_MS, signal).catch(() => undefined);
      }
    }
  };
}

/** @throws StoreUnavailable when it was not stored; Error when somebody else wrote the document */
export function requireStored(outcome: WriteOutcome, key: string): void {
  if (outcome.type === 'unavailable') throw new StoreUnavailable(outcome.cause);
  if (outcome.type === 'conflict') {
    throw new Error(
      `the document ${key} was changed by another program: stop every node and every other migration`,
    );
  }
}
