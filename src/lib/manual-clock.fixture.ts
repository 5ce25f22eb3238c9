import type { Clock, Random } from './clock.ts';
import { sleepBy, Timers } from './timers.fixture.ts';

/**
 * A clock that stands still until `advance` moves it. Timers run in order of their due time. Between two timers, pending
 * promises and I/O callbacks get a turn, so that code that a timer wakes can set its own timers.
 */
export class ManualClock implements Clock {
  readonly #timers = new Timers();
  readonly #start: number;
  #jumped = 0;

  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#start = start;
  }

  now(): number {
    return this.#start + this.#timers.now + this.#jumped;
  }

  /** Sets the wall clock, as a person might; intervals are not affected. */
  jump(milliseconds: number): void {
    this.#jumped += milliseconds;
  }

  monotonic(): number {
    return this.#timers.now;
  }

  after(milliseconds: number, run: () => void): () => void {
    return this.#timers.after(milliseconds, run);
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return sleepBy((...timer) => this.after(...timer), milliseconds, signal);
  }

  /** How many timers and sleeps are waiting. */
  get waiting(): number {
    return this.#timers.waiting;
  }

  /** Advances time by `milliseconds`, runs the timers that fall due, then lets pending promises settle. */
  async advance(milliseconds: number): Promise<void> {
    await this.#timers.advanceTo(this.#timers.now + milliseconds, settle);
    await settle();
  }
}

/** How many turns of the event loop pass before time moves on: what a timer wakes reads and writes in fewer of them. */
const TURNS = 5;

/**
 * Gives promises and immediate callbacks several turns of the event loop; uses no time. It makes one promise, not one for
 * each turn: the test runner follows every promise, and simulations settle hundreds of thousands of times.
 */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    let turns = 0;
    const next = () => {
      if (++turns === TURNS) resolve();
      else setImmediate(next);
    };
    setImmediate(next);
  });
}

/** A repeatable source of randomness (mulberry32), for tests and simulation only. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    bytes: (length) => Uint8Array.from({ length }, () => Math.floor(next() * 256)),
  };
}
