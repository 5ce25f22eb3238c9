import type { Cause, Outcome } from './contract.ts';

/** The cause of an outcome; the cause of the first failure of a partial delivery; undefined after `delivered`. */
export function causeOf(outcome: Outcome): Cause | undefined {
  if ('cause' in outcome) return outcome.cause;
  return outcome.type === 'partial' ? outcome.failures[0]?.cause : undefined;
}
