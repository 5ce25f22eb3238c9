import type { Outcome, RecordFailure } from './contract.ts';

/** A record that is to be sent again because a request with it failed. @param index within the batch */
export function recordAgain(
  index: number,
  failure: Exclude<Outcome, { type: 'delivered' | 'partial' }>,
): RecordFailure {
  const { cause } = failure;
  const throttled = 'throttled' in failure && failure.throttled;
  return { index, verdict: 'retry', cause, ...(throttled ? { throttled } : {}) };
}
