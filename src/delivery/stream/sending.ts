import type { Cause } from '../../destinations/contract.ts';
import { comparePositions, type Position } from '../../log/log.ts';
import { bytesOf, countOf, lastOf, slice } from './chunk.ts';
import { began, newConcurrency } from './concurrency.ts';
import { newEntry, putBack, slotsIn } from './entries.ts';
import type { Actor } from './events.ts';
import { fail, trouble } from './failing.ts';
import { reachedEnd, wantsMore } from './reading.ts';
import { reselect } from './reading-again.ts';
import { type Entry, inFlightOf, type Request, type State, type Step, slotsOf } from './state.ts';
import type { Taking } from './taking.ts';
import { TRIAL_RECORDS } from './trial.ts';
import { Window } from './window.ts';

/**
 * Which records go out next, and the conditions for that: an open destination, a durable end (files), memory.
 *
 *   committing → asking → sent → (quarantining)
 *
 *  N1  Records that were sent before and are not done go first in their lanes (M5).
 *  N2  Where a file ends is committed before the file is stored: storing it again writes the same records.
 *  N3  A request whose records are no longer its own (expired, paused, another filter) is withdrawn before it is sent.
 */

/** Begins as many requests as may be in flight. */
export function sendWhatCan(state: State, step: Step): void {
  if (state.phase !== 'running' || state.loadedRevision < state.wanted.revision) return;
  while (state.flight.size < inFlightOf(state)) {
    if (step.at.monotonic < state.waitUntil || step.at.monotonic < state.pacedUntil) return;
    if (state.again.length === 0 && state.window.count === 0) return;
    if (state.open !== 'open') {
      openFirst(state, step);
      return;
    }
    const entry = nextEntry(state, step);
    if (!entry) return;
    begin(state, step, entry);
  }
}

/** The destination is opened once there is something to send: an idle stream pays for no SDK and no connection. */
function openFirst(state: State, step: Step): void {
  if (state.open === 'opening') return;
  state.open = 'opening';
  step.effects.push({ type: 'open', ticket: ++state.openTicket });
}

function nextEntry(state: State, step: Step): Entry | undefined {
  const { again, flight } = state;
  if (slotsOf(state) === 1) {
    if (flight.size > 0) return undefined;
    const first = again[0];
    if (!first) return takeNew(state, step, () => true);
    if (first.notBefore > step.at.monotonic) return state.refusing?.probe ? probe(state, step) : undefined;
    again.shift();
    return first;
  }
  const busy = new Set<number>();
  for (const { entry } of flight.values()) for (const slot of slotsIn(entry.chunk)) busy.add(slot);
  for (const [at, entry] of again.entries()) {
    const slots = slotsIn(entry.chunk);
    if (entry.notBefore <= step.at.monotonic && !slots.some((slot) => busy.has(slot))) {
      again.splice(at, 1);
      return entry;
    }
    for (const slot of slots) busy.add(slot);
  }
  return takeNew(state, step, (slot) => !busy.has(slot));
}

/**
 * The record behind one that was refused twice. Order holds with every result: if the record is accepted, the refused
 * one is quarantined without another try; if not, it waits behind that record again.
 */
function probe(state: State, step: Step): Entry | undefined {
  const next = state.again[1] ?? takeNew(state, step, () => true);
  if (!next) return undefined;
  if (next === state.again[1]) state.again.splice(1, 1);
  if (state.refusing) state.refusing = { ...state.refusing, probe: false };
  return { ...next, notBefore: 0, most: 1, isProbe: true };
}

/** Takes records that were never sent, or not since the node started. */
function takeNew(state: State, step: Step, free: (slot: number) => boolean): Entry | undefined {
  const { window, progress, size } = state;
  const gathering = state.gathering as Taking;
  const oldest = window.oldest;
  if (!oldest) return undefined;
  // Behind the tail a request is filled from the log first: it takes as many records as its limits allow.
  if (!state.live && !reachedEnd(state) && wantsMore(state, step)) return undefined;
  const { boundary } = progress;
  if (boundary && comparePositions(boundary, oldest.position) < 0) progress.boundary = null;
  const until = progress.boundary ?? undefined;
  const file = gathering.by === 'file';
  const records = file ? gathering.records : Math.min(gathering.records, size.ceiling, paceOf(state));
  if (until) {
    // All of it is read first, so that the request is the same as before. If no request is in flight, no memory will
    // become free.
    if (
      state.flight.size > 0 &&
      state.readAt.sequence <= until.sequence &&
      window.count < records &&
      !state.live &&
      !reachedEnd(state)
    )
      return undefined;
  } else if (file) {
    if (!isDue(state, step, gathering.records, gathering.intervalMs, oldest.arrivedAt)) return undefined;
  } else if (gathering.wait) {
    const { wait } = gathering;
    if (!isDue(state, step, Math.min(wait.records, records), wait.ms, oldest.arrivedAt)) return undefined;
  }
  const chunk = window.take(
    { records, bytes: file ? Number.POSITIVE_INFINITY : gathering.bytes, until },
    free,
  );
  if (chunk.length === 0) return undefined;
  state.fileDueAt = undefined;
  return newEntry(chunk, state.wanted.selecting);
}

/** Due by its number of records, or the interval after its first record arrived, measured by the monotonic clock. */
function isDue(state: State, { at }: Step, records: number, intervalMs: number, arrivedAt: number): boolean {
  if (state.window.count >= records) return true;
  if (reachedEnd(state)) return true;
  if (state.fileDueAt === undefined) {
    // Wall time gives only the age of the first record; after a change of the clock the age must not exceed the interval.
    const age = Math.min(Math.max(0, at.now - arrivedAt), intervalMs);
    state.fileDueAt = at.monotonic + intervalMs - age;
  }
  // A file is filled from the log first; a batch has waited long enough, however far behind the stream is.
  return (state.live || state.gathering?.by === 'batch') && at.monotonic >= state.fileDueAt;
}

