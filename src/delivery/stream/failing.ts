import type { Cause } from '../../destinations/contract.ts';
import { afterFailure, type Failure, platformPause } from './retry.ts';
import type { State, Step } from './state.ts';
import { type Ending, toError } from './trial.ts';

/** The cause decides the next step: see the table of docs/architecture.md. */

/** The destination as a whole did not take a request: it is tried again after a pause, or the stream goes to Error. */
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

/**
 * simstream's own fault, or its operator's: never charged to the stream, reported to customer and operator, tried
 * again with growing pauses.
 */
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

/** Puts the stream into Error: a user restarts it, or a trial succeeds. */
export function giveUp(state: State, step: Step, cause: Cause, ending: Ending = {}): void {
  const { progress } = state;
  if (state.phase !== 'running') return;
  forgive(state);
  progress.lastError = { code: cause.code, message: cause.message, at: step.at.now };
  toError(state, step, cause, ending);
}

/** A new beginning: failures are forgotten, and no pause is left. */
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
 * No record waits any more, because of a filter or the retention: the stream does not retry, and its status does not
 * say so. The failure continues with the next record that the destination does not accept; the time without records
 * does not count.
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

/** M1: every pause ends now. */
export function endWaiting(state: State): void {
  state.waitUntil = 0;
  state.again = state.again.map((entry) => (entry.notBefore > 0 ? { ...entry, notBefore: 0 } : entry));
}

/**
 * Waiting records hold no memory: a thousand hanging destinations cost nothing. Takes effect when the event is
 * handled.
 */
export function letGo(state: State): void {
  state.lettingGo = true;
}
