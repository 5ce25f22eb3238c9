/** Ranges of indexes as flat pairs, `from` (included) and `to` (excluded), ascending and never touching. */
export type Ranges = number[];

/** Adds a range to others; they may overlap. */
export function addRange(ranges: Ranges, from: number, to: number): void {
  const last = ranges.length - 1;
  if (last < 0 || (ranges[last] as number) < from) {
    ranges.push(from, to);
    return;
  }
  let first = 0;
  while ((ranges[first + 1] as number) < from) first += 2;
  let behind = first;
  let low = from;
  let high = to;
  while (behind < ranges.length && (ranges[behind] as number) <= to) {
    low = Math.min(low, ranges[behind] as number);
    high = Math.max(high, ranges[behind + 1] as number);
    behind += 2;
  }
  ranges.splice(first, behind - first, low, high);
}

/** The parts of `runs` that are in none of `ranges`; both ascending. */
export function subtract(runs: ArrayLike<number>, ranges: ArrayLike<number>): Uint32Array {
  const left: number[] = [];
  let at = 0;
  for (let run = 0; run < runs.length; run += 2) {
    let from = runs[run] as number;
    const to = runs[run + 1] as number;
    while (at < ranges.length && (ranges[at + 1] as number) <= from) at += 2;
    for (let next = at; from < to; next += 2) {
      const start = next < ranges.length ? (ranges[next] as number) : to;
      if (start >= to) {
        left.push(from, to);
        break;
      }
      if (start > from) left.push(from, start);
      from = Math.max(from, ranges[next + 1] as number);
    }
  }
  return Uint32Array.from(left);
}

/** The parts of `runs` between two indexes. */
export function clip(runs: Uint32Array, from: number, to: number): Uint32Array {
  const first = runs[0] as number;
  if (runs.length === 0 || (first >= from && (runs[runs.length - 1] as number) <= to)) return runs;
  const left: number[] = [];
  for (let run = 0; run < runs.length; run += 2) {
    const low = Math.max(runs[run] as number, from);
    const high = Math.min(runs[run + 1] as number, to);
    if (low < high) left.push(low, high);
  }
  return Uint32Array.from(left);
}

export function lengthOf(runs: ArrayLike<number>): number {
  let count = 0;
  for (let run = 0; run < runs.length; run += 2) count += (runs[run + 1] as number) - (runs[run] as number);
  return count;
}

/**
 * Removes the indexes before one.
 * @returns their number
 */
export function dropBelow(ranges: Ranges, index: number): number {
  let whole = 0;
  let count = 0;
  while (whole < ranges.length && (ranges[whole + 1] as number) <= index) {
    count += (ranges[whole + 1] as number) - (ranges[whole] as number);
    whole += 2;
  }
  if (whole > 0) ranges.splice(0, whole);
  if (ranges.length > 0 && (ranges[0] as number) < index) {
    count += index - (ranges[0] as number);
    ranges[0] = index;
  }
  return count;
}

/**
 * Removes the indexes from one on.
 * @returns their number
 */
export function dropFrom(ranges: Ranges, index: number): number {
  const before = lengthOf(ranges);
  let end = ranges.length;
  while (end > 0 && (ranges[end - 2] as number) >= index) end -= 2;
  ranges.length = end;
  if (end > 0) ranges[end - 1] = Math.min(ranges[end - 1] as number, index);
  return before - lengthOf(ranges);
}

/** Indexes below `length` that are in none of the runs. */
export function complement(runs: ArrayLike<number>, length: number): Uint32Array {
  return subtract([0, length], runs);
}

/** Joins ascending indexes to runs, without those that are in `except`. */
export function runsOf(indexes: ArrayLike<number>, except: ArrayLike<number>): Uint32Array {
  const runs: number[] = [];
  let at = 0;
  for (let i = 0; i < indexes.length; i++) {
    const index = indexes[i] as number;
    while (at < except.length && (except[at + 1] as number) <= index) at += 2;
    if (at < except.length && (except[at] as number) <= index) continue;
    if (runs[runs.length - 1] === index) runs[runs.length - 1] = index + 1;
    else runs.push(index, index + 1);
  }
  return Uint32Array.from(runs);
}
