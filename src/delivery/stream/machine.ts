import { settle } from './accounts.ts';
import { counted } from './counting.ts';
import type { Effect, Event, EventType, Moment } from './events.ts';
import { nothingToTry } from './failing.ts';
import { hoursKept, keepHours } from './keeping.ts';
import {
  changed,
  cutLate,
  deleted,
  endIfDone,
  expire,
  graceOver,
  loaded,
  notRead,
  quiet,
  stop,
  unreadable,
} from './life.ts';
import { answered } from './outcomes.ts';
import { offered, passHandedOut, read, readOn } from './reading.ts';
import { release } from './reading-again.ts';
import { notQuarantined, quarantined, quarantineFull } from './refusals.ts';
import { committed, granted, notCommitted, notOpened, opened, sendWhatCan } from './sending.ts';
import { waitKnown, watchSlow } from './slow.ts';
import { nothingWaits, type Phase, type State, type Step } from './state.ts';
import { tryNow } from './trial.ts';
import { say } from './words.ts';

/**
 * The machine of one data stream: `step(state, event, moment) → effects`. Pure and synchronous: it knows no promise, no
 * clock, no I/O and no randomness. A driver executes the effects and feeds their results back, one event at a time.
 *
 *   loading  → running | paused | error   its documents were read
 *   running  → paused                     a person paused it: requests in flight end, no other begins
 *   running  → error                      the destination refused for ten minutes, failed for the retry window, refused
 *                                         `quarantineRun` records in a row, or more records than may be quarantined
 *   paused   → running                    a person resumed it
 *   error    → running | paused           a person restarted it (its generation differs), or paused it; or it tries by itself:
 *                                         trial.ts
 *   any      → stopping                   the node stops or releases the partition: requests in flight get their grace time
 *   stopping → ended                      no request is in flight any more
 *   any      → ended                      it was deleted, or its range is done
 *
 *  M1  A state waits for events, never for a time that no event can end: every action of a person takes effect in the
 *      same step.
 *  M2  Every record that passed the filter has one fate: delivered, quarantined, expired; or it is pending.
 *  M3  The cursor is the first record without a fate. It never goes back. Records beyond it that have a fate are
 *      remembered by ranges.
 *  M4  While it does not run, nothing is sent and no records are held in memory: they wait in the log.
 *  M5  Records of one lane go out in their order, one request at a time. A failure delays only its own lane.
 *  M6  Caught up means that nothing is pending.
 */
/**
 * The handling of each event in each phase. `late`: the answer to a question that no longer matters; it only releases
 * the things that it brought. `impossible`: the driver has a bug, and `step` throws.
 */
type Meaning = 'handled' | 'late' | 'impossible';

export const TABLE: Readonly<Record<EventType, Readonly<Record<Phase, Meaning>>>> = {
  loaded: row('handled', 'handled', 'handled', 'handled', 'late', 'late'),
  changed: row('handled', 'handled', 'handled', 'handled', 'late', 'late'),
  deleted: row('handled', 'handled', 'handled', 'handled', 'handled', 'late'),
  offered: row('handled', 'handled', 'handled', 'handled', 'handled', 'late'),
  unreadable: row('handled', 'handled', 'handled', 'handled', 'late', 'late'),
  // A job that does not run, or whose documents are not read yet, reads the log up to the end of its range later.
  range_handed_out: row('late', 'handled', 'late', 'late', 'late', 'late'),
  read: row('impossible', 'handled', 'late', 'late', 'late', 'late'),
  not_read: row('impossible', 'handled', 'late', 'late', 'late', 'late'),
  counted: row('impossible', 'handled', 'handled', 'handled', 'late', 'late'),
  opened: row('impossible', 'handled', 'handled', 'handled', 'late', 'late'),
  not_opened: row('impossible', 'handled', 'late', 'late', 'late', 'late'),
  granted: row('impossible', 'handled', 'late', 'late', 'late', 'late'),
  answered: row('impossible', 'handled', 'handled', 'handled', 'handled', 'late'),
  wait_known: row('impossible', 'handled', 'late', 'late', 'late', 'late'),
  committed: row('impossible', 'handled', 'late', 'late', 'late', 'late'),
  not_committed: row('impossible', 'handled', 'late', 'late', 'late', 'late'),
  quarantined: row('impossible', 'handled', 'handled', 'handled', 'handled', 'late'),
  not_quarantined: row('impossible', 'handled', 'handled', 'handled', 'handled', 'late'),
  quarantine_full: row('impossible', 'handled', 'handled', 'handled', 'handled', 'late'),
  hours_kept: row('impossible', 'handled', 'handled', 'handled', 'handled', 'late'),
  // Before its documents are read the stream has no position: it meets the gap, and counts it, when it reads the log.
  expire: row('late', 'handled', 'handled', 'handled', 'handled', 'late'),
  due: row('impossible', 'handled', 'late', 'handled', 'late', 'late'),
  stop: row('handled', 'handled', 'handled', 'handled', 'impossible', 'late'),
  grace_over: row('impossible', 'impossible', 'impossible', 'impossible', 'handled', 'late'),
};

