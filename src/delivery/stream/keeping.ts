import { hourOf } from './hours.ts';
import type { State, Step } from './state.ts';

/** H2 of hours.ts: closed hours move from the progress to documents of their own. */

/**
 * A block that was stored just before the end of an hour may come a moment after it, and clocks of nodes differ, ms. Longer only
 * keeps a row in the progress for longer.
 */
const LATE_MS = 5 * 60_000;
/** The pause after the hours could not be stored, ms. */
const PAUSE_MS = 60_000;

/** Asks for closed hours to be stored. The last hour stays, closed or not: an idle stream has nothing to store. */
export function keepHours(state: State, step: Step): void {
  const { progress, ahead, ledger, phase, keeping, keepAfter, counting } = state;
  const { hours } = progress;
  if (!hours || hours.size < 2 || keeping || phase === 'stopping' || step.at.monotonic < keepAfter) return;
  // While the records ahead are an estimate, it is unknown which hours have records without a fate.
  if (!ahead.exact || counting) return;
  const { believed } = step.at;
  const last = hourOf(believed - LATE_MS);
  const before = Math.min(last, ahead.counts.first, hourOf(Math.min(ledger.firstArrival, believed)));
  const closed = hours.toDocument(before);
  if (closed.length === 0) return;
  state.keeping = true;
  step.effects.push({ type: 'keep_hours', before, hours: closed });
}

export function hoursKept(state: State, step: Step, before: number, kept: boolean): void {
  state.keeping = false;
  if (!kept) {
    state.keepAfter = step.at.monotonic + PAUSE_MS;
    return;
  }
  state.progress.hours?.close(before);
  state.dirty = true;
}
