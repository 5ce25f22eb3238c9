import type { Random } from './clock.ts';

export interface Backoff {
  /** The first ceiling, milliseconds; doubled with each try. */
  readonly base: number;
  readonly cap: number;
}

/**
 * Exponential backoff with full jitter: uniform between 0 and min(cap, base · 2^tries). Full jitter spreads the streams
 * that failed together; a shorter mean delay is the lesser evil than all of them coming back at once.
 * @param tries how many tries have failed before, from 0
 * @param atLeast what the remote asked for, milliseconds
 */
export function backoffDelay(
  backoff: Backoff,
  tries: number,
  random: Pick<Random, 'next'>,
  atLeast = 0,
): number {
  const ceiling = Math.min(backoff.cap, backoff.base * 2 ** Math.min(tries, 30));
  return Math.max(atLeast, Math.round(random.next() * ceiling));
}
