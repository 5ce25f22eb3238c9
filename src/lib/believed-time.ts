import type { Clock } from './clock.ts';

/**
 * What is made of a wall clock that may be wrong for a while. A machine's clock may be set years ahead by mistake, or be behind
 * when the machine wakes up, and is mostly set right within minutes. What cannot be taken back must not depend on it meanwhile.
 *
 * `steady`: goes on as the monotonic clock does, and follows the wall clock in small steps. A leap, in either direction, is
 * believed when it has lasted. The clock as it is at the beginning is believed at once.
 *
 * All times are ms since the epoch.
 */
type Readable = Pick<Clock, 'now' | 'monotonic'>;

/** A clock that is corrected in steps, or drifts, is off by less. */
const LEAP_MS = 60_000;
/** How long a leap must last, ms by the monotonic clock. A wrong clock is mostly set right before. */
export const LEAP_LASTS_MS = 3_600_000;

interface Reading {
  readonly wall: number;
  readonly at: number;
}

/** For deleting what is old: never ahead, neither of the wall clock nor of the steady one. */
export function createBelievedTime(clock: Readable, lastingMs = LEAP_LASTS_MS): () => number {
  const steady = createSteadyTime(clock, lastingMs);
  return () => Math.min(clock.now(), steady());
}

/** For what arrives now: never behind, so that it does not seem to be old already. */
export function createArrivalTime(clock: Readable, lastingMs = LEAP_LASTS_MS): () => number {
  const steady = createSteadyTime(clock, lastingMs);
  return () => {
    const wall = clock.now();
    const expected = steady();
    return expected - wall > LEAP_MS ? expected : wall;
  };
}

function createSteadyTime(clock: Readable, lastingMs: number): () => number {
  const read = (): Reading => ({ wall: clock.now(), at: clock.monotonic() });
  const onward = ({ wall, at }: Reading, until: number) => wall + (until - at);
  const goesOnFrom = (before: Reading, seen: Reading) =>
    Math.abs(seen.wall - onward(before, seen.at)) <= LEAP_MS;
  let kept = read();
  let leapt: { readonly last: Reading; readonly since: number } | undefined;
  return () => {
    const seen = read();
    const lasts = leapt !== undefined && goesOnFrom(leapt.last, seen);
    const isOver = lasts && seen.at - (leapt?.since ?? seen.at) >= lastingMs;
    if (goesOnFrom(kept, seen) || isOver) {
      kept = seen;
      leapt = undefined;
    } else leapt = { last: seen, since: lasts && leapt ? leapt.since : seen.at };
    return Math.floor(onward(kept, seen.at));
  };
}
