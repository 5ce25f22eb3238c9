import type { VendorAnswer } from '../../src/destinations/vendor.fixture.ts';

/**
 * What a peer of an HTTP API does wrong, on purpose. Ten requests make a round, or as many as the test says; in each the
 * peer throttles one and drops one connection after it took what came. In the first it also refuses two in a row, and
 * its throttling asks for a second. Between two of these a request is taken, so that the node's pauses stay short.
 */
export class BadDays {
  /** What was done, so that a test can see that it was. */
  readonly done = { throttled: 0, refused: 0, dropped: 0 };
  readonly #round: number;
  #requests = 0;

  /** @param round how many requests make a round: more, where a batch takes many */
  constructor(round = ROUND) {
    this.#round = round;
  }

  /** What is answered in place of looking at the request; undefined: it is looked at. */
  instead(): VendorAnswer | undefined {
    const request = this.#requests++;
    if (request % this.#round === THROTTLED) {
      this.done.throttled++;
      return { status: 429, headers: { 'retry-after': request < this.#round ? '1' : '0' } };
    }
    if (REFUSED.has(request)) {
      this.done.refused++;
      return { status: 503 };
    }
    return undefined;
  }

  /** The answer to a request that was taken: what it should be, or none. */
  taken(answer: VendorAnswer): VendorAnswer {
    if ((this.#requests - 1) % this.#round !== DROPPED) return answer;
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
