import type { Position } from '../../log/log.ts';
import { claimed, isTakenOtherwise, oldestOf, settle } from './accounts.ts';
import { countOf, strip } from './chunk.ts';
import { startCounting } from './counting.ts';
import type { State, Step } from './state.ts';

/** Read records that are not done go back to the log: they are read again. */

/** Frees the memory of waiting records; they are read from the log again. */
export function release(state: State): void {
  const { window, ahead, progress } = state;
  state.again = state.again.map((entry) => ({ ...entry, chunk: strip(entry.chunk) }));
  const oldest = window.oldest;
  state.fileDueAt = undefined;
  if (!oldest) {
    behind(state);
    return;
  }
  ahead.oldest = oldest.arrivedAt;
  window.clear();
  progress.countedTo = Math.max(progress.countedTo, state.readAt.sequence);
  putBackTo(state, oldest.position);
}

/**
 * All records that are not in flight are read again from the cursor, because other records pass now, or the
 * destination takes them in another way. Records with a fate keep it.
 * @param otherwise other records pass now: only a new count is exact. The same holds when a record goes back that an
 *   earlier selection took
 */
export function reselect(state: State, step: Step, otherwise = false): void {
  const { window, progress, ahead, flight } = state;
  settle(state);
  let inFlight = 0;
  for (const { entry, sent, stage } of flight.values())
    inFlight += countOf(stage === 'quarantining' ? sent : entry.chunk);
  const dropped = state.ledger.open - inFlight;
  if (dropped > 0) ahead.oldest = oldestOf(state);
  const recount = otherwise || state.again.some((entry) => isTakenOtherwise(state, entry));
  window.clear();
  state.again = [];
  state.fileDueAt = undefined;
  progress.countedTo = Math.max(progress.countedTo, state.readAt.sequence);
  putBackTo(state, progress.cursor);
  if (!recount) return;
  ahead.exact = false;
  startCounting(state, step);
}

function putBackTo(state: State, position: Position): void {
  const { ahead, ledger, counting } = state;
  state.readAt = position;
  const back = ledger.unread(position, claimed(state));
  ahead.counts.addAll(back);
  counting?.counts.addAll(back);
  behind(state);
}

function behind(state: State): void {
  state.live = false;
  state.reading = false;
  state.readTicket++;
}
