import type { Selection } from '../../filters/selection.ts';
import type { Block } from '../../records/block.ts';
import { addOffered, lose } from './counting.ts';
import { heldSlots } from './entries.ts';
import type { ReadBlock } from './events.ts';
import { accept, passed } from './passing.ts';
import { beyondOf, inFlightOf, noneAhead, type State, type Step, slotsOf } from './state.ts';

/**
 * Where a stream's records come from, in order and without a gap.
 *
 *   live    the runner hands over each block as it is stored (`offered`)
 *   behind  the machine reads the log itself, from `readAt`
 *
 *  live → behind    waiting records take more memory than `liveBytes`, or the memory of all streams is full, or waiting
 *                   records were put back
 *  behind → live    `readAt` has reached the block that the runner hands out next, in one step: no block is missed or
 *                   taken twice
 *
 *  R1  `readAt` is the place behind the last record that was put into the window, passed, or lost. Blocks that were
 *      handed out and not offered to a live stream held nothing for it: they are passed, so that another filter or
 *      relation does not reach back to them.
 *  R2  See counting.ts.
 */

/**
 * With more ranges beyond the cursor no further block is begun: they are part of every commit while a record before
 * them waits. 64 KB of a document; a shard that throttles a third of all records lets some 20,000 of the others pass.
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
  if (sequence >= beyondOf(state)) {
    // The blocks between the last read one and this one hold nothing for the stream: the end of the range is reached.
    if (state.live) state.readAt = { sequence, index: 0 };
    return;
  }
  if (state.phase === 'loading') {
    if (state.early.length < MOST_EARLY)
      state.early.push(sequence, selection.count, selection.count + selection.filtered, block.arrivedAt);
    else state.ahead.exact = false;
    return;
  }
  const { progress } = state;
  state.dirty = true;
  if (state.live && state.phase === 'running' && sequence >= state.readAt.sequence) {
    // The blocks between the last read one and this one hold nothing for the stream.
    if (state.readAt.sequence < sequence) state.readAt = { sequence, index: 0 };
    if (selection.count === 0 || hasRoom(state, step, state.window.weight(block))) {
      accept(state, step, sequence, block, selection);
      progress.countedTo = Math.max(progress.countedTo, sequence + 1);
      return;
    }
    state.live = false;
  }
  addOffered(state, sequence, block, selection);
}

/** R1. Before each event: a live stream is at the runner's position. */
export function passHandedOut(state: State, { at }: Step): void {
  const sequence = Math.min(at.dispatched, beyondOf(state));
  if (!state.live || sequence <= state.readAt.sequence) return;
  state.readAt = { sequence, index: 0 };
  state.progress.countedTo = Math.max(state.progress.countedTo, sequence);
}

/** Whether a block of `weight` may be taken into memory as well; the first one always may. A file holds no blocks. */
function hasRoom(state: State, { at }: Step, weight: number): boolean {
  const { window, settings } = state;
  if (!window.keepsBlocks) return true;
  return window.count === 0 || (window.held + weight <= settings.liveBytes && !at.full);
}

/** Asks for the next blocks to read, if any are left. */
export function readOn(state: State, step: Step): void {
  if (state.live || state.reading || state.phase !== 'running') return;
  if (step.at.monotonic < state.waitUntil || !wantsMore(state, step)) return;
  const { readAt } = state;
  if (reachedEnd(state)) return;
  if (readAt.sequence >= step.at.dispatched) {
    // The previous holder had seen more blocks than this one has handed out. Its count must end first: later, those
    // blocks would be handed out, too.
    if (state.counting) return;
    state.live = true;
    state.ahead = noneAhead();
    state.progress.countedTo = Math.min(state.progress.countedTo, readAt.sequence);
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
  // Blocks that were begun are still read again: otherwise the waiting records could not go out.
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
