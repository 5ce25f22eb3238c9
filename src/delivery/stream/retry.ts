import { type Backoff, backoffDelay } from '../../lib/backoff.ts';

/**
 * When a failed delivery is tried again, and when a stream goes to Error. The table is in
 * docs/architecture.md; domain facts: emnify retries with growing pauses and then goes to Error.
 */
export interface RetryPolicy {
  /** Unbroken failure after which a stream goes to Error, ms. Only time with tries counts. */
  readonly retryWindowMs: number;
  /** The same for faults that a person must fix (401, 403, 404 …): short, because waiting seldom helps. */
  readonly refusedWindowMs: number;
  readonly backoff: Backoff;
}

export const DEFAULT_RETRY: RetryPolicy = {
  retryWindowMs: 24 * 3_600_000,
  refusedWindowMs: 10 * 60_000,
  backoff: { base: 1_000, cap: 5 * 60_000 },
};

/** A smaller request is a new try: it comes soon, ms. */
const SMALLER_PAUSE_MS = 5_000;
/** simstream's own faults: tried often enough to go on soon after the operator's fix, seldom enough to cost nothing, ms. */
const PLATFORM: Backoff = { base: 1_000, cap: 60_000 };
/** A record that was refused alone is tried again after pauses up to this, ms. */
const LOOK: Backoff = { base: 2_000, cap: 30_000 };
/**
 * A destination that refuses everything is believed after this long, ms: a rollout that answers 400 for a minute costs
 * nothing but time. Longer only keeps a stream with one record that can never be taken waiting.
 */
export const SECOND_LOOK_MS = 120_000;

/** A run of failures without a success between them. */
export interface FailureRun {
  /** For people, ms since the epoch. */
  readonly since: number;
  readonly tries: number;
  /** How long it was tried, ms: a node that was off, or a clock that was set, adds nothing. */
  readonly spentMs: number;
  /** The same, since when every answer was a refusal; undefined when the last one was not. */
  readonly refusedMs: number | undefined;
  /** Monotonic time of the last failure; undefined: another process saw it. */
  readonly lastAt: number | undefined;
}

type NextStep =
  | { readonly type: 'wait'; readonly run: FailureRun; readonly delayMs: number }
  | { readonly type: 'give_up'; readonly run: FailureRun };

export interface Failure {
  /** Whether the answer means that a person must change something. */
  readonly refused: boolean;
  /** The pause that the remote asked for (Retry-After), ms. */
  readonly atLeastMs: number;
  /** Whether the next request is smaller: then it is too early to give up. */
  readonly smaller: boolean;
}

/** The step after a failed try. `random` is uniform in [0, 1). */
export function afterFailure(
  policy: RetryPolicy,
  before: FailureRun | undefined,
  at: { readonly now: number; readonly monotonic: number; readonly random: number },
  failure: Failure,
): NextStep {
  const passed = before?.lastAt === undefined ? 0 : at.monotonic - before.lastAt;
  const refusedBefore = before?.refusedMs;
  const run: FailureRun = {
    since: before?.since ?? at.now,
    tries: (before?.tries ?? 0) + 1,
    spentMs: (before?.spentMs ?? 0) + passed,
    refusedMs: !failure.refused ? undefined : refusedBefore === undefined ? 0 : refusedBefore + passed,
    lastAt: at.monotonic,
  };
  const refusedTooLong = run.refusedMs !== undefined && run.refusedMs >= policy.refusedWindowMs;
  if (!failure.smaller && (refusedTooLong || run.spentMs >= policy.retryWindowMs))
    return { type: 'give_up', run };
  const delayMs = Math.max(failure.atLeastMs, pause(policy, run, at.random, failure.smaller));
  return { type: 'wait', run, delayMs };
}

function pause(policy: RetryPolicy, run: FailureRun, random: number, smaller: boolean): number {
  const usual = () => backoffDelay(policy.backoff, run.tries - 1, { next: () => random });
  if (run.refusedMs === undefined) return smaller ? Math.min(usual(), SMALLER_PAUSE_MS) : usual();
  // A few tries spread over the window: the ceiling grows to a third of it, and the last try falls at its end.
  const left = policy.refusedWindowMs - run.refusedMs;
  const step = Math.min(policy.backoff.base * 4 ** Math.min(run.tries, 15), policy.refusedWindowMs / 3);
  return smaller ? Math.min(step, SMALLER_PAUSE_MS) : Math.max(0, Math.min(step, left));
}

/**
 * The pause before a part of simstream itself is tried again.
 * @param tries that failed before, from 0
 */
export function platformPause(tries: number, random: number): number {
  // At least half: streams of one node that all wait for the same part must not spin.
  const ceiling = backoffDelay(PLATFORM, tries, { next: () => 1 });
  return Math.round(ceiling * (0.5 + random / 2));
}

/** How long a stream in Error waits before it tries by itself, ms: often enough to be back soon, seldom enough to bother nobody. */
const TRIAL: Backoff = { base: 60_000, cap: 3_600_000 };

/** @param tries trials that failed before, from 0 */
export function trialPause(tries: number, random: number): number {
  // A tenth apart: the streams of a destination that comes back must not all try in the same moment.
  return Math.round(backoffDelay(TRIAL, tries, { next: () => 1 }) * (0.9 + random / 10));
}

/**
 * The pause before a record that was refused alone is tried again.
 * @param looks earlier tries, from 0
 */
export function lookPause(looks: number, random: number): number {
  const ceiling = backoffDelay(LOOK, looks, { next: () => 1 });
  return Math.round(ceiling * (0.5 + random / 2));
}
