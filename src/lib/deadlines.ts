import type { Clock } from './clock.ts';

/**
 * The deadlines of many short pieces of work that may all take equally long. Most end long before: a timer for each would cost more than
 * the rest of its bookkeeping, so all of them share one.
 *
 *  D1  They are in the order in which they began, which is the order of their deadlines. The timer is set for the
 *      first, or for an earlier one that has ended: it is set again when it fires too early.
 */
export class Deadlines {
  readonly #clock: Pick<Clock, 'monotonic' | 'after'>;
  readonly #milliseconds: number;
  #first: Deadline | undefined;
  #last: Deadline | undefined;
  #isSet = false;
  readonly #idle: () => void;

  /**
   * @param milliseconds from the beginning of each to its deadline
   * @param idle called when no work has been in progress for this long
   */
  constructor(clock: Pick<Clock, 'monotonic' | 'after'>, milliseconds: number, idle = () => {}) {
    this.#clock = clock;
    this.#milliseconds = milliseconds;
    this.#idle = idle;
  }

  /** @param late called once, unless it ends before */
  begin(late: () => void): Deadline {
    const deadline: Deadline = {
      at: this.#clock.monotonic() + this.#milliseconds,
      late,
      before: this.#last,
      after: undefined,
    };
    if (this.#last) this.#last.after = deadline;
    else this.#first = deadline;
    this.#last = deadline;
    if (!this.#isSet) this.#set(this.#milliseconds);
    return deadline;
  }

  /** It ended in time. Nothing happens if it ended before, or was late. */
  end(deadline: Deadline): void {
    if (!deadline.late) return;
    deadline.late = undefined;
    const { before, after } = deadline;
    if (before) before.after = after;
    else this.#first = after;
    if (after) after.before = before;
    else this.#last = before;
  }

  #set(milliseconds: number): void {
    this.#isSet = true;
    this.#clock.after(milliseconds, () => this.#due());
  }

  #due(): void {
    this.#isSet = false;
    const now = this.#clock.monotonic();
    for (let first = this.#first; first && first.at <= now; first = this.#first) {
      const { late } = first;
      this.end(first);
      late?.();
    }
    // Timers are of whole milliseconds: one that is rounded down would be set again at once.
    if (this.#first && !this.#isSet) this.#set(Math.ceil(this.#first.at - now));
    else if (!this.#first) this.#idle();
  }
}

/** By clock and milliseconds; only those with a deadline, or with a timer that has not fired. */
const all = new WeakMap<Clock, Map<number, Deadlines>>();

/** The deadlines of all work that may take this long by a clock. */
export function deadlinesOf(clock: Clock, milliseconds: number): Deadlines {
  const ofClock = all.get(clock) ?? new Map<number, Deadlines>();
  all.set(clock, ofClock);
  let found = ofClock.get(milliseconds);
  if (!found) {
    found = new Deadlines(clock, milliseconds, () => ofClock.delete(milliseconds));
    ofClock.set(milliseconds, found);
  }
  return found;
}

/** Of one piece of work; for Deadlines alone. */
export interface Deadline {
  readonly at: number;
  /** undefined: it has ended. */
  late: (() => void) | undefined;
  before: Deadline | undefined;
  after: Deadline | undefined;
}
