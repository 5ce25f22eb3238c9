import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';

/**
 * Loaded into a node with `--import` and `--expose-gc`. At SIGUSR2 it prints how much memory lies outside of V8's heap before and
 * after a full collection, and how many full collections there were since the last time (its own not counted).
 */
export interface MemoryCounts {
  readonly n: number;
  readonly before: number;
  readonly after: number;
  readonly full: number;
}

let full = 0;
let own = 0;
let n = 0;

const count = (entries: readonly PerformanceEntry[]) => {
  for (const entry of entries) {
    const { detail } = entry as PerformanceEntry & { detail: { kind: number } };
    if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) full++;
  }
};
const observer = new PerformanceObserver((list) => count(list.getEntries()));
observer.observe({ entryTypes: ['gc'] });

process.on('SIGUSR2', () => {
  const before = process.memoryUsage().arrayBuffers;
  count(observer.takeRecords());
  const counts = { n: ++n, before, after: 0, full: full - own };
  globalThis.gc?.();
  own = full + 1;
  const after = process.memoryUsage().arrayBuffers;
  process.stdout.write(`counts ${JSON.stringify({ ...counts, after } satisfies MemoryCounts)}\n`);
});
