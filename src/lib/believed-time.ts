import type { Clock } from './clock.ts';

/**
 * Times derived from a wall clock that may be wrong for a while. A machine's clock may be set years ahead by mistake,
 * or be behind when the machine wakes up; usually it is corrected within minutes. Irreversible actions must not
 * depend on it meanwhile.
 *
 * `steady`: goes on as the monotonic clock does, and follows the wall clock in small steps. A leap, in either direction, is
 * believed when it has lasted. The clock as it is at the beginning is believed at once.
 *
 * All times are ms since the epoch.
 */
type Readable = Pick<Clock, 'now' | 'monotonic'>;

/** A clock that is corrected in steps, or drifts, is off by less. */
const LEAP_MS = 60_000;
/** How long a leap must last, ms by the monotonic clock. Most wrong clocks are corrected before. */
export const LEAP_LASTS_MS = 3_600_000;

interface Reading {
  readonly wall: number;
  readonly at: number;
}

/** For deleting old things: never ahead of the wall clock, nor of the steady clock. */
export function createBelievedTime(clock: Readable, lastingMs = LEAP_LASTS_MS): () => number {
  const steady = createSteadyTime(clock, lastingMs);
  return () => Math.min(clock.now(), steady());
}

/** For new arrivals: never behind, so that they do not look old. */
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
