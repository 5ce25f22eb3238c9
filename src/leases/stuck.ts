import { StoreUnavailable } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import { PAUSE_MS } from './timing.ts';

/** How often this checks whether the storage answers, ms. */
const ASK_EVERY_MS = 2_500;
/** If an answer takes longer, the storage is slow, and a run that waits for it is not stuck, ms. */
const PROMPT_MS = 1_000;

interface StuckContext {
  readonly clock: Clock;
  /**
   * Asks the storage that runs use.
   * @throws StoreUnavailable
   */
  ask(): Promise<unknown>;
  /** A bug. */
  failed(error: unknown): void;
}

/**
 * For how long a run has not ended although it was aborted, and nothing kept it from ending.
 *
 * Time counts only while the process runs, the lease store answers, and the storage that runs use answers at once. A run that
 * waits for its last commit while the storage is away ends by itself when the storage is back: it must not take its node with
 * it. If the evidence is interrupted, the time begins at zero.
 */
export class Stuck {
  readonly #context: StuckContext;
  #lookedAt: number;
  #askedAt = Number.NEGATIVE_INFINITY;
  #isAsking = false;
  #spentMs = 0;

  constructor(context: StuckContext) {
    this.#context = context;
    this.#lookedAt = context.clock.monotonic();
  }

  /**
   * Call it again and again, at least once in PAUSE_MS.
   * @param granted whether the lease store answers
   * @returns ms without interruption
   */
  look(granted: boolean): number {
    const now = this.#context.clock.monotonic();
    const passed = now - this.#lookedAt;
    this.#lookedAt = now;
    const isSlow = this.#isAsking && now - this.#askedAt > PROMPT_MS;
    if (!granted || passed >= PAUSE_MS || isSlow) this.#spentMs = 0;
    else this.#spentMs += passed;
    if (!this.#isAsking && now - this.#askedAt >= ASK_EVERY_MS) this.#ask(now);
    return this.#spentMs;
  }

  #ask(now: number): void {
    this.#isAsking = true;
    this.#askedAt = now;
    this.#context.ask().then(
      () => {
        this.#isAsking = false;
        if (this.#context.clock.monotonic() - now > PROMPT_MS) this.#spentMs = 0;
      },
      (error: unknown) => {
        this.#isAsking = false;
        this.#spentMs = 0;
        if (!(error instanceof StoreUnavailable)) this.#context.failed(error);
      },
    );
  }
}
