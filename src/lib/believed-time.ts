import type { Clock } from './clock.ts';

/** A clock that is corrected in steps, or drifts, is off by less. */
const LEAP_MS = 60_000;

/**
 * Wall time for deleting what is old, which cannot be taken back. The clock of a machine may be set days ahead by mistake, and
 * set right soon after: what is young must not be deleted meanwhile. So a leap ahead is believed only when it has
 * lasted for a while; until then time goes on from where it was. The clock as it is at the beginning, and any step back, are believed at once.
 * @param lastingMs how long a leap must last, ms by the monotonic clock
 * @returns ms since the epoch
 */
export function createBelievedTime(clock: Pick<Clock, 'now' | 'monotonic'>, lastingMs: number): () => number {
  let believed = { wall: clock.now(), at: clock.monotonic() };
  let leaptAt: number | undefined;
  return () => {
    const wall = clock.now();
    const at = clock.monotonic();
    const expected = believed.wall + (at - believed.at);
    if (wall - expected <= LEAP_MS) leaptAt = undefined;
    else {
      leaptAt ??= at;
      if (at - leaptAt < lastingMs) return Math.floor(expected);
      leaptAt = undefined;
    }
    believed = { wall, at };
    return wall;
  };
}
