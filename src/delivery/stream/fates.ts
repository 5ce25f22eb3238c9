import { putBack } from './entries.ts';
import { countOf, type Piece, slice } from './piece.ts';
import type { Entry, Request, State, Step } from './state.ts';

/** What becomes of the records of a request: they get their fate (M2), or go back to the front of their lanes. */

/** The records got a fate, M2. */
export function fate(state: State, piece: Piece, which: 'delivered' | 'quarantined'): void {
  if (piece.length === 0) return;
  state.ledger.fate(piece);
  state.progress[which] += countOf(piece);
}

export function expirePart(
  state: State,
  step: Step,
  piece: Piece,
  expired: (part: Piece[number]) => boolean,
): void {
  const lost = piece.filter(expired);
  if (lost.length === 0) return;
  state.ledger.fate(lost);
  for (const part of lost) state.progress.expire(part.to - part.from, part.arrivedAt, step.at.now);
  step.effects.push({ type: 'expired', records: countOf(lost) });
}

/** What of an entry is still to be sent goes back to the front of its lanes. */
export function keep(state: State, { entry }: Request, still: (part: Piece[number]) => boolean): void {
  const piece = entry.piece.filter(still);
  putBack(
    state,
    piece.length === entry.piece.length ? entry : { ...entry, piece },
    state.phase === 'running',
  );
}

/** Nothing of a request was taken. What the retention took meanwhile has expired. */
export function backAgain(state: State, step: Step, request: Request, changed: Partial<Entry> = {}): void {
  const { expiredThrough } = request;
  if (expiredThrough >= 0)
    expirePart(state, step, request.entry.piece, (part) => part.sequence <= expiredThrough);
  const entry = { ...request.entry, ...changed };
  keep(state, { ...request, entry }, (part) => part.sequence > expiredThrough);
}

/** What of an entry was not sent. */
export function putRest(state: State, step: Step, request: Request, changed: Partial<Entry> = {}): void {
  const { entry, sent } = request;
  const piece = slice(entry.piece, countOf(sent), Number.POSITIVE_INFINITY);
  if (piece.length === 0) return;
  backAgain(
    state,
    step,
    { ...request, entry: { ...entry, piece } },
    { notBefore: 0, run: undefined, ...changed },
  );
}
