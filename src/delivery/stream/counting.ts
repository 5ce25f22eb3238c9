import type { Selection } from '../../filters/selection.ts';
import type { Block } from '../../records/block.ts';
import type { Losing } from '../../registry/data-stream.ts';
import { claimed } from './accounts.ts';
import type { Counted } from './events.ts';
import { HourCounts } from './hours.ts';
import { lengthOf } from './ranges.ts';
import { beyond, type Counting, noneAhead, type State, type Step } from './state.ts';
import { type Except, NOTHING, unfatedOf } from './unfated.ts';

/**
 * The records between the place of reading and the blocks that were handed out: an estimate, and the counts that make
 * it exact again after another filter or a gap.
 *
 *  R2  Unread records are an estimate (`ahead`); read records replace it. At the runner's position nothing is ahead.
 */

/**
 * Counts a block that was handed out. The holder before may have handed it out as well, and have committed fates of
 * its records: these are not ahead.
 */
export function addOffered(state: State, sequence: number, block: Block, selection: Selection): void {
  const { count, filtered } = selection;
  const except = exceptOf(state, sequence);
  if (except === NOTHING) {
    addAhead(state, sequence, count, count + filtered, block.arrivedAt);
    return;
  }
  const { passing, skipped } = unfatedOf(selection, block.count, except);
  const passed = lengthOf(passing);
  addAhead(state, sequence, passed, passed + lengthOf(skipped), block.arrivedAt);
}

/**
 * Counts a block that was handed out before the documents were read. Only a new count leaves out those of its records
 * that have a fate.
 */
export function addEarly(
  state: State,
  sequence: number,
  passed: number,
  covered: number,
  arrivedAt: number,
): void {
  const { progress, ahead } = state;
  if (sequence >= progress.countedTo && exceptOf(state, sequence) !== NOTHING) ahead.exact = false;
  addAhead(state, sequence, passed, covered, arrivedAt);
}

/** Counts the records ahead, once. */
function addAhead(state: State, sequence: number, passed: number, covered: number, arrivedAt: number): void {
  const { progress, ahead, counting } = state;
  if (sequence < progress.countedTo || sequence < state.readAt.sequence) return;
  progress.countedTo = sequence + 1;
  if (ahead.counts.passed === 0 && passed > 0) ahead.oldest = arrivedAt;
  ahead.counts.add(arrivedAt, passed, covered);
  counting?.counts.add(arrivedAt, passed, covered);
}

/** A block before this sequence was not read, and nobody counted what it holds: it is ahead all the same. */
export function addUnreadable({ progress, ahead, job }: State, to: number): void {
  if (to <= progress.cursor.sequence) return;
  ahead.unreadableTo = Math.max(ahead.unreadableTo, to);
  progress.countedTo = Math.max(progress.countedTo, job.until ? Math.min(to, beyond(job.until)) : to);
}

/** R2. All readable blocks have been read: the rest of the estimate was lost with a gap, and no count has to find it. */
export function nothingAhead(state: State, step: Step): void {
  const { counting } = state;
  state.counting = undefined;
  if (counting?.lostFrom !== undefined) {
    const before = counting.lostFrom.plus(counting.counts);
    countLost(state, step, allOf(state, step, before), counting.losing);
  }
  state.ahead = noneAhead();
}

/** Records that were lost with a gap, by the hour of their arrival. */
type Lost = readonly { readonly hour: number; readonly records: number }[];

function allOf({ ahead }: State, { at }: Step, counts: HourCounts): Lost {
  return counts.spread(counts.passed, new HourCounts(), ahead.oldest ?? at.now);
}

/**
 * The blocks from `readAt` up to `to` are lost: a count of the rest shows how many of their records were the
 * stream's. Until then the progress says that it is being counted (`Progress.losing`), so that the next holder goes
 * on with it.
 */
export function lose(state: State, step: Step, to: number, fault?: string): void {
  const { ahead, progress, counting, readAt } = state;
  const unknown = !ahead.exact || readAt.sequence < ahead.unreadableTo;
  const losing = { blocks: to - readAt.sequence, damaged: fault !== undefined, unknown };
  // A read in progress is about lost blocks.
  state.reading = false;
  state.readTicket++;
  state.readAt = { sequence: to, index: 0 };
  state.dirty = true;
  if (fault !== undefined) step.effects.push({ type: 'fault', message: `block ${to - 1}: ${fault}` });
  // A count under way may have seen this gap or not.
  if (counting) counting.shaken = true;
  const isCounted = counting?.lostFrom !== undefined;
  if (isCounted) counting.losing = both(counting.losing, losing);
  if (to >= progress.countedTo) {
    if (!isCounted) countLost(state, step, ahead.exact ? allOf(state, step, ahead.counts) : [], losing);
    nothingAhead(state, step);
  } else if (!ahead.exact) countLost(state, step, [], losing);
  else if (!isCounted) startCounting(state, step, { from: ahead.counts.copy(), losing });
}

