import type { Random } from '../../src/lib/clock.ts';
import { seededRandom } from '../../src/lib/manual-clock.fixture.ts';

/** A repeatable source of chance with the questions that a simulation asks. */
export class Chance implements Random {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    // Neighbouring seeds begin alike: their first numbers are left out.
    for (let i = 0; i < 4; i++) this.#random.next();
  }

  next(): number {
    return this.#random.next();
  }

  bytes(length: number): Uint8Array {
    return this.#random.bytes(length);
  }

  happens(probability: number): boolean {
    return this.next() < probability;
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** Mostly small, seldom near `most`: sizes and times of real systems are like that. */
  skewed(most: number): number {
    return Math.ceil(this.next() ** 3 * most);
  }

  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new Error('there is nothing to pick from');
    return from[Math.floor(this.next() * from.length)] as T;
  }

  /** Another source, which does not move this one any further however much it is asked. */
  fork(): Chance {
    return new Chance(Math.floor(this.next() * 2 ** 32));
  }
}
