import type { VendorAnswer } from '../../src/destinations/vendor-testing.ts';
import { generator } from './usage-records.ts';

/**
 * What a peer of an HTTP API does wrong, on purpose, by the number of the request: throttles the third with a
 * Retry-After and a part of those that follow without one, refuses three in a row, and drops every fifth connection
 * after it took what came.
 */
export class BadDays {
  /** What was done, so that a test can see that it was. */
  readonly done = { throttled: 0, refused: 0, dropped: 0 };
  readonly #random = generator(7);
  #requests = 0;

  /** What is answered in place of looking at the request; undefined: it is looked at. */
  instead(): VendorAnswer | undefined {
    const request = this.#requests++;
    if (request === 2 || (request > 8 && this.#random() < 0.15)) {
      this.done.throttled++;
      return { status: 429, headers: request === 2 ? { 'retry-after': '1' } : {} };
    }
    if (request >= 5 && request < 8) {
      this.done.refused++;
      return { status: 503 };
    }
    return undefined;
  }

  /** The answer to a request that was taken: what it should be, or none. */
  taken(answer: VendorAnswer): VendorAnswer {
    if (this.#requests % 5 !== 4) return answer;
    this.done.dropped++;
    return 'close';
  }

  /** Whether each of it was done. */
  get complete(): boolean {
    return Object.values(this.done).every((times) => times > 0);
  }
}
