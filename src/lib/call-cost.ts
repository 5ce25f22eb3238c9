import { AsyncLocalStorage } from 'node:async_hooks';
import { type Work, working } from './loop-watch.ts';

/** The cost of one call so far. All work for the call adds to it, however deep below its handler. */
export interface CallCost {
  readonly work: Work;
  /** Milliseconds that the event loop was busy with it and nothing else. Waiting costs nothing. */
  loopMs: number;
  /** The call was answered. Work that it started goes on without being charged. */
  answered?: boolean;
  /** What the call changed, for the audit log, without secrets. */
  changed?: Changed;
}

export interface Changed {
  /** undefined: it did not exist. */
  readonly before: object | undefined;
  /** undefined: it does not exist any more. */
  readonly after: object | undefined;
}

const calls = new AsyncLocalStorage<CallCost>();
/** Work inside of work that is charged already is not charged twice. */
let charging = false;

/** Runs a function on behalf of a call: its synchronous part is charged, and later each function that it runs by `charged`. */
export function onBehalfOf<Result>(call: CallCost, run: () => Result): Result {
  return calls.run(call, () => charged(run));
}

/** Notes a change that the present call made. Of several changes in a call the first is noted. */
export function noteChange(before: object | undefined, after: object | undefined): void {
  const call = calls.getStore();
  if (call && !call.answered) call.changed ??= { before, after };
}

/** The organisation of the present call; undefined if the work belongs to no organisation's call. */
export function payer(): number | undefined {
  const call = calls.getStore();
  return call?.answered ? undefined : call?.work.organisationId;
}

/** Runs work that keeps the event loop busy and charges it to the present call, if the work belongs to one. */
export function charged<Result>(run: () => Result): Result {
  const call = calls.getStore();
  if (!call || call.answered || charging) return run();
  working(call.work);
  charging = true;
  const begun = performance.now();
  try {
    return run();
  } finally {
    charging = false;
    call.loopMs += performance.now() - begun;
  }
}
