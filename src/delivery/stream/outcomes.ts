import type { Outcome, RecordFailure } from '../../destinations/contract.ts';
import { comparePositions } from '../../log/log.ts';
import { countOf, lastOf, pick } from './chunk.ts';
import { isOldNews } from './concurrency.ts';
import { type Event, isNotThere, type NotThere, type Refused } from './events.ts';
import { fail, giveUp, trouble } from './failing.ts';
import { backAgain, expirePart, fate, keep, putRest } from './fates.ts';
import { holdUpLanes, mayBeOfItsLanes } from './held-lanes.ts';
import { learnRefused, learnSize, learnTaken } from './learning.ts';
import { reselect } from './reading-again.ts';
import { refuse } from './refusals.ts';
import { divisorOf, newSize, sizeFailed, sizeSucceeded } from './size.ts';
import { type Request, type State, type Step, slotsOf } from './state.ts';
import { judgesRecords, recovered } from './trial.ts';

/** Cause of records whose stored bytes do not match their checksum. */
export const DAMAGED = 'stored_block_damaged';

type Usage = Extract<Event, { type: 'answered' }>['usage'];
type Answer = Outcome | NotThere;

/** The handling of a request's result. */
export function answered(state: State, step: Step, id: number, outcome: Answer, usage?: Usage): void {
  const request = state.flight.get(id);
  if (request?.stage !== 'sent') return;
  state.flight.delete(id);
  step.effects.push({ type: 'free_memory', request: id });
  state.dirty = true;
  // Together with the fates of the same records below: accepted records are delivered, whatever happens to the others.
  const { hours } = state.progress;
  if (usage && hours) usage.addTo((arrivedAt) => hours.usageAt(arrivedAt));
  if (request.cancelled && !isNotThere(outcome)) cutShort(state, step, withoutProbe(request), outcome);
  else if (request.entry.isProbe) probeAnswered(state, step, withoutProbe(request), outcome);
  else if (!trialRefused(state, step, request, outcome)) conclude(state, step, request, outcome);
}

/**
 * The answer to a trial is about its records.
 * @returns whether the stream stays in Error because of that
 */
function trialRefused(state: State, step: Step, request: Request, outcome: Answer): boolean {
  if (!state.trial || isNotThere(outcome) || !judgesRecords(outcome, countOf(request.sent))) return false;
  const { cause } =
    outcome.type === 'partial'
      ? (outcome.failures[0] as RecordFailure)
      : (outcome as Extract<Outcome, { type: 'rejected' | 'too_large' }>);
  if (cause.code === DAMAGED) return false;
  if (!state.progress.trial?.ofRecords) {
    recovered(state, step);
    return false;
  }
  backAgain(state, step, request);
  giveUp(state, step, cause, { ofRecords: true });
  return true;
}

function withoutProbe(request: Request): Request {
  if (!request.entry.isProbe) return request;
  return { ...request, entry: { ...request.entry, most: Number.POSITIVE_INFINITY, isProbe: false } };
}

/** The record behind one that was refused twice was sent. */
function probeAnswered(state: State, step: Step, request: Request, outcome: Answer): void {
  const { type } = outcome;
  if (type === 'rejected' || type === 'too_large' || type === 'partial') {
    // It was not accepted either, which says nothing about the record before it.
    backAgain(state, step, request);
    return;
  }
  const { refusing } = state;
  conclude(state, step, request, outcome);
  const [first] = state.again;
  if (type !== 'delivered' || !refusing || first?.refusedAt === undefined || countOf(first.chunk) > 1) return;
  state.again.shift();
  const id = state.nextRequest++;
  const refused: Refused[] = [{ index: 0, cause: refusing.cause }];
  const stored: Request = {
    ...request,
    id,
    entry: first,
    sent: first.chunk,
    stage: 'quarantining',
    refused,
    rejected: 1,
  };
  state.flight.set(id, stored);
  step.effects.push({ type: 'quarantine', request: id, chunk: first.chunk, refused });
}

