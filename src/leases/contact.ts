import type { Clock } from '../lib/clock.ts';
import { GONE, type LeaseTiming, PAUSE_MS } from './timing.ts';

/**
 *   granted → silent | alone   `holdMs` have passed since the node sent the last heartbeat that was stored
 *   silent, alone → granted    a heartbeat was stored in time again
 *   alone → silent             it is no longer certain that the whole storage is down
 *   any → lost                 the process was suspended, or the storage did not answer for `aloneMs`
 *   lost → granted             a heartbeat was stored in time again
 *
 * `granted`: no other node may take this node's leases. `alone`: they have expired, but the whole storage is down, so
 * no node can take them. `silent`: another node may hold them; this node sends nothing until it is certain that none
 * does. `lost`: they count as another node's.
 */
type Standing = 'granted' | 'alone' | 'silent' | 'lost';

/**
 * The state of a node's own leases, by its own monotonic clock.
 *
 *  C1  A grant lasts `holdMs` from the moment at which the node sent a heartbeat that was stored later. The others hear of
 *      that heartbeat after that moment, and wait for `lostMs`, which is longer.
 *  C2  A process that was suspended (SIGSTOP, a suspended machine) longer than its grant has lost its leases. It is never
 *      `alone`: the others went on meanwhile.
 *  C3  Every end of a grant begins a new term. An answer from an earlier term proves nothing in this one.
 *  C4  `alone` needs evidence without a break, from shortly after the last stored heartbeat on: a node that was cut off
 *      first, and sees the storage stop later, may have a successor already.
 */
export class Contact {
  readonly #clock: Clock;
  readonly #timing: LeaseTiming;
  #sentAt = Number.NEGATIVE_INFINITY;
  #lookedAt: number;
  #pausedAt = Number.NEGATIVE_INFINITY;
  /** The first and the latest moment at which the whole storage was down. */
  #goneFrom = Number.POSITIVE_INFINITY;
  #goneAt = Number.NEGATIVE_INFINITY;
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

  /** Since the node sent the last heartbeat that was stored, ms. */
  get silence(): number {
    return this.#clock.monotonic() - this.#sentAt;
  }

  /** Call this before every action that relies on a lease, and often. */
  look(): Standing {
    const now = this.#clock.monotonic();
    if (now - this.#lookedAt >= PAUSE_MS) this.#pausedAt = now;
    this.#lookedAt = now;
    if (this.#standing === 'lost') return 'lost';
    const { silence } = this;
    if (this.#standing === 'granted') {
      if (silence < this.#timing.holdMs) return 'granted';
      this.#term++;
    }
    if (this.paused || silence >= this.#timing.holdMs + this.#timing.aloneMs) this.#standing = 'lost';
    else this.#standing = this.#isGone(now) ? 'alone' : 'silent';
    return this.#standing;
  }

  #isGone(now: number): boolean {
    return now - this.#goneAt < GONE.forMs && this.#goneFrom - this.#sentAt <= GONE.withinMs;
  }

  /** A heartbeat that was sent at `sentAt` (monotonic) is stored. */
  stored(sentAt: number): Standing {
    this.look();
    this.#sentAt = Math.max(this.#sentAt, sentAt);
    if (this.silence < this.#timing.holdMs) this.#standing = 'granted';
    return this.#standing;
  }

  /** Whether the whole storage was down, as asked at `askedAt` (monotonic). */
  answered(askedAt: number, gone: boolean): void {
    this.look();
    if (!gone) this.#goneFrom = Number.POSITIVE_INFINITY;
    else {
      const isUnbroken = askedAt - this.#goneAt < GONE.forMs && this.#goneFrom >= this.#sentAt;
      this.#goneFrom = isUnbroken ? Math.min(this.#goneFrom, askedAt) : askedAt;
      this.#goneAt = askedAt;
    }
  }
}
