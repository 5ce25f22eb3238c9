import type { Cause, Outcome } from '../../destinations/contract.ts';
import { countOf } from './chunk.ts';
import { refusedOne, tookOne } from './concurrency.ts';
import { divisorOf, sizeFailed } from './size.ts';
import type { Entry, Request, State, Step } from './state.ts';

/** What an answer teaches about how much the destination takes: records in a request, and requests at a time. */

/** A quick failure by an answer counts as one of size only after this many in a row. */
const SAME_TRIES = 3;

/** Z1, Z2. A file keeps its end after every result: its size teaches nothing. */
export function learnSize(
  state: State,
  { entry, sent }: Request,
  outcome: Outcome & { readonly cause: Cause },
): { readonly smaller: boolean; readonly entry: Partial<Entry> } {
  const count = countOf(sent);
  const divisor = divisorOf(outcome);
  if (state.gathering?.by !== 'batch' || state.trial) return { smaller: false, entry: {} };
  if (count === 1 && entry.sizeBefore) {
    state.size = entry.sizeBefore;
    state.probed = true;
    return { smaller: false, entry: { sizeBefore: undefined } };
  }
  const slow = outcome.cause.code === 'timeout' || outcome.type !== 'retry';
  const soon = !slow && (state.run?.tries ?? 0) + 1 < SAME_TRIES;
  if (divisor === 1 || count === 1 || state.probed || soon) return { smaller: false, entry: {} };
  const sizeBefore = entry.sizeBefore ?? { ...state.size };
  sizeFailed(state.size, count, divisor);
  return { smaller: true, entry: { sizeBefore } };
}

/** The destination accepted a request, or a part of it: learns how many it accepts at a time. */
export function learnTaken(
  { concurrency, nextRequest }: State,
  step: Step,
  { id, sent, sentAt }: Request,
): void {
  if (!concurrency) return;
  const { now, monotonic } = step.at;
  const answer = { now, ms: monotonic - sentAt, records: countOf(sent) };
  if (tookOne(concurrency, id, nextRequest, answer)) step.effects.push({ type: 'lowered', by: 'slow' });
}

/** The destination did not accept a request as a whole: perhaps because too many were in flight. */
export function learnRefused(
  { concurrency, nextRequest }: State,
  step: Step,
  { id }: Request,
  cause: Cause,
): void {
  if (!concurrency) return;
  const refused = { now: step.at.now, cause: cause.message };
  if (refusedOne(concurrency, id, nextRequest, refused))
    step.effects.push({ type: 'lowered', by: 'refused' });
}
