/** Wakes the loops that wait for the next block of a partition, without polling. */
interface Tails {
  /** Resolves at the next `advance` of this partition, or when `signal` aborts. */
  next(partition: number, signal: AbortSignal): Promise<void>;
  advance(partition: number): void;
}

export function tails(partitions: number): Tails {
  const waiting = Array.from({ length: partitions }, () => new Set<() => void>());
  return {
    next: (partition, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const wake = () => {
          waiting[partition]?.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        waiting[partition]?.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      }),
    advance: (partition) => {
      for (const wake of [...(waiting[partition] ?? [])]) wake();
    },
  };
}
