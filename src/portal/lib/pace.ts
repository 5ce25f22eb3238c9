/**
 * How much more slowly than usual the page refreshes its data. Each 429 doubles it; a while without one halves it.
 * Several reads are refused at the same moment: together they count once.
 */
export interface Pace {
  /** The node refused a call because of its limit. */
  refused(): void;
  /** The factor of every interval: 1, 2, 4 … */
  factor(): number;
}

/** Slower than this a view of two seconds would be read once in half a minute: more would look as if it stood still. */
const SLOWEST = 16;
const SAME_MOMENT = 1000;
const RECOVERY = 30_000;

/** @param now milliseconds of a clock that never goes back */
export function createPace(now: () => number): Pace {
  let slowed = 1;
  let at = Number.NEGATIVE_INFINITY;
  const factor = () => Math.max(1, slowed / 2 ** Math.floor((now() - at) / RECOVERY));
  return {
    refused: () => {
      if (now() - at < SAME_MOMENT) return;
      slowed = Math.min(SLOWEST, factor() * 2);
      at = now();
    },
    factor,
  };
}

/** Of the calls of this page. */
export const pace = createPace(() => performance.now());