function both(a: Losing, b: Losing): Losing {
  return {
    blocks: a.blocks + b.blocks,
    damaged: a.damaged || b.damaged,
    unknown: a.unknown || b.unknown,
  };
}

/** The holder before had met a gap, and not found out what of it was the stream's. */
export function goOnLosing(state: State, step: Step, losing: Losing): void {
  const { ahead, progress, readAt } = state;
  if (!ahead.exact) countLost(state, step, [], { ...losing, unknown: true });
  else if (readAt.sequence < progress.countedTo)
    startCounting(state, step, { from: ahead.counts.copy(), losing });
  else {
    countLost(state, step, allOf(state, step, ahead.counts), losing);
    nothingAhead(state, step);
  }
}

const NONE_LOST: Losing = { blocks: 0, damaged: false, unknown: false };

/**
 * Counts the records ahead again: with another filter, or to find out how many were lost with a gap.
 * @param gap what was ahead before it
 */
export function startCounting(
  state: State,
  step: Step,
  gap?: { readonly from: HourCounts; readonly losing: Losing },
): void {
  const { readAt, progress, counting } = state;
  // With another filter it is not found out any more what a gap has taken.
  if (counting?.lostFrom && !gap) countLost(state, step, [], { ...counting.losing, unknown: true });
  state.counting = undefined;
  if (readAt.sequence >= progress.countedTo) return;
  const ticket = ++state.countTicket;
  const losing = gap?.losing ?? NONE_LOST;
  state.counting = { ticket, lostFrom: gap?.from, losing, counts: new HourCounts(), shaken: false };
  const { sequence } = readAt;
  step.effects.push({
    type: 'count',
    ticket,
    from: sequence,
    before: progress.countedTo,
    except: exceptions(state, sequence),
  });
}

/**
 * A block was passed whose records nobody can judge any more, so all of them passed. It is not known how many of them the
 * estimate had: only a new count of the rest is exact. At most one count runs at a time, and a further such block repeats it.
 */
export function unjudged(state: State, step: Step): void {
  const { readAt, progress, counting, ahead } = state;
  if (readAt.sequence >= progress.countedTo) return;
  if (counting) {
    counting.shaken = true;
    return;
  }
  ahead.exact = false;
  startCounting(state, step);
}

/** The records of the blocks from `sequence` on that do not count. */
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
    countLost(state, step, lost, counting.losing);
  }
  // R2. Blocks that were counted at the runner's position itself are handed out next.
  if (state.live) return;
  ahead.counts = result.counts.plus(counting.counts);
  ahead.oldest = result.oldest ?? ahead.oldest;
  ahead.exact = true;
  // What cannot be read was part of the count before if that was exact; then it is counted as lost now.
  if (counting.lostFrom === undefined) ahead.unreadableTo = Math.max(ahead.unreadableTo, result.unreadableTo);
}

/** Counted blocks may have expired meanwhile, and their records been accounted for: only a new count is exact. */
function countAgain(state: State, step: Step, { lostFrom, counts, losing }: Counting): void {
  startCounting(state, step, lostFrom && { from: lostFrom.plus(counts), losing });
}

function countLost(state: State, step: Step, lost: Lost, { blocks, damaged, unknown }: Losing): void {
  const { progress } = state;
  const { now } = step.at;
  const records = lost.reduce((sum, part) => sum + part.records, 0);
  // Only records of other streams were lost.
  if (!unknown && records === 0) return;
  for (const part of lost) progress.expire(part.records, part.hour, now);
  if (damaged || unknown) progress.unreadable(blocks, records, now);
  state.dirty = true;
  if (records > 0) step.effects.push({ type: 'expired', records });
}

/**
 * The records of a block that have a fate, are taken, or are not part of the job. `NOTHING`, the same object, if
 * there are none.
 */
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

/** The records of a block that are in flight, or will be sent again: they stay taken with every filter. */
function takenOf(state: State, sequence: number): readonly number[] {
  return claimed(state)
    .flat()
    .filter((span) => span.sequence === sequence)
    .sort((a, b) => a.from - b.from)
    .flatMap(({ from, to }) => [from, to]);
}