function conclude(state: State, step: Step, request: Request, outcome: Answer): void {
  switch (outcome.type) {
    case 'delivered':
      fate(state, request.sent, 'delivered');
      succeeded(state, step, request);
      learnTaken(state, step, request);
      sizeSucceeded(state.size, countOf(request.sent), mostOf(state));
      putRest(state, step, request);
      return;
    case 'partial':
      partly(state, step, request, outcome.failures, outcome.afterMs ?? 0);
      return;
    case 'moved':
      // Nothing was sent. All records that are not in flight are read again, as the log has them now.
      backAgain(state, step, request);
      reselect(state, step, true);
      state.progress.boundary = null;
      return;
    case 'gone':
      expirePart(state, step, request.sent, (span) => span.sequence === outcome.sequence);
      keep(state, request, (span) => span.sequence !== outcome.sequence);
      return;
    case 'too_large':
    case 'rejected':
      refusedAsWhole(state, step, request, outcome);
      return;
    case 'retry':
    case 'refused':
      failed(state, step, request, outcome);
      return;
    case 'platform':
      backAgain(state, step, request);
      trouble(state, step, outcome.cause);
  }
}

/** Of a cancelled request only the accepted records count. The rest is as if it had never been sent. */
function cutShort(state: State, step: Step, request: Request, outcome: Outcome): void {
  const { sent } = request;
  const all = Array.from({ length: countOf(sent) }, (_, index) => index);
  const { left, taken } = leftOf(outcome, all);
  fate(state, pick(sent, taken), 'delivered');
  if (taken.length > 0) succeeded(state, step, request);
  const unsent = {
    run: undefined,
    refusedAt: undefined,
    sizeBefore: undefined,
    most: Number.POSITIVE_INFINITY,
  };
  putRest(state, step, request, unsent);
  const entry = { ...request.entry, ...unsent, notBefore: 0, chunk: pick(sent, left) };
  backAgain(state, step, { ...request, entry });
}

/** Splits indexes of records by whether the destination took them. */
function leftOf(
  outcome: Outcome,
  all: readonly number[],
): { left: readonly number[]; taken: readonly number[] } {
  if (outcome.type === 'delivered') return { left: [], taken: all };
  if (outcome.type !== 'partial') return { left: all, taken: [] };
  const left = new Set(outcome.failures.map(({ index }) => index));
  return { left: all.filter((index) => left.has(index)), taken: all.filter((index) => !left.has(index)) };
}

function mostOf({ gathering }: State): number {
  return gathering?.by === 'batch' ? gathering.records : Number.POSITIVE_INFINITY;
}

function succeeded(state: State, step: Step, { sent }: Request): void {
  const { progress } = state;
  recovered(state, step);
  state.successes++;
  state.rejectedInRow = 0;
  state.refusing = undefined;
  state.trouble = undefined;
  progress.lastDeliveredAt = step.at.now;
  if (state.probed && countOf(sent) === 1 && state.run) state.size = { ...newSize(), ceiling: 1, good: 1 };
  state.probed = false;
  state.run = undefined;
  progress.retrying = null;
  if (progress.boundary && comparePositions(progress.boundary, lastOf(sent)) <= 0) progress.boundary = null;
}

/** The destination did not accept the request, and another try, or a person, may help. */
function failed(
  state: State,
  step: Step,
  request: Request,
  outcome: Extract<Outcome, { type: 'retry' | 'refused' }>,
): void {
  const { cause } = outcome;
  if (outcome.type === 'retry') {
    const afterMs = outcome.afterMs ?? 0;
    const old = state.concurrency !== undefined && isOldNews(state.concurrency, request.id);
    learnRefused(state, step, request, cause);
    if (outcome.throttled && mayBeOfItsLanes(state, request, old)) {
      holdUpLanes(state, step, request, cause, afterMs);
      return;
    }
    if (old && state.run) {
      // It was in flight when another request failed: all of them count as one failure.
      backAgain(state, step, request);
      state.waitUntil = Math.max(state.waitUntil, step.at.monotonic + afterMs);
      return;
    }
  }
  const changed = learnSize(state, request, outcome);
  if (state.gathering?.by === 'batch') state.progress.boundary = lastOf(request.entry.chunk);
  backAgain(state, step, request, changed.entry);
  fail(state, step, cause, {
    refused: outcome.type === 'refused',
    atLeastMs: outcome.type === 'retry' ? (outcome.afterMs ?? 0) : 0,
    smaller: changed.smaller,
  });
}

