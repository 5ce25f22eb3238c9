import type { Selection } from '../../filters/selection.ts';
import type { Block } from '../../records/block.ts';
import { addEarly, addUnreadable, goOnLosing, lose, startCounting } from './counting.ts';
import type { Event, Wanted } from './events.ts';
import { endWaiting, forgive, letGo, trouble } from './failing.ts';
import { expireUnread } from './passing.ts';
import { reachedEnd } from './reading.ts';
import { reselect } from './reading-again.ts';
import { withdraw } from './sending.ts';
import { newSize } from './size.ts';
import { beyondOf, isIdle, type State, type Step } from './state.ts';
import { planTrials } from './trial.ts';
import { isElsewhere } from './wanted.ts';
import { enter, WORDS } from './words.ts';

/** The changes by users and by the node: start, change, stop, delete, expire. */

/** Its document was read; at the first time the stream begins. */
export function loaded(
  state: State,
  step: Step,
  { wanted, destination, progress }: Extract<Event, { type: 'loaded' }>,
): void {
  const newer = wanted.revision > state.wanted.revision;
  const before = state.destination;
  state.loadedRevision = Math.max(state.loadedRevision, wanted.revision);
  state.destination = destination;
  if (state.phase === 'loading') {
    if (newer) state.wanted = wanted;
    if (progress) state.progress = progress;
    begin(state, step);
    return;
  }
  if (before !== destination) destinationChanged(state, step, isElsewhere(before, destination));
  if (newer) changed(state, step, wanted);
}

function begin(state: State, step: Step): void {
  const { progress, wanted, ledger, ahead } = state;
  state.readAt = progress.cursor;
  ledger.restore(progress.done, progress.cursor);
  ahead.counts = progress.waitingCounts(step.at.now);
  ahead.oldest = progress.oldestPendingAt;
  ahead.unreadableTo = Math.max(ahead.unreadableTo, progress.unreadableTo);
  const known = progress.selecting === undefined || progress.selecting === wanted.selecting;
  // Of the blocks that the earlier filter took nothing of, none was counted: they may hold something now.
  ahead.exact &&= known || progress.cursor.sequence >= Math.max(progress.countedTo, state.offeredFrom);
  const isCounted = progress.selecting !== undefined;
  progress.selecting = wanted.selecting;
  const { retrying } = progress;
  if (retrying && progress.status.state === 'running') {
    const { since, tries, spentMs = 0 } = retrying;
    state.run = { since, tries, spentMs, refusedMs: undefined, lastAt: undefined };
  }
  // The blocks between the start of a new stream and the first offered block have not been counted yet.
  const isNew = !progress.written && progress.status.state === 'pending' && !isCounted;
  if (isNew && progress.cursor.sequence < state.offeredFrom) ahead.exact = false;
  if (!ahead.exact)
    progress.countedTo = Math.max(progress.countedTo, Math.min(state.offeredFrom, beyondOf(state)));
  for (let at = 0; at < state.early.length; at += 4) {
    const [sequence, passed, covered, arrivedAt] = state.early.slice(at, at + 4) as [
      number,
      number,
      number,
      number,
    ];
    addEarly(state, sequence, passed, covered, arrivedAt);
  }
  state.early = [];
  addUnreadable(state, ahead.unreadableTo);
  if (progress.jumped && ahead.unreadableTo > 0 && ahead.unreadableTo <= progress.cursor.sequence)
    missUnread(state, step);
  // Of a block that came when too many waited to be counted one by one: the count finds it.
  if (!ahead.exact)
    progress.countedTo = Math.max(progress.countedTo, Math.min(step.at.dispatched, beyondOf(state)));
  const { state: shown } = progress.status;
  state.phase = shown === 'pending' ? 'paused' : shown;
  if (shown === 'pending') {
    if (progress.generation !== wanted.generation) progress.generation = wanted.generation;
    if (wanted.desired === 'paused') enter(state, step, 'paused', WORDS.paused.say());
    else enter(state, step, 'running', WORDS.running.say());
  }
  reconcile(state, step);
  planTrials(state, step);
  if (progress.losing) goOnLosing(state, step, progress.losing);
  if (!ahead.exact) startCounting(state, step);
}

