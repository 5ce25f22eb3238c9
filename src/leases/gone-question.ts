import type { Clock } from '../lib/clock.ts';
import type { Contact } from './contact.ts';
import { GONE, type LeaseTiming } from './timing.ts';

interface GoneQuestionContext {
  readonly clock: Clock;
  readonly timing: LeaseTiming;
  readonly contact: Contact;
  /** Whether the whole storage is down, so that no node can use it; false if that is not certain. */
  readonly storageGone?: (() => Promise<boolean>) | undefined;
  /** The node may have to act. */
  wake(): void;
  track(promise: Promise<unknown>): void;
}

/** A heartbeat that was not stored by then is late. */
const MISSING_BEATS = 1.5;

/** Asks whether the storage is gone (C4 of contact.ts): from soon after a missing heartbeat on, so that the evidence has no gap. */
export class GoneQuestion {
  readonly #context: GoneQuestionContext;
  #isAsking = false;
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(context: GoneQuestionContext) {
    this.#context = context;
  }

  /** Call this often while the node holds a lease. */
  look(): void {
    const { clock, timing, contact, storageGone, wake, track } = this.#context;
    const now = clock.monotonic();
    if (!storageGone || this.#isAsking) return;
    if (contact.silence < MISSING_BEATS * timing.heartbeatMs || now - this.#askedAt < GONE.askEveryMs) return;
    this.#isAsking = true;
    this.#askedAt = now;
    track(
      storageGone().then((gone) => {
        this.#isAsking = false;
        contact.answered(now, gone);
        wake();
      }),
    );
  }
}
