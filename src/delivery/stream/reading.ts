import type { Selection } from '../../filters/selection.ts';
import type { Position } from '../../log/log.ts';
import type { Block } from '../../records/block.ts';
import { heldSlots } from './entries.ts';
import type { Counted, ReadBlock } from './events.ts';
import { countOf, type Piece, strip } from './piece.ts';
import { lengthOf } from './ranges.ts';
import {
  beyondOf,
  type Counting,
  claimed,
  inFlightOf,
  oldestOf,
  type State,
  type Step,
  settle,
  slotsOf,
} from './state.ts';
import { type Except, NOTHING, unfatedOf } from './unfated.ts';

/**
 * Where a stream's records come from, in order and without a gap.
 *
 *   live    the runner hands over each block as it is stored (`offered`)
 *   behind  the machine reads the log itself, from `readAt`
 *
 *  live → behind    what waits takes more memory than `liveBytes`, or that of all streams is full, or what waits was put back
 *  behind → live    `readAt` has reached what the runner hands out next, in one step: no block is missed or taken twice
 *
 *  R1  `readAt` is the place behind the last record that was put into the window, passed, or lost.
 *  R2  What was not read yet is an estimate (`ahead`); what is read replaces it. At the runner's place nothing is ahead.
 */

/**
 * With more ranges beyond the cursor no further block is begun: they are part of every commit while something before them is
 * held up. 64 KB of a document; a shard that throttles a third of all records lets some 20,000 of the others pass.
 */
const MOST_RANGES = 8_192;
/** Blocks that are counted before the documents are read; beyond them the log is counted instead. */
const MOST_EARLY = 4 * 1_024;

/** The runner hands over a block of the stream's kind and organisations as it is stored. */
export function offered(
  state: State,
  step: Step,
  sequence: number,
  block: Block,
  selection: Selection,
): void {
  if (state.phase === 'loading') {
    if (state.early.length < MOST_EARLY)
      state.early.push(sequence, selection.count, selection.count + selection.filtered, block.arrivedAt);
    else state.ahead.exact = false;
    return;
  }
  if (sequence >= beyondOf(state)) {
    // Between what was read and this block lies nothing for the stream: the end of the range is reached.
    if (state.live) state.readAt = { sequence, index: 0 };
    return;
  }
  const { progress } = state;
  state.dirty = true;
  if (state.live && state.phase === 'running' && sequence >= state.readAt.sequence) {
    // Between what was read and this block lies nothing for the stream.
    if (state.readAt.sequence < sequence) state.readAt = { sequence, index: 0 };
    if (selection.count === 0 || hasRoom(state, step, state.window.weight(block))) {
      accept(state, step, sequence, block, selection);
      progress.countedTo = Math.max(progress.countedTo, sequence + 1);
      return;
    }
    state.live = false;
  }
  addAhead(state, sequence, selection.count, selection.count + selection.filtered, block.arrivedAt);
}

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
  if (ahead.passed === 0 && passed > 0) ahead.oldest = arrivedAt;
  ahead.passed += passed;
  ahead.covered += covered;
  if (!counting) return;
  counting.passed += passed;
  counting.covered += covered;
}

/** Whether a block of `weight` may be taken into memory as well; the first one always may. A file holds no blocks. */
function hasRoom(state: State, { at }: Step, weight: number): boolean {
  const { window, settings } = state;
  if (!window.keepsBlocks) return true;
  return window.count === 0 || (window.held + weight <= settings.liveBytes && !at.full);
}

/** Asks for what is to be read next, or finds that nothing is. */
export function readOn(state: State, step: Step): void {
  if (state.live || state.reading || state.phase !== 'running') return;
  if (step.at.monotonic < state.waitUntil || !wantsMore(state, step)) return;
  const { readAt } = state;
  if (reachedEnd(state)) return;
  if (readAt.sequence >= step.at.dispatched) {
    state.live = true;
    state.ahead = { passed: 0, covered: 0, oldest: null, exact: true };
    // A stream that has caught up is committed as such, so that its partition's watermark speaks for it.
    if (state.progress.committedDetached) state.dirty = true;
    return;
  }
  state.reading = true;
  step.effects.push({ type: 'read', ticket: ++state.readTicket, from: readAt.sequence });
}

/** The next request and the one after it are read ahead; a file as a whole, because it keeps no bytes. */
export function wantsMore(state: State, step: Step): boolean {
  const { window, gathering, ledger } = state;
  if (!gathering) return window.count < 1;
  if (gathering.by === 'file') return window.count < gathering.records;
  if (!hasRoom(state, step, 0)) return false;
  // Blocks that were begun are read again all the same: only so can what is held up go out.
  if (ledger.ranges > MOST_RANGES && state.readAt.sequence > ledger.last) return false;
  const requests = inFlightOf(state) + 1;
  let ready = window.count;
  if (slotsOf(state) > 1) for (const slot of heldSlots(state)) ready -= window.waitingIn(slot);
  if (ready >= gathering.records * requests) return false;
  return window.bytes < Math.min(gathering.bytes * requests, state.settings.liveBytes);
}

