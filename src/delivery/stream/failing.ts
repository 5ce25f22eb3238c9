import type { Cause } from '../../destinations/contract.ts';
import { afterFailure, type Failure, platformPause } from './retry.ts';
import type { State, Step } from './state.ts';
import { type Ending, toError } from './trial.ts';

/** Whose fault it is decides what follows: see the table of docs/architecture.md. */

/** The destination as a whole did not take a request: it is tried again after a pause, or left to a person. */
export function fail(state: State, step: Step, cause: Cause, failure: Failure): void {
  const { progress, settings } = state;
  progress.lastError = { code: cause.code, message: cause.message, at: step.at.now };
  state.dirty = true;
  if (state.phase !== 'running') return;
  if (state.trial) {
    giveUp(state, step, cause, { atLeastMs: failure.atLeastMs });
    return;
  }
  const next = afterFailure(settings.retry, state.run, step.at, failure);
  if (next.type === 'give_up') {
    giveUp(state, step, cause);
    return;
  }
  state.run = next.run;
  const { since, tries, spentMs } = next.run;
  progress.retrying = { since, tries, cause: cause.message, spentMs, nextAt: step.at.now + next.delayMs };
  state.waitUntil = step.at.monotonic + next.delayMs;
  letGo(state);
}

/** simstream's own fault, or its operator's: never charged to the stream, told to both, tried again with growing pauses. */
export function trouble(state: State, step: Step, cause: Cause): void {
  const tries = state.trouble?.tries ?? 0;
  state.trouble = { since: state.trouble?.since ?? step.at.now, tries: tries + 1, cause };
  state.progress.lastError = { code: cause.code, message: cause.message, at: step.at.now };
  state.dirty = true;
  const detail = cause.detail ? ` ${cause.detail}` : '';
  step.effects.push({ type: 'fault', message: `${cause.code}: ${cause.message}${detail}` });
  if (state.phase !== 'running') return;
  if (state.trial) {
    forgive(state);
    const message = state.progress.trial?.cause ?? cause.message;
    toError(state, step, { ...cause, message }, { uncounted: true });
    return;
  }
  state.waitUntil = Math.max(state.waitUntil, step.at.monotonic + platformPause(tries, step.at.random));
  letGo(state);
}

/** Leaves the stream to a person, and to its trials. */
export function giveUp(state: State, step: Step, cause: Cause, ending: Ending = {}): void {
  const { progress } = state;
  if (state.phase !== 'running') return;
  forgive(state);
  progress.lastError = { code: cause.code, message: cause.message, at: step.at.now };
  toError(state, step, cause, ending);
}

/** A new beginning: failures are forgotten, and nothing waits. */
export function forgive(state: State): void {
  state.run = undefined;
  state.probed = false;
  state.refusing = undefined;
  state.trouble = undefined;
  state.rejectedInRow = 0;
  state.progress.retrying = null;
  state.waitUntil = 0;
  state.again = state.again.map((entry) => ({ ...entry, notBefore: 0, run: undefined }));
}

/**
 * Nothing waits any more, by a filter or the retention: nothing is tried again, and people do not read that it is. A failure
 * goes on with the next record that the destination does not take; the time without records is not charged to it.
 */
export function nothingToTry(state: State): void {
  const { run, progress } = state;
  if (run?.lastAt !== undefined) state.run = { ...run, lastAt: undefined };
  state.refusing = undefined;
  state.trouble = undefined;
  if (progress.retrying === null) return;
  progress.retrying = null;
  state.dirty = true;
}

/** M1: whatever is waited for is tried now. */
export function endWaiting(state: State): void {
  state.waitUntil = 0;
  state.again = state.again.map((entry) => (entry.notBefore > 0 ? { ...entry, notBefore: 0 } : entry));
}

/** What has to wait holds no memory: a thousand destinations that hang cost nothing. Takes effect when the event is handled. */
export function letGo(state: State): void {
  state.lettingGo = true;
}
