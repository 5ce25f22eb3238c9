/**
 * Names the work that blocks the event loop of this process. Code that begins or resumes work says so with `working`; when a
 * turn of the loop took too long, the watch reports the work that took most of it.
 *
 * A turn lasts from the first `working` until the loop is free again. The state belongs to the process, as the event
 * loop does: without a watch `working` costs nothing.
 */
export interface Work {
  /** A value for the label of a metric: a route, a kind of delivery. */
  readonly what: string;
  readonly organisationId?: number;
  readonly streamId?: string;
}

export interface Blocked extends Work {
  /** Of the turn as a whole, in milliseconds. */
  readonly durationMs: number;
}

/** People notice longer blocks; a node of a cluster that is blocked for ten times as long loses its partitions. */
export const BLOCKED_MS = 200;
/** How often a timer checks that the loop still turns, for work that does not call `working`. */
const LOOK_MS = 100;
/** Of one turn; later work counts as the last of them. */
const MOST_MARKS = 1000;

interface Mark {
  readonly work: Work;
  /** Milliseconds, monotonic. */
  readonly at: number;
}

/** The functions of its process that the watch needs. */
interface Loop {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Calls `run` once, when the present turn is over. */
  afterTurn(run: () => void): void;
  /**
   * Calls `run` every so many milliseconds while the loop turns.
   * @returns ends it
   */
  every(milliseconds: number, run: () => void): () => void;
}

/** The watch over one event loop; `working` and `watchLoop` are those of the process. */
export class LoopWatch {
  readonly #loop: Loop;
  readonly #watches = new Set<(blocked: Blocked) => void>();
  #turn: Mark[] | undefined;
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /** See `working`. */
  working(work: Work): void {
    if (this.#watches.size === 0) return;
    if (!this.#turn) {
      this.#turn = [];
      this.#loop.afterTurn(() => this.#endTurn());
    }
    if (this.#turn.length >= MOST_MARKS || this.#turn.at(-1)?.work === work) return;
    this.#turn.push({ work, at: this.#loop.now() });
  }

  /** See `watchLoop`. */
  watch(report: (blocked: Blocked) => void): () => void {
    this.#watches.add(report);
    let looked = this.#loop.now();
    const end = this.#loop.every(LOOK_MS, () => {
      const now = this.#loop.now();
      const durationMs = now - looked - LOOK_MS;
      // A turn that is not over yet is reported at its end.
      if (durationMs >= BLOCKED_MS && !this.#turn && this.#reportedAt < looked)
        report({ what: 'unknown', durationMs });
      looked = now;
    });
    return () => {
      end();
      this.#watches.delete(report);
    };
  }

  #endTurn(): void {
    const marks = this.#turn ?? [];
    this.#turn = undefined;
    const [first] = marks;
    if (!first) return;
    const now = this.#loop.now();
    const durationMs = now - first.at;
    if (durationMs < BLOCKED_MS) return;
    this.#reportedAt = now;
    const work = longest(marks, now);
    for (const report of this.#watches) report({ ...work, durationMs });
  }
}

const ofThisProcess = new LoopWatch({
  now: () => performance.now(),
  afterTurn: setImmediate,
  every: (milliseconds, run) => {
    const timer = setInterval(run, milliseconds).unref();
    return () => clearInterval(timer);
  },
});

/** Names the work that the event loop does from now on, until other work is named or the turn ends. */
export function working(work: Work): void {
  ofThisProcess.working(work);
}

/**
 * Calls `report` for each turn that took BLOCKED_MS or more, `unknown` if its work was not named.
 * @returns ends it
 */
export function watchLoop(report: (blocked: Blocked) => void): () => void {
  return ofThisProcess.watch(report);
}

/** The work with the largest share of a turn; work of the same name counts together. */
function longest(marks: readonly Mark[], end: number): Work {
  const shares = new Map<string, { work: Work; ms: number }>();
  let most: { work: Work; ms: number } | undefined;
  for (const [index, { work, at }] of marks.entries()) {
    const share = shares.get(work.what) ?? { work, ms: 0 };
    share.ms += (marks[index + 1]?.at ?? end) - at;
    shares.set(work.what, share);
    if (!most || share.ms > most.ms) most = share;
  }
  return (most as { work: Work }).work;
}
