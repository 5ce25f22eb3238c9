import { type Chunk, countOf, slice } from './chunk.ts';
import { putBack } from './entries.ts';
import type { Entry, Request, State, Step } from './state.ts';

/** The results of a request for its records: they get their fate (M2), or go back to the front of their lanes. */

/** The records got a fate, M2. */
export function fate(state: State, chunk: Chunk, which: 'delivered' | 'quarantined'): void {
  if (chunk.length === 0) return;
  state.ledger.fate(chunk);
  for (const { from, to, arrivedAt } of chunk) state.progress.count(which, to - from, arrivedAt);
}

export function expirePart(
  state: State,
  step: Step,
  chunk: Chunk,
  expired: (span: Chunk[number]) => boolean,
): void {
  const lost = chunk.filter(expired);
  if (lost.length === 0) return;
  state.ledger.fate(lost);
  for (const span of lost) state.progress.expire(span.to - span.from, span.arrivedAt, step.at.now);
  step.effects.push({ type: 'expired', records: countOf(lost) });
}

/** The unsent records of an entry go back to the front of their lanes. */
export function keep(state: State, { entry }: Request, still: (span: Chunk[number]) => boolean): void {
  const chunk = entry.chunk.filter(still);
  putBack(
    state,
    chunk.length === entry.chunk.length ? entry : { ...entry, chunk },
    state.phase === 'running',
  );
}

/** No record of a request was accepted. Records that the retention removed meanwhile have expired. */
export function backAgain(state: State, step: Step, request: Request, changed: Partial<Entry> = {}): void {
  const { expiredThrough } = request;
  if (expiredThrough >= 0)
    expirePart(state, step, request.entry.chunk, (span) => span.sequence <= expiredThrough);
  const entry = { ...request.entry, ...changed };
  keep(state, { ...request, entry }, (span) => span.sequence > expiredThrough);
}

/** The unsent records of an entry. */
export function putRest(state: State, step: Step, request: Request, changed: Partial<Entry> = {}): void {
  const { entry, sent } = request;
  const chunk = slice(entry.chunk, countOf(sent), Number.POSITIVE_INFINITY);
  if (chunk.length === 0) return;
  backAgain(
    state,
    step,
    { ...request, entry: { ...entry, chunk } },
    { notBefore: 0, run: undefined, ...changed },
  );
}
