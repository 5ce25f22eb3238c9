import type { Cause } from '../../destinations/contract.ts';
import { slotsIn } from './entries.ts';
import { giveUp } from './failing.ts';
import { backAgain } from './fates.ts';
import { afterFailure } from './retry.ts';
import { type Request, type State, type Step, slotsOf } from './state.ts';

/** Failures of some keys: the lanes of these records wait, the others go on. */

/**
 * Whether a request that was throttled as a whole holds up its own lanes alone. If the next one is throttled as well,
 * with no record accepted since, the destination as a whole gets too many requests: finding this out costs one
 * request, and not one for each lane.
 * @param old it was sent before the stream was limited to fewer requests at a time, which already answers it
 */
export function mayBeOfItsLanes(state: State, { entry }: Request, old: boolean): boolean {
  if (slotsOf(state) === 1 || state.trial || state.phase !== 'running') return false;
  // Only its lanes waited before, and they still do.
  if (entry.run || old) return true;
  if (state.throttledAt === state.successes) return false;
  state.throttledAt = state.successes;
  return true;
}

/** The lanes of these records wait, the others go on. */
export function holdUpLanes(state: State, step: Step, part: Request, cause: Cause, afterMs: number): void {
  const { chunk, run } = part.entry;
  const failure = { refused: false, atLeastMs: afterMs, smaller: false };
  const next = afterFailure(state.settings.retry, run, step.at, failure);
  state.progress.lastError = { code: cause.code, message: cause.message, at: step.at.now };
  if (next.type === 'give_up') {
    backAgain(state, step, part);
    giveUp(state, step, cause);
    return;
  }
  for (const slot of slotsIn(chunk)) state.window.park(slot);
  backAgain(state, step, part, { run: next.run, notBefore: step.at.monotonic + next.delayMs });
}
