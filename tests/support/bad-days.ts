import type { VendorAnswer } from '../../src/destinations/vendor-testing.ts';

/**
 * What a peer of an HTTP API does wrong, on purpose. Ten requests make a round, in which it throttles one and drops one
 * connection after it took what came; in the first it also refuses two in a row, and its throttling asks for a second.
 * Between two of these a request is taken, so that the node's pauses stay short.
 */
export class BadDays {
  /** What was done, so that a test can see that it was. */
  readonly done = { throttled: 0, refused: 0, dropped: 0 };
  #requests = 0;

  /** What is answered in place of looking at the request; undefined: it is looked at. */
  instead(): VendorAnswer | undefined {
    const request = this.#requests++;
    if (request % ROUND === THROTTLED) {
      this.done.throttled++;
      return { status: 429, headers: { 'retry-after': request < ROUND ? '1' : '0' } };
    }
    if (REFUSED.has(request)) {
      this.done.refused++;
      return { status: 503 };
    }
    return undefined;
  }

  /** The answer to a request that was taken: what it should be, or none. */
  taken(answer: VendorAnswer): VendorAnswer {
    if ((this.#requests - 1) % ROUND !== DROPPED) return answer;
    this.done.dropped++;
    return 'close';
  }

  /** Whether each of it was done. */
  get complete(): boolean {
    return Object.values(this.done).every((times) => times > 0);
  }
}

const ROUND = 10;
const THROTTLED = 1;
const DROPPED = 3;
const REFUSED = new Set([5, 6]);
