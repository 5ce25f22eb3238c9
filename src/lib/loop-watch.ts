/**
 * Names what keeps the event loop of this process from everything else. Whoever begins or resumes work says so with
 * `working`; when a turn of the loop took too long, the work that most of it passed under is reported.
 *
 * A turn is what happens from the first `working` until the loop is free again. The state belongs to the process, as the event
 * loop does: without a watch `working` costs nothing.
 */
export interface Work {
  /** Fit for a label of a metric: a route, a kind of delivery. */
  readonly what: string;
  readonly organisationId?: number;
  readonly streamId?: string;
}

export interface Blocked extends Work {
  /** Of the turn as a whole, in milliseconds. */
  readonly durationMs: number;
}

/** Longer is felt by people; a node of a cluster that stands still for ten times as long loses its partitions. */
export const BLOCKED_MS = 200;
/** How often it is looked whether the loop still turns, for work that says nothing. */
const LOOK_MS = 100;
/** Of one turn; what comes later counts as the last of them. */
const MOST_MARKS = 1000;

interface Mark {
  readonly work: Work;
  /** Milliseconds, monotonic. */
  readonly at: number;
}

const watches = new Set<(blocked: Blocked) => void>();
let turn: Mark[] | undefined;
let reportedAt = Number.NEGATIVE_INFINITY;

/** Says what the event loop does from now on, until somebody says something else or the turn ends. */
export function working(work: Work): void {
  if (watches.size === 0) return;
  if (!turn) {
    turn = [];
    setImmediate(endTurn);
  }
  if (turn.length >= MOST_MARKS || turn.at(-1)?.work === work) return;
  turn.push({ work, at: performance.now() });
}

/** Calls `report` for each turn that took BLOCKED_MS or more, `unknown` if nobody said what it was. @returns ends it */
export function watchLoop(report: (blocked: Blocked) => void): () => void {
  watches.add(report);
  let looked = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const durationMs = now - looked - LOOK_MS;
    // A turn that is not over yet is reported at its end.
    if (durationMs >= BLOCKED_MS && !turn && reportedAt < looked) report({ what: 'unknown', durationMs });
    looked = now;
  }, LOOK_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    watches.delete(report);
  };
}

function endTurn(): void {
  const marks = turn ?? [];
  turn = undefined;
  const [first] = marks;
  if (!first) return;
  const now = performance.now();
  const durationMs = now - first.at;
  if (durationMs < BLOCKED_MS) return;
  reportedAt = now;
  const work = longest(marks, now);
  for (const report of watches) report({ ...work, durationMs });
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
