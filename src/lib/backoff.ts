import type { Random } from './clock.ts';

export interface Backoff {
  /** The first ceiling, milliseconds; doubled with each try. */
  readonly base: number;
  readonly cap: number;
}

/**
 * Exponential backoff with full jitter: uniform between 0 and min(cap, base · 2^tries). Full jitter spreads streams that
 * failed together. It lowers the mean delay, but that is better than all of them retrying at the same time.
 * @param tries how many tries have failed so far, from 0
 * @param atLeast the delay that the remote asked for, milliseconds
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
