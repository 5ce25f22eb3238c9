import type { Selection } from '../../filters/selection.ts';
import type { Block } from '../../records/block.ts';
import type { Chunk } from './chunk.ts';
import { exceptOf, nothingAhead, unjudged } from './counting.ts';
import { heldSlots } from './entries.ts';
import { lengthOf } from './ranges.ts';
import { type State, type Step, slotsOf } from './state.ts';
import { NOTHING, unfatedOf } from './unfated.ts';

/** A block that is read: its taken records, and those that are passed without being taken (R1 of reading.ts). */

/** Takes the records of a block that pass, or passes it. */
export function accept(state: State, step: Step, sequence: number, block: Block, selection: Selection): void {
  const runs = passBlock(state, step, sequence, block, selection);
  // A range that ends within the block: records behind the end are not passed.
  const { until } = state.job;
  if (until?.sequence === sequence && until.index > 0) state.readAt = until;
  if (runs.length === 0) return;
  const held = slotsOf(state) > 1 ? new Set(heldSlots(state)) : undefined;
  state.window.push(sequence, block, runs, (slot) => held?.has(slot) === true);
}

/**
 * Moves the place of reading behind a block.
 * @returns runs of its records that are taken now
 */
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
    if (ledger.empty) progress.count('filtered', selection.filtered, block.arrivedAt);
    else ledger.skip(sequence, selection.filtered, block.arrivedAt);
    passed(state, step, sequence, 0, selection.filtered, block.arrivedAt);
    return selection.runs;
  }
  const { passing, skipped } = unfatedOf(selection, block.count, except);
  const taken = lengthOf(passing);
  ledger.read(sequence, taken, skipped, block.arrivedAt);
  passed(state, step, sequence, taken, taken + lengthOf(skipped), block.arrivedAt);
  if (selection.unjudged) unjudged(state, step);
  return passing;
}

/** @param covered records of the block that had no fate, of which `taken` are taken now */
export function passed(
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
  if (arrivedAt !== undefined) {
    ahead.counts.take(arrivedAt, taken, covered);
    if (ahead.oldest !== null) ahead.oldest = Math.max(ahead.oldest, arrivedAt);
    counting?.counts.add(arrivedAt, -taken, -covered);
  }
  if (sequence + 1 >= progress.countedTo) nothingAhead(state, step);
}

/** The retention removes a block that was not read (to its end): its records that are not done have expired. */
export function expireUnread(
  state: State,
  step: Step,
  sequence: number,
  block: Block,
  selection: Selection | undefined,
): void {
  if (sequence < state.readAt.sequence) return;
  const { arrivedAt } = block;
  // A read in progress may bring the block: it would be counted twice.
  state.reading = false;
  state.readTicket++;
  let runs: Uint32Array = NO_RUNS;
  if (selection) runs = passBlock(state, step, sequence, block, selection);
  else passed(state, step, sequence, 0, 0, arrivedAt);
  if (state.counting) state.counting.shaken = true;
  const lost = lengthOf(runs);
  if (lost === 0) return;
  const chunk: Chunk[number][] = [];
  for (let run = 0; run < runs.length; run += 2) {
    const from = runs[run] as number;
    chunk.push({
      sequence,
      block: undefined,
      from,
      to: runs[run + 1] as number,
      arrivedAt,
      bytes: 0,
      slot: 0,
    });
  }
  state.ledger.fate(chunk);
  state.progress.expire(lost, arrivedAt, step.at.now);
  step.effects.push({ type: 'expired', records: lost });
}

const NO_RUNS = new Uint32Array();
