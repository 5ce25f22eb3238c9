/**
 * How many requests of a stream with lanes may be in flight, learnt from their answers: additive increase,
 * multiplicative decrease, up to the maximum of the stream's owner.
 *
 *   fast    → steady   doubles with each window until the first sign of a limit
 *   steady  → steady   one more with each window; half when the destination did not take a request
 *   steady  → looking  `SLOW_WINDOWS` windows were slow: one window with half as many says whether their number is the reason
 *   looking → steady   at as many as the destination serves without a queue, or at as many as before
 *
 * A window is as many answers as requests may be in flight.
 *
 *  K1  1 ≤ limit ≤ most.
 *  K2  A sign of overload lowers the limit once: failures of earlier requests belong to the same overload.
 *  K3  A limit grows only if it was reached: a window with fewer requests in flight says nothing about more of them.
 *  K4  A limit that was refused is tried again only now and then, and more seldom each time.
 *  K5  It does not grow while answers take longer than with fewer requests: the destination queues the requests.
 */
export interface Concurrency {
  readonly most: number;
  phase: 'fast' | 'steady' | 'looking';
  limit: number;
  /** The lowest limit at which requests were refused since one was taken at it; Infinity: none. */
  refusedAt: number;
  /** Windows just below `refusedAt` before it is tried again, and how many of them have passed. */
  patience: number;
  waited: number;
  /** Requests from this id on were sent after the limit was lowered last: K2. */
  loweredBefore: number;
  /** Answers as they are with few requests. */
  usual: Sample | undefined;
  /** Windows in a row that were slow. */
  slow: number;
  /** While looking: the limit before. */
  before: { readonly limit: number; readonly ms: number };
  /** The window under way counts requests from this id on. */
  countedFrom: number;
  answers: number;
  ms: number;
  records: number;
  used: boolean;
  /** Why the limit is below `most`; undefined: no reason is known. */
  limited: Limited | undefined;
}

export type Limiting = 'refused' | 'slow';

interface Limited {
  readonly by: Limiting;
  /** For people, ms since the epoch. */
  readonly since: number;
  /** The answer of the destination; empty if it only became slow. */
  readonly cause: string;
}

/** Of a window: the mean time of an answer, ms, and the mean number of records in a request. */
interface Sample {
  ms: number;
  readonly records: number;
}

/** The limit at the beginning: the usual one before limits were learnt, so that small limits behave as before. */
const FIRST = 4;
const PATIENCE = 8;
/** At answers of 50 ms a limit that never moves is then tried every few seconds. */
const MOST_PATIENCE = 64;
/** Looking costs half a window, so this is 3 % of the time at most. With fewer windows chance would decide. */
const SLOW_WINDOWS = 16;
/** Answers that take longer than usual by this factor are slow, if by more than chance and our own event loop explain. */
const SLOW = 1.5;
const SLOW_MS = 10;
/** With half as many requests, answers must be faster by this factor: then their number is the reason. */
const FASTER = 0.85;
/** Requests that differ by more than this in their number of records are not compared. */
const ALIKE = 2;

/** @param next id of the next request */
export function newConcurrency(most: number, next: number): Concurrency {
  return {
    most,
    phase: 'fast',
    limit: Math.min(FIRST, most),
    refusedAt: Number.POSITIVE_INFINITY,
    patience: PATIENCE,
    waited: 0,
    loweredBefore: next,
    usual: undefined,
    slow: 0,
    before: { limit: 0, ms: 0 },
    countedFrom: next,
    answers: 0,
    ms: 0,
    records: 0,
    used: false,
    limited: undefined,
  };
}

/**
 * A request was begun.
 * @param inFlight with it
 */
export function began(concurrency: Concurrency, inFlight: number): void {
  if (inFlight >= concurrency.limit) concurrency.used = true;
}

/** Whether the request was sent before the limit was lowered last, so that its failure says nothing new: K2. */
export function isOldNews({ loweredBefore }: Concurrency, request: number): boolean {
  return request < loweredBefore;
}

/**
 * The destination did not take a request and may take fewer at a time.
 * @param next id of the next request
 * @returns whether the limit was lowered
 */
