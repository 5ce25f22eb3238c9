import type { Clock, Random } from '../lib/clock.ts';
import type { Wakeup } from '../lib/wakeup.ts';

/** How the loops of one node wait. Jitter keeps the nodes of an installation from writing all at once. */
export class Waits {
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  jittered(milliseconds: number): number {
    return milliseconds * (0.9 + 0.2 * this.#random.next());
  }

  /** Resolves when `wakeup` wakes, or after `milliseconds`. */
  async wait(wakeup: Wakeup, milliseconds: number): Promise<void> {
    await wakeup.waitFor(milliseconds, this.#clock);
  }
}
