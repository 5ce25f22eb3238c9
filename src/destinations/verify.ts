import type { Outcome, Verdict } from './contract.ts';

/**
 * The verdict of a check that ended with this outcome. A throttle proves that the address and the
 * credentials are right, because a service throttles only known callers. So a throttle does not prevent the creation of a stream.
 * @param outcome the failure of the check's call; undefined: it succeeded
 */
export function verdictOf(outcome: Exclude<Outcome, { type: 'partial' }> | undefined): Verdict {
  if (!outcome || outcome.type === 'delivered') return { type: 'reachable' };
  if (outcome.type === 'retry' && outcome.throttled) return { type: 'reachable' };
  return { type: 'failed', cause: outcome.cause };
}
