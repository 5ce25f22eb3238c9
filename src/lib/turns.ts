/**
 * Lets a few of many small pieces of work into each turn of the event loop, in the order in which they came. Between them the loop
 * does what else there is to do: it reads requests, for example. Where the loop has nothing else to do, its turns are short, and nothing
 * waits noticeably.
 *
 * Pieces that wait together become cheaper where they can share work: while a data stream waits for its turn, more of its records
 * arrive, and it sends them in one request.
 */
export class Turns {
  readonly #afterTurn: (run: () => void) => void;
  readonly #waiting: (() => void)[] = [];
  #scheduled = false;

  /** @param afterTurn calls `run` once, when the present turn of the loop is over */
  constructor(afterTurn: (run: () => void) => void = setImmediate) {
    this.#afterTurn = afterTurn;
  }

  /** Pieces that wait. */
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
      // One that throws takes no other with it.
      this.#waiting.unshift(...now);
      if (this.#waiting.length > 0) this.#schedule();
    }
  }
}

/** About half a millisecond of deliveries. */
const FEW = 2;
/** Nothing waits for more turns than about this: with very many pieces, more of them are let into each. */
const MOST_TURNS = 32;
