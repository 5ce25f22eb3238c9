import type { Clock } from '../lib/clock.ts';
import { type LeaseTiming, PAUSE_MS } from './timing.ts';

/**
 * `granted`: no other node may take this node's leases. `alone`: the leases have expired, but the storage has not answered
 * since then, so other nodes most likely cannot take them either. `lost`: other nodes may hold the leases by now.
 */
type Standing = 'granted' | 'alone' | 'lost';

/**
 * What a node may assume about its own leases, by its own monotonic clock.
 *
 *  C1  A grant lasts `holdMs` from the moment at which the node sent a heartbeat that was stored later. The others hear of
 *      that heartbeat after that moment, and wait for `lostMs`, which is longer.
 *  C2  A process that was suspended (SIGSTOP, a suspended machine) longer than its grant has lost its leases. It is never
 *      `alone`: the others went on meanwhile.
 *  C3  Every end of a grant begins a new term. The answer to a question of an earlier term proves nothing in this one.
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

  /** Whether the process was suspended after it sent the last heartbeat that was stored. */
  get paused(): boolean {
    return this.#pausedAt > this.#sentAt;
  }

  /** Call this before every action that relies on a lease, and often. */
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
