import { comparePositions } from '../../log/log.ts';
import { type Chunk, countOf, firstOf, strip } from './chunk.ts';
import type { Entry, State } from './state.ts';

/** Records that go out for the first time. */
export function newEntry(chunk: Chunk, selecting: string): Entry {
  return {
    chunk,
    selecting,
    notBefore: 0,
    run: undefined,
    refusedAt: undefined,
    sizeBefore: undefined,
    most: Number.POSITIVE_INFINITY,
  };
}

/**
 * Puts back records that go first in their lanes, without their blocks: waiting records hold no memory, and the
 * others are read again from the log's memory.
 */
export function putBack(state: State, entry: Entry, keepBlocks: boolean): void {
  if (countOf(entry.chunk) === 0) return;
  const kept = keepBlocks ? entry : { ...entry, chunk: strip(entry.chunk) };
  const first = firstOf(entry.chunk);
  let at = state.again.length;
  while (at > 0 && comparePositions(firstOf((state.again[at - 1] as Entry).chunk), first) > 0) at--;
  state.again.splice(at, 0, kept);
}

/** Slots of the lanes that wait for records which will be sent again. */
export function heldSlots(state: State): number[] {
  const slots = new Set<number>();
  for (const { chunk } of state.again) for (const slot of slotsIn(chunk)) slots.add(slot);
  return [...slots];
}

const known = new WeakMap<Chunk, readonly number[]>();

export function slotsIn(chunk: Chunk): readonly number[] {
  let slots = known.get(chunk);
  if (!slots) {
    slots = [...new Set(chunk.map((span) => span.slot))];
    known.set(chunk, slots);
  }
  return slots;
}
