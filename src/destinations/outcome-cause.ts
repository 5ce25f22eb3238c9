import type { Cause, Outcome } from './contract.ts';

/** Why not everything was delivered: of a partial delivery the cause of the first failure; undefined after `delivered`. */
export function causeOf(outcome: Outcome): Cause | undefined {
  if ('cause' in outcome) return outcome.cause;
  return outcome.type === 'partial' ? outcome.failures[0]?.cause : undefined;
}
