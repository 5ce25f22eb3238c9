import { comparePositions, type Position } from '../../log/log.ts';
import { type Chunk, firstOf } from './chunk.ts';
import { HourCounts } from './hours.ts';
import type { Entry, State } from './state.ts';

/** The values derived from the state of a machine: the cursor, the pending records. */

/** Records that pass the filter and have no fate. Exact for all records that were read, M6. */
function pendingOf(state: State): number {
  return state.ledger.open + state.ahead.counts.passed;
}

/** The first record that has no fate, M3. */
function cursorOf(state: State): Position {
  let cursor = state.readAt;
  const oldest = state.window.oldest?.position;
  if (oldest && comparePositions(oldest, cursor) < 0) cursor = oldest;
  for (const { chunk } of state.again) cursor = earlier(cursor, chunk);
  for (const { entry, stage, sent } of state.flight.values())
    cursor = earlier(cursor, stage === 'quarantining' ? sent : entry.chunk);
  return cursor;
}

function earlier(position: Position, chunk: Chunk): Position {
  const first = firstOf(chunk);
  return comparePositions(first, position) < 0 ? first : position;
}

/** When the oldest waiting record arrived; null when none waits. */
export function oldestOf(state: State): number | null {
  let oldest = state.window.oldest?.arrivedAt ?? Number.POSITIVE_INFINITY;
  for (const { chunk } of state.again) oldest = Math.min(oldest, (chunk[0] as Chunk[number]).arrivedAt);
  for (const { sent } of state.flight.values())
    oldest = Math.min(oldest, (sent[0] as Chunk[number]).arrivedAt);
  if (oldest !== Number.POSITIVE_INFINITY) return oldest;
  return state.ahead.counts.passed > 0 ? state.ahead.oldest : null;
}

/** Taken chunks: their records are not taken again. */
export function claimed(state: State): Chunk[] {
  const chunks = state.again.map((entry) => entry.chunk);
  for (const { entry, sent, stage } of state.flight.values())
    chunks.push(stage === 'quarantining' ? sent : entry.chunk);
  return chunks;
}

/** Whether records of the entry were taken with another selection: the current one might not take them. */
export function isTakenOtherwise({ wanted }: State, entry: Entry): boolean {
  return entry.selecting !== wanted.selecting;
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
  if (!ledger.empty)
    ledger.pass(cursor, (records, arrivedAt) => progress.count('filtered', records, arrivedAt));
}

/** Updates the derived values, before they are committed or shown. */
export function refresh(state: State): void {
  const { progress, ledger, ahead } = state;
  progress.pending = pendingOf(state);
  progress.waiting = Math.max(progress.pending, ledger.inside + ahead.counts.covered);
  if (progress.hours) {
    // By hours an estimate may have more passing records than records: it is corrected in each hour, and so in the sum.
    const byHours = progress.waiting === 0 ? new HourCounts() : ledger.waiting().plus(ahead.counts);
    progress.waiting = byHours.covered;
    progress.waitingHours = byHours.toDocument();
  }
  progress.oldestPendingAt = progress.pending > 0 ? oldestOf(state) : null;
  progress.done = ledger.toCommit();
  progress.losing = state.counting?.lostFrom && state.counting.losing;
  progress.unreadableTo = ahead.unreadableTo;
  // Some records were counted or taken with another filter: the next holder must not trust the sum.
  const entries = [...state.again, ...[...state.flight.values()].map(({ entry }) => entry)];
  const isExact = ahead.exact && !entries.some((entry) => isTakenOtherwise(state, entry));
  progress.selecting = isExact ? state.wanted.selecting : '';
}
