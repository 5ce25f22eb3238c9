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

/** What of `runs` is in none of `ranges`; both ascending. */
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

/** What of `runs` lies between two indexes. */
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