export function reachedEnd({ job, readAt }: State): boolean {
  const { until } = job;
  if (!until) return false;
  return (
    readAt.sequence > until.sequence || (readAt.sequence === until.sequence && readAt.index >= until.index)
  );
}

/** The answer to `read`. A block that is missing was removed, or lost; one without content is damaged. */
export function read(state: State, step: Step, ticket: number, blocks: readonly ReadBlock[]): void {
  if (ticket !== state.readTicket) return;
  state.reading = false;
  const { dispatched } = step.at;
  const from = state.readAt.sequence;
  let any = false;
  for (const { sequence, block, fault, selection } of blocks) {
    if (sequence >= dispatched || reachedEnd(state)) break;
    if (sequence > state.readAt.sequence) lose(state, step, sequence);
    any = true;
    if (!block) lose(state, step, sequence + 1, fault ?? 'it is damaged');
    else if (selection) accept(state, step, sequence, block, selection);
    else passed(state, step, sequence, 0, 0);
    if (!wantsMore(state, step)) return;
  }
  if (!any && from < dispatched && !reachedEnd(state)) lose(state, step, dispatched);
}

/** Takes the records of a block that pass, or passes it. */
function accept(state: State, step: Step, sequence: number, block: Block, selection: Selection): void {
  const runs = passBlock(state, step, sequence, block, selection);
  // A range that ends within the block: what lies behind is not passed.
  const { until } = state.job;
  if (until?.sequence === sequence && until.index > 0) state.readAt = until;
  if (runs.length === 0) return;
  const held = slotsOf(state) > 1 ? new Set(heldSlots(state)) : undefined;
  state.window.push(sequence, block, runs, (slot) => held?.has(slot) === true);
}

/** What of a block has a fate, is taken, or is no part of the job. `NOTHING`, the same object, where that is so. */
function exceptOf(state: State, sequence: number): Except {
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
    .filter((part) => part.sequence === sequence)
    .sort((a, b) => a.from - b.from)
    .flatMap(({ from, to }) => [from, to]);
}

/** Moves the place of reading behind a block. @returns runs of its records that are taken now */
function passBlock(
  state: State,
  step: Step,
  sequence: number,
  block: Block,
  selection: Selection,
): Uint32Array {
  const { ledger, progress } = state;
  const except = exceptOf(state, sequence);
  if (except === NOTHING && selection.count === 0) {
    if (ledger.empty) progress.filtered += selection.filtered;
    else ledger.skip(sequence, selection.filtered);
    passed(state, step, sequence, 0, selection.filtered, block.arrivedAt);
    return selection.runs;
  }
  const { passing, skipped } = unfatedOf(selection, block.count, except);
  const taken = lengthOf(passing);
  ledger.read(sequence, taken, skipped);
  passed(state, step, sequence, taken, taken + lengthOf(skipped), block.arrivedAt);
  return passing;
}

/** @param covered records of the block that had no fate, of which `taken` are taken now */
function passed(
  state: State,
  step: Step,
  sequence: number,
  taken: number,
  covered: number,
  arrivedAt?: number,
): void {
  const { ahead, progress, counting } = state;
  state.readAt = { sequence: sequence + 1, index: 0 };
  state.dirty = true;
  if (sequence >= progress.countedTo) return;
  ahead.passed = Math.max(0, ahead.passed - taken);
  ahead.covered = Math.max(0, ahead.covered - covered);
  if (arrivedAt !== undefined && ahead.oldest !== null) ahead.oldest = Math.max(ahead.oldest, arrivedAt);
  if (counting) {
    counting.passed -= taken;
    counting.covered -= covered;
  }
  if (sequence + 1 >= progress.countedTo) nothingAhead(state, step);
}

/** R2. All that could be read has been read: what is left of the estimate went with a gap, and no count has to find it. */
function nothingAhead(state: State, step: Step): void {
  const { counting } = state;
  state.counting = undefined;
  if (counting?.lostFrom !== undefined)
    tellLost(state, step, lostOf(counting, 0), counting.blocks, counting.damaged, true);
  state.ahead = { passed: 0, covered: 0, oldest: null, exact: true };
}

/** What a gap has taken. @param left what was found of what lay ahead before it */
function lostOf({ lostFrom = 0, passed }: Counting, left: number): number {
  return Math.max(0, lostFrom + passed - left);
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
    } else tellLost(state, step, ahead.exact ? ahead.passed : 0, blocks, damaged, ahead.exact);
    nothingAhead(state, step);
  } else if (!ahead.exact) tellLost(state, step, 0, blocks, damaged, false);
  else if (counting?.lostFrom === undefined) startCounting(state, step, ahead.passed, blocks, damaged);
  // A count under way that looks for what was lost may have seen this gap or not.
  else counting.shaken = true;
}

