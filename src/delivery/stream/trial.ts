import type { Cause, Outcome } from '../../destinations/contract.ts';
import { trialPause } from './retry.ts';
import type { State, Step } from './state.ts';
import { enter, WORDS } from './words.ts';

/**
 * A stream in Error tries by itself where its owner wants it (`auto_restart`).
 *
 *   error   → trial    its time has come: the phase is running, and people still see Error
 *   trial   → running  the destination accepted records, or judged single records although that was not the cause of the
 *                      Error
 *   trial   → error    anything else: the next trial comes after a longer pause
 *
 *  T1  A trial sends one request with a few records. They keep their place with every result.
 *  T2  When the next trial is due is committed with the Error, so it survives restarts and moves of the partition.
 *  T3  An Error that only a person can end, such as a full quarantine, is not tried.
 */

/** Records of a trial: enough to include an acceptable one, few enough to cost a broken destination nothing. */
export const TRIAL_RECORDS = 10;
/** A clock that was set must not put a trial off for longer than this, ms. */
const LONGEST_WAIT_MS = 24 * 3_600_000;

export interface Ending {
  /** The pause that the destination asked for (Retry-After), ms. */
  readonly atLeastMs?: number;
  /** Only a person can end the Error. */
  readonly onlyPerson?: true;
  /** The destination refused records one by one. */
  readonly ofRecords?: true;
  /** The trial says nothing about the destination: the pause does not grow. */
  readonly uncounted?: true;
}

/** The stream goes to Error, or stays there after a trial. */
export function toError(state: State, step: Step, cause: Cause, ending: Ending): void {
  const { progress, trial } = state;
  const before = trial ? (progress.trial?.tries ?? 0) : -1;
  const tries = ending.uncounted ? Math.max(0, before) : before + 1;
  const { now, random } = step.at;
  const pause = Math.max(ending.atLeastMs ?? 0, trialPause(tries, random));
  progress.trial = ending.onlyPerson
    ? null
    : {
        tries,
        at: now + Math.round(pause),
        pauseMs: Math.round(pause),
        cause: cause.message,
        ...(ending.ofRecords ? { ofRecords: true } : {}),
      };
  if (trial) {
    state.trial = false;
    state.phase = 'error';
    progress.setState('error', errorMessage(state, cause.message), now, WORDS.error.actor);
    state.dirty = true;
  } else enter(state, step, 'error', errorMessage(state, cause.message));
  arm(state, step);
}

/** The wish to try by itself has changed, or the documents of a stream in Error were read. */
export function planTrials(state: State, step: Step): void {
  const { progress } = state;
  const { status } = progress;
  if (status.state !== 'error') return;
  if (progress.trial === undefined) {
    // An older version has written it.
    const cause = status.message.replace(/^Error state: /, '');
    progress.trial = { tries: 0, at: step.at.now + trialPause(0, step.at.random), cause };
  }
  if (state.trial && !state.wanted.autoRestart) {
    state.trial = false;
    state.phase = 'error';
  }
  if (state.trial) return;
  if (progress.trial) {
    progress.setState('error', errorMessage(state, progress.trial.cause), step.at.now, WORDS.error.actor);
    state.dirty ||= progress.status !== status;
  }
  arm(state, step);
}

function errorMessage({ progress, wanted }: State, cause: string): string {
  const { trial } = progress;
  if (!trial || !wanted.autoRestart) return WORDS.error.say('', cause);
  return WORDS.errorTried.say('', cause, new Date(trial.at).toISOString());
}

function arm(state: State, { at }: Step): void {
  const { trial } = state.progress;
  state.trialAt =
    trial && state.wanted.autoRestart
      ? at.monotonic + Math.min(Math.max(0, trial.at - at.now), trial.pauseMs ?? LONGEST_WAIT_MS)
      : Number.POSITIVE_INFINITY;
}

/** Begins a trial when it is due. */
export function tryNow(state: State, step: Step): void {
  const { progress } = state;
  if (state.phase !== 'error' || !progress.trial || step.at.monotonic < state.trialAt) return;
  state.phase = 'running';
  state.trial = true;
  state.trialAt = Number.POSITIVE_INFINITY;
  const message = WORDS.errorTrying.say('', progress.trial.cause);
  progress.setState('error', message, step.at.now, WORDS.errorTrying.actor);
  state.dirty = true;
}

/** T1: a record was accepted. */
export function recovered(state: State, step: Step): void {
  // If the stream is stopping, the next holder finds out.
  if (!state.trial || state.phase !== 'running') return;
  enter(state, step, 'running', WORDS.running.say(), true);
}

/**
 * Whether an answer to a trial is about records and not about the destination.
 * @param records that were sent
 */
export function judgesRecords(outcome: Outcome, records: number): boolean {
  if (outcome.type === 'rejected' || outcome.type === 'too_large') return true;
  if (outcome.type !== 'partial' || outcome.failures.length < records) return false;
  return outcome.failures.some(({ verdict }) => verdict === 'reject');
}
