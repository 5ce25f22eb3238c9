import type { Outcome, Verdict } from './contract.ts';

/**
 * The verdict of a check that ended with this outcome. A throttle proves that the way is good: a service throttles only
 * callers that it knows. So a passing throttle must not keep a customer from creating a stream.
 * @param outcome what the check's call came to; undefined: it succeeded
 */
export function verdictOf(outcome: Exclude<Outcome, { type: 'partial' }> | undefined): Verdict {
  if (!outcome || outcome.type === 'delivered') return { type: 'reachable' };
  if (outcome.type === 'retry' && outcome.throttled) return { type: 'reachable' };
  return { type: 'failed', cause: outcome.cause };
}
