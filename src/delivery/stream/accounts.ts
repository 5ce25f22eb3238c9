import { comparePositions, type Position } from '../../log/log.ts';
import { countOf, firstOf, type Piece } from './piece.ts';
import { inFlightOf, isIdle, type State } from './state.ts';

/** What follows from the state of a machine: where its cursor is, what is pending, and whether all of it adds up. */

/** Records that pass the filter and have no fate. Exact for all that was read, M6. */
function pendingOf(state: State): number {
  return state.ledger.open + state.ahead.passed;
}

/** The first record that has no fate, M3. */
function cursorOf(state: State): Position {
  let cursor = state.readAt;
  const oldest = state.window.oldest?.position;
  if (oldest && comparePositions(oldest, cursor) < 0) cursor = oldest;
  for (const { piece } of state.again) cursor = earlier(cursor, piece);
  for (const { entry, stage, sent } of state.flight.values())
    cursor = earlier(cursor, stage === 'quarantining' ? sent : entry.piece);
  return cursor;
}

function earlier(position: Position, piece: Piece): Position {
  const first = firstOf(piece);
  return comparePositions(first, position) < 0 ? first : position;
}

/** When the oldest record that waits arrived; null when none does. */
export function oldestOf(state: State): number | null {
  let oldest = state.window.oldest?.arrivedAt ?? Number.POSITIVE_INFINITY;
  for (const { piece } of state.again) oldest = Math.min(oldest, (piece[0] as Piece[number]).arrivedAt);
  for (const { sent } of state.flight.values())
    oldest = Math.min(oldest, (sent[0] as Piece[number]).arrivedAt);
  if (oldest !== Number.POSITIVE_INFINITY) return oldest;
  return state.ahead.passed > 0 ? state.ahead.oldest : null;
}

/** Pieces that are taken: what of a block is in them is not taken again. */
export function claimed(state: State): Piece[] {
  const pieces = state.again.map((entry) => entry.piece);
  for (const { entry, sent, stage } of state.flight.values())
    pieces.push(stage === 'quarantining' ? sent : entry.piece);
  return pieces;
}

/** At the end of each step, and before records are read again: the cursor follows the first open record, and the accounts before it close. */
export function settle(state: State): void {
  const { progress, ledger } = state;
  const cursor = cursorOf(state);
  const order = comparePositions(cursor, progress.cursor);
  if (order < 0) throw new Error(`the cursor would go back to ${cursor.sequence}.${cursor.index}`);
  if (order > 0) {
    progress.cursor = cursor;
    state.dirty = true;
  }
  if (!ledger.empty) progress.filtered += ledger.pass(cursor);
}

/** Brings what is derived up to date, before it is committed or shown. */
export function refresh(state: State): void {
  const { progress, ledger, ahead } = state;
  progress.pending = pendingOf(state);
  progress.waiting = Math.max(progress.pending, ledger.inside + ahead.covered);
  progress.oldestPendingAt = progress.pending > 0 ? oldestOf(state) : null;
  progress.done = ledger.toCommit();
  // What is ahead was counted with another filter: the next holder must not take it for the truth.
  progress.selecting = ahead.exact ? state.wanted.selecting : '';
}

/** @throws Error when the accounts do not balance; for tests and the simulation, after each step. */
export function check(state: State): void {
  const { ledger, window, again, flight, progress, ahead, phase } = state;
  if (phase === 'loading' || phase === 'ended') return;
  const taken = claimed(state).reduce((sum, piece) => sum + countOf(piece), window.count);
  ledger.balance(progress.cursor);
  expect(ledger.open === taken, `${ledger.open} records are open, ${taken} are taken`);
  expect(ahead.passed >= 0 && ahead.covered >= 0, 'less than nothing lies ahead');
  expect(!isIdle(state) || pendingOf(state) === 0, `caught up with ${pendingOf(state)} records pending`);
  expect(comparePositions(progress.cursor, state.readAt) <= 0, 'the cursor is behind what was read');
  expect(phase === 'running' || window.count === 0, `records are held while ${phase}`);
  expect(
    [...flight.values()].filter(({ stage, cancelled }) => stage !== 'quarantining' && !cancelled).length <=
      inFlightOf(state) + 1,
    'more is in flight than the connector takes',
  );
  const parts = claimed(state)
    .flat()
    .sort((a, b) => a.sequence - b.sequence || a.from - b.from);
  for (const [at, part] of parts.entries()) {
    const next = parts[at + 1];
    const apart = !next || next.sequence > part.sequence || next.from >= part.to;
    expect(apart, `two pieces hold record ${part.sequence}.${part.to - 1}`);
  }
  expect(
    again.every(({ piece }) => piece.length > 0),
    'an empty piece waits',
  );
}

function expect(right: boolean, message: string): void {
  if (!right) throw new Error(`the accounts of a stream do not balance: ${message}`);
}
