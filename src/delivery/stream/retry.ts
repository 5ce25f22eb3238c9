import { type Backoff, backoffDelay } from '../../lib/backoff.ts';
import type { Random } from '../../lib/clock.ts';

/**
 * When a failed delivery is tried again, and when a stream is given up to a person. The table is in
 * docs/architecture.md; domain facts: emnify retries with growing pauses and then goes to Error.
 */
export interface RetryPolicy {
  /** Unbroken failure after which a stream goes to Error, ms. */
  readonly retryWindowMs: number;
  /** The same for what a person must mend (401, 403, 404 …): short, because waiting seldom helps. */
  readonly refusedWindowMs: number;
  readonly backoff: Backoff;
}

export const DEFAULT_RETRY: RetryPolicy = {
  retryWindowMs: 24 * 3_600_000,
  refusedWindowMs: 10 * 60_000,
  backoff: { base: 1_000, cap: 5 * 60_000 },
};

/** A run of failures without a success between them. Times in ms since the epoch. */
export interface FailureRun {
  readonly since: number;
  readonly tries: number;
  /** Since when every answer was a refusal; undefined when the last one was not. */
  readonly refusedSince: number | undefined;
}

export type NextStep =
  | { readonly type: 'wait'; readonly run: FailureRun; readonly delayMs: number }
  | { readonly type: 'give_up'; readonly run: FailureRun };

/**
 * What follows a failed try.
 * @param refused whether the remote said that a person must mend something
 * @param atLeastMs what the remote asked for (Retry-After)
 */
export function afterFailure(
  policy: RetryPolicy,
  before: FailureRun | undefined,
  now: number,
  random: Random,
  refused: boolean,
  atLeastMs = 0,
): NextStep {
  const run: FailureRun = {
    since: before?.since ?? now,
    tries: (before?.tries ?? 0) + 1,
    refusedSince: refused ? (before?.refusedSince ?? now) : undefined,
  };
  const refusedTooLong = run.refusedSince !== undefined && now - run.refusedSince >= policy.refusedWindowMs;
  if (refusedTooLong || now - run.since >= policy.retryWindowMs) return { type: 'give_up', run };
  if (refused) {
    // A few tries spread over the window: the ceiling grows to a third of it, and the last try falls at its end.
    const left = policy.refusedWindowMs - (now - (run.refusedSince as number));
    const step = Math.min(policy.backoff.base * 4 ** run.tries, policy.refusedWindowMs / 3);
    return { type: 'wait', run, delayMs: Math.max(atLeastMs, Math.min(step, left)) };
  }
  return { type: 'wait', run, delayMs: backoffDelay(policy.backoff, run.tries - 1, random, atLeastMs) };
}