/** M1: it takes effect in this step. Effects of the rest of the document follow with `loaded`. */
export function changed(state: State, step: Step, wanted: Wanted): void {
  const before = state.wanted;
  if (wanted.revision < before.revision) return;
  state.wanted = wanted;
  if (state.phase === 'loading') return;
  if (state.loadedRevision < wanted.revision) step.effects.push({ type: 'load' });
  endWaiting(state);
  if (before.selecting !== wanted.selecting) selectAnew(state, step);
  reconcile(state, step);
  if (before.autoRestart !== wanted.autoRestart) planTrials(state, step);
  state.dirty = true;
}

/** The filter that is current when a record is taken applies: waiting records are counted again. */
function selectAnew(state: State, step: Step): void {
  withdraw(state, step, false);
  const { progress } = state;
  // Blocks that held nothing for the stream were not offered: they may hold something now.
  progress.countedTo = Math.max(progress.countedTo, Math.min(step.at.dispatched, beyondOf(state)));
  reselect(state, step, true);
  progress.boundary = null;
  progress.selecting = state.wanted.selecting;
}

/** Brings the state in line with the wishes of the users. */
function reconcile(state: State, step: Step): void {
  const { progress, wanted, phase } = state;
  const restarted = wanted.generation !== progress.generation;
  if (restarted) {
    progress.generation = wanted.generation;
    forgive(state);
    state.dirty = true;
  }
  if (wanted.desired === 'paused') {
    if (phase !== 'paused') enter(state, step, 'paused', WORDS.paused.say());
  } else if (phase === 'paused' || ((phase === 'error' || state.trial) && restarted)) {
    forgive(state);
    enter(state, step, 'running', WORDS.running.say());
  }
}

/**
 * How long a request to the destination before may go on, ms. Most have ended by then, so that no record goes to
 * both. A longer time would delay a user who changes a hanging destination.
 */
const LAST_ANSWER_MS = 5_000;

/**
 * Requests in flight end first; after a restart, at once. Records that they delivered are not sent to the new destination,
 * which is opened after the answer. The waiting records are selected anew.
 */
function destinationChanged(state: State, step: Step, elsewhere: boolean): void {
  withdraw(state, step, false);
  if (!elsewhere) cutShort(state, step, 'the data stream was restarted');
  for (const request of state.flight.values()) {
    if (request.stage !== 'sent' || request.cancelled) continue;
    request.cancelled = true;
    state.cutAt = Math.min(state.cutAt, step.at.monotonic + LAST_ANSWER_MS);
  }
  reselect(state, step);
  state.progress.boundary = null;
  if (state.open !== 'closed') step.effects.push({ type: 'close' });
  state.open = 'closed';
  state.openTicket++;
  state.gathering = undefined;
  state.concurrency = undefined;
  state.size = newSize();
  // The answers of the previous destination say nothing about this one: refused records get two looks again.
  forgive(state);
}

/** Requests to the destination before have had their time. */
export function cutLate(state: State, step: Step): void {
  if (step.at.monotonic < state.cutAt) return;
  state.cutAt = Number.POSITIVE_INFINITY;
  for (const [id, { stage, cancelled }] of state.flight) {
    if (stage !== 'sent' || !cancelled) continue;
    step.effects.push({ type: 'cancel', request: id, reason: 'the destination was changed' });
  }
}

/** Requests in flight end now. They stay in flight until they report the accepted records. */
function cutShort(state: State, step: Step, reason: string): void {
  for (const request of state.flight.values()) {
    if (request.stage !== 'sent') continue;
    request.cancelled = true;
    step.effects.push({ type: 'cancel', request: request.id, reason });
  }
}

/** A deleted stream leaves no state behind. */
export function deleted(state: State, step: Step): void {
  cutShort(state, step, 'the data stream was deleted');
  for (const request of state.flight.keys()) step.effects.push({ type: 'free_memory', request });
  state.flight.clear();
  end(state, step);
}

