/**
 * Runs a few of many small pieces of work in each turn of the event loop, in the order of the calls. Between them the
 * loop does its other work: it reads requests, for example. If the loop has no other work, its turns are short, and
 * no piece waits noticeably.
 *
 * Pieces that wait together become cheaper if they can share work: while a data stream waits for its turn, more of
 * its records arrive, and it sends them in one request.
 */
export class Turns {
  readonly #afterTurn: (run: () => void) => void;
  readonly #waiting: (() => void)[] = [];
  #scheduled = false;

  /** @param afterTurn calls `run` once, when the present turn of the loop is over */
  constructor(afterTurn: (run: () => void) => void = setImmediate) {
    this.#afterTurn = afterTurn;
  }

  /** Waiting pieces. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Calls `run` in one of the next turns. */
  next(run: () => void): void {
    this.#waiting.push(run);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#afterTurn(() => this.#turn());
  }

  #turn(): void {
    this.#scheduled = false;
    const most = Math.max(FEW, Math.ceil(this.#waiting.length / MOST_TURNS));
    const now = this.#waiting.splice(0, most);
    try {
      for (let run = now.shift(); run; run = now.shift()) run();
    } finally {
      // A piece that throws does not stop the others.
      this.#waiting.unshift(...now);
      if (this.#waiting.length > 0) this.#schedule();
    }
  }
}

/** About half a millisecond of deliveries. */
const FEW = 2;
/** No piece waits for more turns than about this: with very many pieces, each turn runs more of them. */
const MOST_TURNS = 32;
