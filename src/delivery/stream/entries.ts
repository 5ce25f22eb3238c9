import { comparePositions } from '../../log/log.ts';
import { countOf, firstOf, type Piece, strip } from './piece.ts';
import type { Entry, State } from './state.ts';

/** Records that go out for the first time. */
export function newEntry(piece: Piece): Entry {
  return {
    piece,
    notBefore: 0,
    run: undefined,
    refusedAt: undefined,
    sizeBefore: undefined,
    most: Number.POSITIVE_INFINITY,
  };
}

/**
 * Puts records back that are to be sent before anything else of their lanes, without their blocks: what has to wait holds no
 * memory, and what does not is read again from the log's memory.
 */
export function putBack(state: State, entry: Entry, keepBlocks: boolean): void {
  if (countOf(entry.piece) === 0) return;
  const kept = keepBlocks ? entry : { ...entry, piece: strip(entry.piece) };
  const first = firstOf(entry.piece);
  let at = state.again.length;
  while (at > 0 && comparePositions(firstOf((state.again[at - 1] as Entry).piece), first) > 0) at--;
  state.again.splice(at, 0, kept);
}

/** Slots of the lanes that are held up by records which are to be sent again. */
export function heldSlots(state: State): number[] {
  const slots = new Set<number>();
  for (const { piece } of state.again) for (const slot of slotsIn(piece)) slots.add(slot);
  return [...slots];
}

const known = new WeakMap<Piece, readonly number[]>();

export function slotsIn(piece: Piece): readonly number[] {
  let slots = known.get(piece);
  if (!slots) {
    slots = [...new Set(piece.map((part) => part.slot))];
    known.set(piece, slots);
  }
  return slots;
}