/** Handles one event, and returns the effects. Changes the state in place. */
export function step(state: State, event: Event, at: Moment): Effect[] {
  const meaning = TABLE[event.type][state.phase];
  if (meaning === 'impossible') throw new Error(`the event ${event.type} cannot come while ${state.phase}`);
  const now: Step = { at, effects: [] };
  if (meaning === 'late') late(event, now);
  else {
    // The block in `offered` is handed out by that event.
    if (event.type !== 'offered') passHandedOut(state, now);
    handle(state, now, event);
    goOn(state, now);
  }
  return now.effects;
}

/** A late event releases the things that it brought. */
function late(event: Event, now: Step): void {
  if (event.type === 'granted') now.effects.push({ type: 'free_memory', request: event.request });
}

function handle(state: State, now: Step, event: Event): void {
  switch (event.type) {
    case 'loaded':
      loaded(state, now, event);
      break;
    case 'changed':
      changed(state, now, event.wanted);
      break;
    case 'deleted':
      deleted(state, now);
      break;
    case 'offered':
      offered(state, now, event.sequence, event.block, event.selection);
      break;
    case 'unreadable':
      unreadable(state, now, event.sequence);
      break;
    case 'range_handed_out':
      // It has been passed by now (passHandedOut).
      break;
    case 'read':
      read(state, now, event.ticket, event.blocks);
      break;
    case 'not_read':
      notRead(state, now, event.ticket, event.message);
      break;
    case 'counted':
      counted(state, now, event.ticket, event.counted);
      break;
    case 'opened':
      opened(state, now, event.ticket, event.gathering);
      break;
    case 'not_opened':
      notOpened(state, now, event.ticket, event.cause, event.actor);
      break;
    case 'granted':
      granted(state, now, event.request);
      break;
    case 'answered':
      answered(state, now, event.request, event.outcome, event.usage);
      break;
    case 'wait_known':
      waitKnown(state, now, event.request, event.actor, event.cause);
      break;
    case 'committed':
      committed(state, now, event.request);
      break;
    case 'not_committed':
      notCommitted(state, now, event.request);
      break;
    case 'quarantined':
      quarantined(state, now, event.request);
      break;
    case 'not_quarantined':
      notQuarantined(state, now, event.request, event.message);
      break;
    case 'quarantine_full':
      quarantineFull(state, now, event.request, event.message);
      break;
    case 'hours_kept':
      hoursKept(state, now, event.before, event.kept);
      break;
    case 'expire':
      expire(state, now, event.sequence, event.block, event.selection);
      break;
    case 'due':
      state.wakeAt = Number.POSITIVE_INFINITY;
      cutLate(state, now);
      tryNow(state, now);
      break;
    case 'stop':
      stop(state, now);
      break;
    case 'grace_over':
      graceOver(state, now);
      break;
  }
}

/** The steps that follow from the present state, after every event. */
function goOn(state: State, now: Step): void {
  if (state.phase !== 'running') quiet(state, now);
  if (state.lettingGo) {
    state.lettingGo = false;
    release(state);
  }
  sendWhatCan(state, now);
  readOn(state, now);
  // Catching up, or opening the destination, may have made other work due.
  sendWhatCan(state, now);
  if (state.phase !== 'loading' && state.phase !== 'ended') {
    settle(state);
    if (nothingWaits(state) && !state.trial) nothingToTry(state);
    watchSlow(state, now);
    say(state, now);
    if (state.dirty) keepHours(state, now);
    endIfDone(state, now);
  }
  wake(state, now);
  if (!state.dirty) return;
  state.dirty = false;
  if (state.phase !== 'ended') now.effects.push({ type: 'commit' });
}

/** The next time at which work is due, if no event comes before. */
function wake(state: State, now: Step): void {
  const at = nextDue(state, now);
  if (at === state.wakeAt) return;
  state.wakeAt = at;
  now.effects.push({ type: 'wake_at', at });
}

function nextDue(state: State, { at }: Step): number {
  if (state.phase === 'error') return state.trialAt;
  if (state.phase !== 'running') return Number.POSITIVE_INFINITY;
  const later = (time: number) => (time > at.monotonic ? time : Number.POSITIVE_INFINITY);
  const waiting = Math.max(state.waitUntil, state.pacedUntil);
  const watching = state.flight.size > 0 ? Math.min(state.cutAt, state.lookAt) : state.cutAt;
  if (waiting > at.monotonic) return Math.min(waiting, watching);
  let due = state.fileDueAt === undefined ? watching : Math.min(watching, later(state.fileDueAt));
  for (const entry of state.again) due = Math.min(due, later(entry.notBefore));
  // Q2: if no request is in flight, its timer fires once more, which costs less than cancelling it for each request.
  return due === Number.POSITIVE_INFINITY ? state.lookAt : due;
}

function row(
  loading: Meaning,
  running: Meaning,
  paused: Meaning,
  error: Meaning,
  stopping: Meaning,
  ended: Meaning,
): Record<Phase, Meaning> {
  return { loading, running, paused, error, stopping, ended };
}
