import type { Clock } from '../lib/clock.ts';
import { type LeaseTiming, PAUSE_MS } from './timing.ts';

/**
 * `granted`: nobody may take this node's leases. `alone`: the time of its leases has run out, but since then the storage
 * has not answered at all, so that others most likely cannot take them either. `lost`: they may be others' by now.
 */
type Standing = 'granted' | 'alone' | 'lost';

/**
 * What a node may think of its own leases, by its own monotonic clock.
 *
 *  C1  Granted lasts `holdMs` from the moment at which a heartbeat was sent that was stored later. Others hear of it
 *      after that moment, and wait for `lostMs`, which is longer.
 *  C2  Who stood still (SIGSTOP, a suspended machine) for longer than its grant is never alone, but has lost: the others
 *      went on meanwhile.
 *  C3  Every end of a grant begins a new term. What was asked in an earlier term says nothing about this one.
 */
export class Contact {
  readonly #clock: Clock;
  readonly #timing: LeaseTiming;
  #sentAt = Number.NEGATIVE_INFINITY;
  #lookedAt: number;
  #pausedAt = Number.NEGATIVE_INFINITY;
  #standing: Standing = 'lost';
  #term = 0;

  constructor(clock: Clock, timing: LeaseTiming) {
    this.#clock = clock;
    this.#timing = timing;
    this.#lookedAt = clock.monotonic();
  }

  get term(): number {
    return this.#term;
  }

  /** Whether the process stood still after the last heartbeat that was stored was sent. */
  get paused(): boolean {
    return this.#pausedAt > this.#sentAt;
  }

  /** To be called before anything is done that relies on a lease, and often. */
  look(): Standing {
    const now = this.#clock.monotonic();
    if (now - this.#lookedAt >= PAUSE_MS) this.#pausedAt = now;
    this.#lookedAt = now;
    const silence = now - this.#sentAt;
    if (this.#standing === 'granted' && silence >= this.#timing.holdMs) {
      this.#standing = 'alone';
      this.#term++;
    }
    if (this.#standing === 'alone' && (this.paused || silence >= this.#timing.holdMs + this.#timing.aloneMs))
      this.#standing = 'lost';
    return this.#standing;
  }

  /** A heartbeat that was sent at `sentAt` (monotonic) is stored. */
  stored(sentAt: number): Standing {
    this.look();
    this.#sentAt = Math.max(this.#sentAt, sentAt);
    if (this.#clock.monotonic() - this.#sentAt < this.#timing.holdMs) this.#standing = 'granted';
    return this.#standing;
  }
}