/** The node stops, or releases the partition: no new request begins, and requests in flight get their time. */
export function stop(state: State, step: Step): void {
  if (state.phase === 'loading') {
    end(state, step);
    return;
  }
  state.phase = 'stopping';
  state.dirty = true;
}

/** The time of requests in flight is over. The records that they delivered by now are counted and committed. */
export function graceOver(state: State, step: Step): void {
  cutShort(state, step, 'the node is stopping');
}

/** M4: while the stream does not run, it requests nothing and holds nothing. */
export function quiet(state: State, step: Step): void {
  if (state.phase === 'loading' || state.phase === 'ended') return;
  withdraw(state, step, false);
  letGo(state);
}

/** A job ends with its range, and at a node when no request is in flight any more. */
export function endIfDone(state: State, step: Step): void {
  const done = isDone(state);
  if (!done && (state.phase !== 'stopping' || state.flight.size > 0)) return;
  step.effects.push({ type: 'commit' });
  end(state, step, done);
}

function isDone(state: State): boolean {
  if (state.phase !== 'running' || !state.job.until || !reachedEnd(state)) return false;
  return state.ledger.open === 0 && state.flight.size === 0;
}

function end(state: State, step: Step, done = false): void {
  state.phase = 'ended';
  state.dirty = false;
  state.window.clear();
  step.effects.push({ type: 'ended', done });
}

/**
 * The runner met an unreadable block, so it could not offer it: how many of its records were the stream's is unknown.
 */
export function unreadable(state: State, step: Step, sequence: number): void {
  if (sequence >= beyondOf(state)) return;
  if (state.live && sequence >= state.readAt.sequence) {
    state.readAt = { sequence: sequence + 1, index: 0 };
    missUnread(state, step);
  } else if (state.phase === 'loading') state.ahead.unreadableTo = sequence + 1;
  else if (sequence >= state.progress.countedTo) addUnreadable(state, sequence + 1);
}

/** A stream that had caught up goes on behind a block that nobody could read. */
function missUnread(state: State, step: Step): void {
  state.progress.unreadable(1, 0, step.at.now);
  state.dirty = true;
}

export function notRead(state: State, step: Step, ticket: number, message: string): void {
  if (ticket !== state.readTicket) return;
  state.reading = false;
  trouble(state, step, {
    code: 'record_log_not_read',
    message: 'The record log of simstream cannot be read at the moment.',
    detail: message,
  });
}

/**
 * The retention removes a block, also while requests are in flight. Waiting records have expired. For records in
 * flight the answer decides: those that are not accepted have expired.
 */
export function expire(
  state: State,
  step: Step,
  sequence: number,
  block: Block | undefined,
  selection: Selection | undefined,
): void {
  const { progress, ledger, window, flight } = state;
  if (sequence < progress.cursor.sequence) return;
  state.dirty = true;
  if (!isIdle(state)) withdraw(state, step, true);
  let lost = 0;
  const count = (records: number, at: number) => {
    lost += records;
    progress.expire(records, at, step.at.now);
  };
  for (const span of window.discard(sequence).spans) {
    ledger.fate([span]);
    count(span.to - span.from, span.arrivedAt);
  }
  for (const entry of state.again) {
    const expired = entry.chunk.filter((span) => span.sequence <= sequence);
    if (expired.length === 0) continue;
    ledger.fate(expired);
    for (const part of expired) count(part.to - part.from, part.arrivedAt);
  }
  state.again = state.again
    .map((entry) => ({ ...entry, chunk: entry.chunk.filter((span) => span.sequence > sequence) }))
    .filter(({ chunk }) => chunk.length > 0);
  for (const request of flight.values()) request.expiredThrough = Math.max(request.expiredThrough, sequence);
  if (lost > 0) step.effects.push({ type: 'expired', records: lost });
  if (block) {
    // The previous holder had removed the blocks in between, and its accounts did not become durable: a gap like any
    // other.
    if (sequence > state.readAt.sequence) lose(state, step, sequence);
    expireUnread(state, step, sequence, block, selection);
  } else if (sequence >= state.readAt.sequence)
    lose(state, step, sequence + 1, 'it cannot be read, and is due');
}