/**
 * The destination refused some of these records, unknown which, or all of them together: requests get smaller until
 * one record is left.
 */
function refusedAsWhole(
  state: State,
  step: Step,
  request: Request,
  outcome: Extract<Outcome, { type: 'too_large' | 'rejected' }>,
): void {
  const { entry, sent } = request;
  const count = countOf(sent);
  const refusedAt = entry.refusedAt ?? state.successes;
  if (count === 1) {
    const damaged = outcome.cause.code === DAMAGED;
    refuse(state, step, { ...request, entry: { ...entry, refusedAt } }, [
      { index: 0, verdict: 'reject', cause: outcome.cause, ...(damaged ? { expected: true } : {}) },
    ]);
    return;
  }
  const sizeBefore = entry.sizeBefore ?? { ...state.size };
  if (state.gathering?.by === 'batch') sizeFailed(state.size, count, divisorOf(outcome));
  const most = state.gathering?.by === 'file' ? count >>> 1 : entry.most;
  backAgain(state, step, request, { refusedAt, sizeBefore, most });
}

/** Some records were accepted, others were not. */
function partly(
  state: State,
  step: Step,
  request: Request,
  failures: readonly RecordFailure[],
  afterMs: number,
): void {
  const { sent } = request;
  const sorted = [...failures].sort((a, b) => a.index - b.index);
  const left = new Set(sorted.map(({ index }) => index));
  const taken: number[] = [];
  const count = countOf(sent);
  for (let index = 0; index < count; index++) if (!left.has(index)) taken.push(index);
  fate(state, pick(sent, taken), 'delivered');
  if (taken.length > 0) {
    succeeded(state, step, request);
    learnTaken(state, step, request);
  }
  const again = sorted.filter(({ verdict }) => verdict === 'retry');
  const rejected = sorted.filter(({ verdict }) => verdict === 'reject');
  putRest(state, step, request);
  if (rejected.length > 0) refusePart(state, step, request, rejected, taken);
  if (again.length > 0) retryPart(state, step, request, again, taken.length > 0, afterMs);
}

/**
 * The destination can never accept some of the records.
 * @param taken indexes of the accepted ones
 */
function refusePart(
  state: State,
  step: Step,
  request: Request,
  rejected: readonly RecordFailure[],
  taken: readonly number[],
): void {
  const { entry, sent } = request;
  const lastTaken = taken[taken.length - 1] ?? -1;
  const part = {
    ...request,
    sent: pick(
      sent,
      rejected.map(({ index }) => index),
    ),
  };
  const own = rejected.map((failure, index) => ({ ...failure, index }));
  const trailing = rejected.filter(({ index, expected }) => index > lastTaken && !expected).length;
  const refusedAt = taken.length > 0 ? -1 : (entry.refusedAt ?? state.successes);
  refuse(state, step, { ...part, entry: { ...entry, chunk: part.sent, refusedAt } }, own, trailing);
}

/** Records of some keys are sent again: their lanes wait, the others go on. A stream of one lane waits as a whole. */
function retryPart(
  state: State,
  step: Step,
  request: Request,
  failures: readonly RecordFailure[],
  someTaken: boolean,
  afterMs: number,
): void {
  const chunk = pick(
    request.sent,
    failures.map(({ index }) => index),
  );
  const { cause, throttled } = failures[0] as RecordFailure;
  const part = { ...request, sent: chunk, entry: { ...request.entry, chunk } };
  // No record was accepted of a request that holds more than the records that failed before: the destination as a
  // whole has a fault, unless it answered that requests come too often.
  const whole =
    !someTaken && request.entry.run === undefined && !(throttled && mayBeOfItsLanes(state, request, false));
  if (slotsOf(state) === 1 || whole || state.trial || state.phase !== 'running') {
    if (whole) learnRefused(state, step, request, cause);
    backAgain(state, step, part);
    fail(state, step, cause, { refused: false, atLeastMs: afterMs, smaller: false });
    return;
  }
  holdUpLanes(state, step, part, cause, afterMs);
}