function begin(state: State, step: Step, entry: Entry): void {
  const count = countOf(entry.chunk);
  const most = mostOf(state, entry);
  const sent = count > most ? slice(entry.chunk, 0, most) : entry.chunk;
  const id = state.nextRequest++;
  const tries = (entry.run ?? state.run)?.tries ?? 0;
  const request: Request = {
    id,
    entry,
    sent,
    tries: tries + 1,
    begunAt: step.at.monotonic,
    sentAt: 0,
    stage: 'asking',
    expiredThrough: -1,
    cancelled: false,
    refused: [],
    rejected: 0,
  };
  state.flight.set(id, request);
  if (state.concurrency) began(state.concurrency, state.flight.size);
  pace(state, step, Math.min(count, most));
  if (state.gathering?.by === 'file' && !isSame(state.progress.boundary, lastOf(sent))) {
    state.progress.boundary = lastOf(sent);
    request.stage = 'committing';
    step.effects.push({ type: 'commit_now', request: id });
  } else ask(state, step, request);
}

/** How many records of an entry go into its next request. */
function mostOf(state: State, entry: Entry): number {
  if (state.gathering?.by === 'file') return entry.most;
  const { run, probed, size, trial } = state;
  // Size was not the cause, but it may be now: from time to time a single record shows whether the destination is back.
  if (probed && run && run.tries % PROBE_EVERY === PROBE_EVERY - 1) return 1;
  const limits = Math.min(entry.most, size.ceiling, paceOf(state), (state.gathering as Taking).records);
  return trial ? Math.min(limits, TRIAL_RECORDS) : limits;
}

const PROBE_EVERY = 4;

/** The smaller of the job's own pace and the stream's. */
function recordPace({ job, gathering }: State): number {
  const infinite = Number.POSITIVE_INFINITY;
  return Math.min(job.recordsPerSecond ?? infinite, gathering?.recordsPerSecond ?? infinite);
}

function paceOf(state: State): number {
  return Math.max(1, Math.ceil(recordPace(state)));
}

function pace(state: State, { at }: Step, records: number): void {
  const seconds = Math.max(
    records / recordPace(state),
    1 / (state.gathering?.requestsPerSecond ?? Number.POSITIVE_INFINITY),
  );
  if (seconds === 0) return;
  state.pacedUntil = Math.max(state.pacedUntil, at.monotonic) + seconds * 1_000;
}

function isSame(a: Position | null, b: Position): boolean {
  return a !== null && comparePositions(a, b) === 0;
}

function ask(state: State, step: Step, request: Request): void {
  request.stage = 'asking';
  const failing = state.run !== undefined || request.entry.run !== undefined;
  const copies = state.gathering?.by === 'batch' ? (state.gathering.copies ?? 0) : 0;
  const bytes = Math.ceil(bytesOf(request.sent) * (1 + copies));
  step.effects.push({ type: 'ask_memory', request: request.id, bytes, failing });
}

/** N2 */
export function committed(state: State, step: Step, id: number): void {
  const request = state.flight.get(id);
  if (request?.stage === 'committing') ask(state, step, request);
}

/** The end of a file cannot be made durable: the storage does not answer, or another node holds the partition. */
export function notCommitted(state: State, step: Step, id: number): void {
  const request = state.flight.get(id);
  if (request?.stage !== 'committing') return;
  state.flight.delete(id);
  putBack(state, request.entry, false);
  trouble(state, step, {
    code: 'progress_not_stored',
    message: 'The progress of the data stream cannot be stored at the moment.',
  });
}

export function granted(state: State, step: Step, id: number): void {
  const request = state.flight.get(id);
  if (request?.stage !== 'asking') {
    step.effects.push({ type: 'free_memory', request: id });
    return;
  }
  request.stage = 'sent';
  request.sentAt = step.at.monotonic;
  step.effects.push({ type: 'send', request: id, chunk: request.sent, tries: request.tries });
}

/** N3: takes back all unsent requests. */
export function withdraw(state: State, step: Step, keepBlocks: boolean): void {
  for (const request of [...state.flight.values()]) {
    if (request.stage !== 'asking' && request.stage !== 'committing') continue;
    state.flight.delete(request.id);
    step.effects.push({ type: 'free_memory', request: request.id });
    putBack(state, request.entry, keepBlocks);
  }
}

/**
 * The destination is open. If it takes records in another way than the previous one (files, lanes), waiting records
 * are read again.
 */
export function opened(state: State, step: Step, ticket: number, gathering: Taking): void {
  if (ticket !== state.openTicket || state.open !== 'opening') return;
  state.open = 'open';
  state.gathering = gathering;
  const most = gathering.by === 'batch' ? gathering.lanes?.inFlight : undefined;
  if (state.concurrency?.most !== most)
    state.concurrency = most === undefined ? undefined : newConcurrency(most, state.nextRequest);
  const keepBlocks = gathering.by === 'batch';
  if (state.window.keepsBlocks === keepBlocks && state.window.slots === slotsOf(state)) return;
  reselect(state, step);
  state.window = new Window(slotsOf(state), keepBlocks, state.memory);
}

export function notOpened(state: State, step: Step, ticket: number, cause: Cause, actor: Actor): void {
  if (ticket !== state.openTicket || state.open !== 'opening') return;
  state.open = 'closed';
  if (actor === 'operator') trouble(state, step, cause);
  else fail(state, step, cause, { refused: actor === 'customer', atLeastMs: 0, smaller: false });
}
