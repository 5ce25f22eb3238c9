import { claimed } from './accounts.ts';
import type { Counted } from './events.ts';
import { HourCounts } from './hours.ts';
import { type Counting, noneAhead, type State, type Step } from './state.ts';
import { type Except, NOTHING } from './unfated.ts';

/**
 * What lies between the place of reading and the blocks that were handed out: an estimate, and the counts that make it exact
 * again after another filter or a gap.
 *
 *  R2  What was not read yet is an estimate (`ahead`); what is read replaces it. At the runner's place nothing is ahead.
 */

/** Counts what lies ahead, once. */
export function addAhead(
  state: State,
  sequence: number,
  passed: number,
  covered: number,
  arrivedAt: number,
): void {
  const { progress, ahead, counting } = state;
  if (sequence < progress.countedTo || sequence < state.readAt.sequence) return;
  progress.countedTo = sequence + 1;
  if (ahead.counts.passed === 0 && passed > 0) ahead.oldest = arrivedAt;
  ahead.counts.add(arrivedAt, passed, covered);
  counting?.counts.add(arrivedAt, passed, covered);
}

/** R2. All that could be read has been read: what is left of the estimate went with a gap, and no count has to find it. */
export function nothingAhead(state: State, step: Step): void {
  const { counting } = state;
  state.counting = undefined;
  if (counting?.lostFrom !== undefined) {
    const before = counting.lostFrom.plus(counting.counts);
    countLost(state, step, allOf(state, step, before), counting.blocks, counting.damaged, true);
  }
  state.ahead = noneAhead();
}

/** Records that a gap has taken, by the hour of their arrival. */
type Lost = readonly { readonly hour: number; readonly records: number }[];

function allOf({ ahead }: State, { at }: Step, counts: HourCounts): Lost {
  return counts.spread(counts.passed, new HourCounts(), ahead.oldest ?? at.now);
}

/** The blocks from `readAt` up to `to` cannot be had: what of them was the stream's is found out by counting the rest. */
export function lose(state: State, step: Step, to: number, fault?: string): void {
  const damaged = fault !== undefined;
  const { ahead, progress, counting } = state;
  const blocks = to - state.readAt.sequence;
  // A read under way is about what is lost.
  state.reading = false;
  state.readTicket++;
  state.readAt = { sequence: to, index: 0 };
  state.dirty = true;
  if (damaged) step.effects.push({ type: 'fault', message: `block ${to - 1}: ${fault}` });
  if (to >= progress.countedTo) {
    if (counting?.lostFrom !== undefined) {
      counting.blocks += blocks;
      counting.damaged ||= damaged;
    } else
      countLost(
        state,
        step,
        ahead.exact ? allOf(state, step, ahead.counts) : [],
        blocks,
        damaged,
        ahead.exact,
      );
    nothingAhead(state, step);
  } else if (!ahead.exact) countLost(state, step, [], blocks, damaged, false);
  else if (counting?.lostFrom === undefined) startCounting(state, step, ahead.counts.copy(), blocks, damaged);
  // A count under way that looks for what was lost may have seen this gap or not.
  else counting.shaken = true;
}

/** Counts what lies ahead anew: with another filter, or to find out what a gap has taken. */
export function startCounting(
  state: State,
  step: Step,
  lostFrom: HourCounts | undefined,
  blocks = 0,
  damaged = false,
): void {
  const { readAt, progress } = state;
  if (readAt.sequence >= progress.countedTo) return;
  const ticket = ++state.countTicket;
  state.counting = { ticket, lostFrom, blocks, damaged, counts: new HourCounts(), shaken: false };
  const { sequence } = readAt;
  step.effects.push({
    type: 'count',
    ticket,
    from: sequence,
    before: progress.countedTo,
    except: exceptions(state, sequence),
  });
}

/** Of the blocks from `sequence` on, what is not to be counted. */
function exceptions(state: State, sequence: number): ReadonlyMap<number, Except> {
  const { ledger, readAt, job } = state;
  const blocks = new Set([...ledger.sequences(), readAt.sequence, job.until?.sequence ?? 0]);
  return new Map([...blocks].filter((of) => of >= sequence).map((of) => [of, exceptOf(state, of)]));
}

export function counted(state: State, step: Step, ticket: number, result: Counted): void {
  const { counting, ahead } = state;
  if (counting?.ticket !== ticket) return;
  state.counting = undefined;
  state.dirty = true;
  if (counting.shaken) {
    countAgain(state, step, counting);
    return;
  }
  if (counting.lostFrom !== undefined) {
    const records = Math.max(0, counting.lostFrom.passed - result.counts.passed);
    const lost = counting.lostFrom.spread(records, result.counts, ahead.oldest ?? step.at.now);
    countLost(state, step, lost, counting.blocks, counting.damaged, true);
  }
  // R2. What was counted at the runner's place itself is handed out next.
  if (state.live) return;
  ahead.counts = result.counts.plus(counting.counts);
  ahead.oldest = result.oldest ?? ahead.oldest;
  ahead.exact = true;
}

/** What was counted may have gone meanwhile, and been accounted for: only a new count tells. */
function countAgain(state: State, step: Step, { lostFrom, counts, blocks, damaged }: Counting): void {
  startCounting(state, step, lostFrom?.plus(counts), blocks, damaged);
}

function countLost(
  state: State,
  step: Step,
  lost: Lost,
  blocks: number,
  damaged: boolean,
  known: boolean,
): void {
  const { progress } = state;
  const { now } = step.at;
  const records = lost.reduce((sum, part) => sum + part.records, 0);
  // Other streams' records: nothing of this one was in it.
  if (known && records === 0) return;
  for (const part of lost) progress.expire(part.records, part.hour, now);
  if (damaged || !known) progress.unreadable(blocks, records, now);
  state.dirty = true;
  if (records > 0) step.effects.push({ type: 'expired', records });
}

/** What of a block has a fate, is taken, or is not part of the job. `NOTHING`, the same object, where that is so. */
export function exceptOf(state: State, sequence: number): Except {
  const { until } = state.job;
  // R1: before the place of reading every record is taken, done or did not pass.
  const from = sequence === state.readAt.sequence ? state.readAt.index : 0;
  const ends = until && sequence >= until.sequence;
  const done = state.ledger.doneOf(sequence);
  if (from === 0 && !ends && !done) return NOTHING;
  const ranges: ArrayLike<number>[] = [];
  if (done) ranges.push(done, takenOf(state, sequence));
  const end = sequence === until?.sequence ? until.index : 0;
  return { from, until: ends ? end : Number.POSITIVE_INFINITY, ranges };
}

/** What of a block is in flight, or to be sent again: it stays taken, whatever passes now. */
function takenOf(state: State, sequence: number): readonly number[] {
  return claimed(state)
    .flat()
    .filter((span) => span.sequence === sequence)
    .sort((a, b) => a.from - b.from)
    .flatMap(({ from, to }) => [from, to]);
}
