import type { Position } from '../log/log.ts';

/** A block of the source that became several at the target: its sequence, and how many records each piece has. */
export interface Split {
  readonly sequence: number;
  readonly counts: readonly number[];
}

/** The position at the target of a place in a partition of the source. */
export interface PositionMap {
  position(source: Position): Position;
  /** Of the first record of a block. */
  sequence(source: number): number;
}

/**
 * The target's partition begins with the sequence that the source's copy begins with, and a block of the source is one
 * block there; only what is longer than the target takes becomes several, and moves all that follows. So positions
 * never go back: what is named by a position (a delivery id, a file's name) never gets the name of something older.
 * @param splits by rising sequence
 */
export function positionMap(splits: readonly Split[]): PositionMap {
  const sequences = splits.map((split) => split.sequence);
  /** Blocks that were added before the split of the same index, and at the end before what follows all of them. */
  const added = [0];
  for (const { counts } of splits) added.push((added.at(-1) as number) + counts.length - 1);

  const position = ({ sequence, index }: Position): Position => {
    const before = countBelow(sequences, sequence);
    const split = splits[before];
    let target = sequence + (added[before] as number);
    let rest = index;
    if (split?.sequence === sequence) {
      for (const count of split.counts.slice(0, -1)) {
        if (rest < count) break;
        rest -= count;
        target++;
      }
    }
    return { sequence: target, index: rest };
  };
  return { position, sequence: (source) => position({ sequence: source, index: 0 }).sequence };
}

/** How many of the rising numbers are below `limit`. */
function countBelow(numbers: readonly number[], limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] as number) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
