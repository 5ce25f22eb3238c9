import type { Exchange, Notes } from '../../destinations/contract.ts';

/** How often a request that succeeds is noted, ms: people look at one, and a busy stream sends hundreds a second. */
const EVERY_MS = 1_000;

/** Which of a stream's requests are noted for people: all that fail, and of the others one in a while. */
export class NotedRequests {
  #next = Number.NEGATIVE_INFINITY;

  /**
   * The notes on one delivery, which may make several requests.
   * @param now monotonic, ms
   */
  begin(now: number): Noted {
    const failuresOnly = now < this.#next;
    if (!failuresOnly) this.#next = now + EVERY_MS;
    return new Noted(failuresOnly);
  }
}

/** The most informative request of a delivery: the first that failed, or the last. */
export class Noted implements Notes {
  readonly failuresOnly: boolean;
  #exchange: Exchange | undefined;
  #failed = false;

  constructor(failuresOnly: boolean) {
    this.failuresOnly = failuresOnly;
  }

  get exchange(): Exchange | undefined {
    return this.#exchange;
  }

  note(exchange: Exchange): void {
    if (this.#failed) return;
    this.#failed = !exchange.answer || exchange.answer.status >= 300;
    this.#exchange = exchange;
  }
}
