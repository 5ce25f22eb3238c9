import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';

/**
 * Loaded into a node with `--import` and `--expose-gc`. At SIGUSR2 it prints how much memory lies outside of V8's heap, and in it, before
 * and after a full collection, and how many full collections there were since the last time (its own not counted).
 */
export interface MemoryCounts {
  readonly n: number;
  readonly before: number;
  readonly after: number;
  readonly heapBefore: number;
  readonly heapAfter: number;
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
  const { arrayBuffers: before, heapUsed: heapBefore } = process.memoryUsage();
  count(observer.takeRecords());
  const counts = { n: ++n, before, heapBefore, full: full - own };
  globalThis.gc?.();
  own = full + 1;
  const { arrayBuffers: after, heapUsed: heapAfter } = process.memoryUsage();
  process.stdout.write(`counts ${JSON.stringify({ ...counts, after, heapAfter } satisfies MemoryCounts)}\n`);
});
