import type { Selection } from '../../filters/selection.ts';
import { clip, complement, runsOf, subtract } from './ranges.ts';

/** The indexes of a block that already have a fate, are taken, or are not part of the job. */
export interface Except {
  /** Before it, every record has a fate. */
  readonly from: number;
  /** Records from here on are not part of the job; Infinity: all are. */
  readonly until: number;
  /** Ranges that have a fate, or are taken. Ascending, never touching another within the same array. */
  readonly ranges: readonly ArrayLike<number>[];
}

export const NOTHING: Except = { from: 0, until: Number.POSITIVE_INFINITY, ranges: [] };
const EMPTY = new Uint32Array();

/** The records of a block that have no fate yet. */
interface Unfated {
  /** Runs of the passing records. */
  readonly passing: Uint32Array;
  /** Runs of the other records of the stream's organisations. */
  readonly skipped: Uint32Array;
}

/** @param records of the block */
export function unfatedOf(selection: Selection, records: number, except: Except): Unfated {
  const { runs, filtered, covered } = selection;
  const skipped = filtered === 0 ? EMPTY : covered ? runsOf(covered, runs) : complement(runs, records);
  return { passing: without(runs, except), skipped: without(skipped, except) };
}

function without(runs: Uint32Array, { from, until, ranges }: Except): Uint32Array {
  if (runs.length === 0) return runs;
  let left = from > 0 || until !== Number.POSITIVE_INFINITY ? clip(runs, from, until) : runs;
  for (const taken of ranges) if (taken.length > 0) left = subtract(left, taken);
  return left;
}
