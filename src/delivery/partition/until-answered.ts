import { StoreUnavailable } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';

/** Between two tries while the storage does not answer. */
const STORE_PAUSE_MS = 1_000;

/**
 * Retries while the storage does not answer.
 * @param waiting receives the cause before each pause
 * @returns undefined when `stop` aborted
 * @throws every error of `ask` except StoreUnavailable
 */
export async function untilAnswered<T>(
  ask: () => T,
  clock: Clock,
  waiting: (cause: string) => void,
  stop: AbortSignal,
): Promise<Awaited<T> | undefined> {
  while (!stop.aborted) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      waiting(error.message);
      await clock.sleep(STORE_PAUSE_MS, stop).catch(() => undefined);
    }
  }
  return undefined;
}
