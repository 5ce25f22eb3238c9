import type { CompiledFilter } from './compile.ts';
import type { Selection } from './selection.ts';

/**
 * Accepts what both filters accept. Each was compiled alone, so that a limit on one list does not apply to both
 * together.
 */
export function bothFilters(first: CompiledFilter, second: CompiledFilter): CompiledFilter {
  return {
    readsRecords: first.readsRecords || second.readsRecords,
    select: (block, ordinals) => {
      const one = first.select(block, ordinals);
      if (one.count === 0) return one;
      const other = second.select(block, ordinals);
      return other.filtered === 0 ? one : intersection(one, other, block);
    },
    selectInSlices: async (block, ordinals) => {
      const one = await first.selectInSlices(block, ordinals);
      if (one.count === 0) return one;
      const other = await second.selectInSlices(block, ordinals);
      return other.filtered === 0 ? one : intersection(one, other, block);
    },
  };
}

function intersection(
  a: Selection,
  b: Selection,
  { starts, ends }: Parameters<CompiledFilter['select']>[0],
): Selection {
  const runs: number[] = [];
  let count = 0;
  let bytes = 0;
  for (let i = 0, j = 0; i < a.runs.length && j < b.runs.length; ) {
    const endA = a.runs[i + 1] as number;
    const endB = b.runs[j + 1] as number;
    const from = Math.max(a.runs[i] as number, b.runs[j] as number);
    const to = Math.min(endA, endB);
    if (from < to) {
      runs.push(from, to);
      count += to - from;
      bytes += (ends[to - 1] as number) - (starts[from] as number);
    }
    if (endA <= endB) i += 2;
    if (endB <= endA) j += 2;
  }
  return {
    runs: Uint32Array.from(runs),
    count,
    filtered: a.count + a.filtered - count,
    covered: a.covered,
    bytes,
  };
}