export function refusedOne(
  concurrency: Concurrency,
  request: number,
  next: number,
  at: { readonly now: number; readonly cause: string },
): boolean {
  if (isOldNews(concurrency, request)) return false;
  const { limit, refusedAt } = concurrency;
  if (concurrency.used && limit > 1) {
    concurrency.patience = limit >= refusedAt ? Math.min(2 * concurrency.patience, MOST_PATIENCE) : PATIENCE;
    concurrency.refusedAt = limit;
  }
  concurrency.phase = 'steady';
  concurrency.limit = Math.max(1, limit >>> 1);
  concurrency.loweredBefore = next;
  concurrency.waited = 0;
  concurrency.slow = 0;
  nextWindow(concurrency, next);
  if (concurrency.limit === limit) return false;
  limitedBy(concurrency, { by: 'refused', since: at.now, cause: at.cause });
  return true;
}

/**
 * The destination took a request.
 * @param next id of the next request
 * @param ms from the sending to the answer
 * @returns whether the limit was lowered
 */
export function tookOne(
  concurrency: Concurrency,
  request: number,
  next: number,
  at: { readonly now: number; readonly ms: number; readonly records: number },
): boolean {
  if (request < concurrency.countedFrom) return false;
  concurrency.answers++;
  concurrency.ms += at.ms;
  concurrency.records += at.records;
  if (concurrency.answers < concurrency.limit) return false;
  const { answers, used } = concurrency;
  const sample = { ms: concurrency.ms / answers, records: concurrency.records / answers };
  const { limit } = concurrency;
  if (concurrency.phase === 'looking') looked(concurrency, sample, at.now);
  else if (isSlow(concurrency, sample)) {
    concurrency.phase = 'steady';
    if (used && limit > 1 && ++concurrency.slow >= SLOW_WINDOWS) look(concurrency, sample);
  } else {
    concurrency.slow = 0;
    if (used) grow(concurrency);
  }
  nextWindow(concurrency, next);
  return concurrency.phase === 'steady' && concurrency.limit < limit;
}

/** Compares a window with the usual answers, and updates these. */
function isSlow(concurrency: Concurrency, sample: Sample): boolean {
  const { usual } = concurrency;
  if (!usual || !areAlike(usual, sample)) {
    concurrency.usual = sample;
    return false;
  }
  // Half of the way: one quick answer must not make all others slow.
  if (sample.ms < usual.ms) usual.ms = (usual.ms + sample.ms) / 2;
  return sample.ms > Math.max(usual.ms * SLOW, usual.ms + SLOW_MS);
}

function areAlike(a: Sample, b: Sample): boolean {
  return a.records <= b.records * ALIKE && b.records <= a.records * ALIKE;
}

function grow(concurrency: Concurrency): void {
  const { most, limit, refusedAt } = concurrency;
  if (limit >= refusedAt) {
    // It now accepts as many requests as it refused before.
    concurrency.refusedAt = Number.POSITIVE_INFINITY;
    concurrency.patience = PATIENCE;
  }
  const wanted = Math.min(most, concurrency.phase === 'fast' ? limit * 2 : limit + 1);
  if (wanted >= concurrency.refusedAt && ++concurrency.waited < concurrency.patience) return;
  concurrency.waited = 0;
  concurrency.limit = wanted;
  if (wanted === most) concurrency.limited = undefined;
}

/** K5: half as many for a window. */
function look(concurrency: Concurrency, { ms }: Sample): void {
  const { limit } = concurrency;
  concurrency.phase = 'looking';
  concurrency.before = { limit, ms };
  concurrency.limit = Math.max(1, limit >>> 1);
}

function looked(concurrency: Concurrency, sample: Sample, now: number): void {
  const { before } = concurrency;
  const share = sample.ms / before.ms;
  concurrency.phase = 'steady';
  concurrency.slow = 0;
  concurrency.usual = sample;
  if (share >= FASTER) {
    concurrency.limit = before.limit;
    return;
  }
  // By Little's law: as many requests as the destination serves at a time without a queue.
  concurrency.limit = Math.max(concurrency.limit, Math.floor(before.limit * share));
  limitedBy(concurrency, { by: 'slow', since: now, cause: '' });
}

function limitedBy(concurrency: Concurrency, limited: Limited): void {
  const since = concurrency.limited?.since ?? limited.since;
  concurrency.limited = { ...limited, since };
}

function nextWindow(concurrency: Concurrency, next: number): void {
  concurrency.countedFrom = next;
  concurrency.answers = 0;
  concurrency.ms = 0;
  concurrency.records = 0;
  concurrency.used = false;
}