/** Counts what lies ahead anew: with another filter, or to find out what a gap has taken. */
export function startCounting(
  state: State,
  step: Step,
  lostFrom: number | undefined,
  blocks = 0,
  damaged = false,
): void {
  const { readAt, progress } = state;
  if (readAt.sequence >= progress.countedTo) return;
  const ticket = ++state.countTicket;
  state.counting = { ticket, lostFrom, blocks, damaged, passed: 0, covered: 0, shaken: false };
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
    const lost = Math.max(0, counting.lostFrom - result.passed);
    tellLost(state, step, lost, counting.blocks, counting.damaged, true);
  }
  ahead.passed = Math.max(0, result.passed + counting.passed);
  ahead.covered = Math.max(ahead.passed, result.covered + counting.covered);
  ahead.oldest = result.oldest ?? ahead.oldest;
  ahead.exact = true;
}

/** What was counted may have gone meanwhile, and been accounted for: only a new count tells. */
function countAgain(state: State, step: Step, { lostFrom, passed, blocks, damaged }: Counting): void {
  const left = lostFrom === undefined ? undefined : Math.max(0, lostFrom + passed);
  startCounting(state, step, left, blocks, damaged);
}

function tellLost(
  state: State,
  step: Step,
  records: number,
  blocks: number,
  damaged: boolean,
  known: boolean,
): void {
  const { progress, ahead } = state;
  const { now } = step.at;
  const arrivedAt = ahead.oldest ?? now;
  // Other streams' records: nothing of this one was in it.
  if (known && records === 0) return;
  if (damaged || !known) progress.unreadable(blocks, records, arrivedAt, now);
  else progress.expire(records, arrivedAt, now);
  state.dirty = true;
  if (records > 0) step.effects.push({ type: 'expired', records });
}

/** The retention takes a block that was not read (to its end): what of it is not done has expired. */
export function expireUnread(
  state: State,
  step: Step,
  sequence: number,
  block: Block,
  selection: Selection | undefined,
): void {
  if (sequence < state.readAt.sequence) return;
  const { arrivedAt } = block;
  // A read under way may bring the block: it would be counted twice.
  state.reading = false;
  state.readTicket++;
  let runs: Uint32Array = NO_RUNS;
  if (selection) runs = passBlock(state, step, sequence, block, selection);
  else passed(state, step, sequence, 0, 0, arrivedAt);
  if (state.counting) state.counting.shaken = true;
  const lost = lengthOf(runs);
  if (lost === 0) return;
  const piece: Piece[number][] = [];
  for (let run = 0; run < runs.length; run += 2) {
    const from = runs[run] as number;
    piece.push({
      sequence,
      block: undefined,
      from,
      to: runs[run + 1] as number,
      arrivedAt,
      bytes: 0,
      slot: 0,
    });
  }
  state.ledger.fate(piece);
  state.progress.expire(lost, arrivedAt, step.at.now);
  step.effects.push({ type: 'expired', records: lost });
}

const NO_RUNS = new Uint32Array();

/** Gives back the memory of what waits; it is read from the log again. */
export function release(state: State): void {
  const { window, ahead, progress } = state;
  state.again = state.again.map((entry) => ({ ...entry, piece: strip(entry.piece) }));
  const oldest = window.oldest;
  state.fileDueAt = undefined;
  if (!oldest) {
    behind(state);
    return;
  }
  ahead.passed += window.count;
  if (state.counting) state.counting.passed += window.count;
  ahead.oldest = oldest.arrivedAt;
  window.clear();
  progress.countedTo = Math.max(progress.countedTo, state.readAt.sequence);
  putBackTo(state, oldest.position);
}

/**
 * All that is not in flight is read again from the cursor, because other records pass now, or the destination takes them
 * otherwise. What has a fate keeps it.
 */
export function reselect(state: State): void {
  const { window, progress, ahead, flight } = state;
  settle(state);
  let inFlight = 0;
  for (const { entry, sent, stage } of flight.values())
    inFlight += countOf(stage === 'quarantining' ? sent : entry.piece);
  const dropped = state.ledger.open - inFlight;
  if (dropped > 0) ahead.oldest = oldestOf(state);
  ahead.passed += dropped;
  if (state.counting) state.counting.passed += dropped;
  window.clear();
  state.again = [];
  state.fileDueAt = undefined;
  progress.countedTo = Math.max(progress.countedTo, state.readAt.sequence);
  putBackTo(state, progress.cursor);
}

function putBackTo(state: State, position: Position): void {
  const { ahead, ledger, counting } = state;
  state.readAt = position;
  const covered = ledger.unread(position, claimed(state));
  ahead.covered += covered;
  if (counting) counting.covered += covered;
  behind(state);
}

function behind(state: State): void {
  state.live = false;
  state.reading = false;
  state.readTicket++;
}
