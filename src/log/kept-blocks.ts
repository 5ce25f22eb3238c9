/** Values by partition and sequence within a budget of bytes; those that were added first leave first. */
interface Kept<T> {
  add(partition: number, sequence: number, value: T): void;
  get(partition: number, sequence: number): T | undefined;
  forget(partition: number, sequence: number): void;
  /** Forgets the sequences of a partition below `before`. */
  trim(partition: number, before: number): void;
  readonly bytes: number;
}

interface KeptOptions<T> {
  /** Bytes. */
  readonly budget: number;
  readonly partitions: number;
  weight(value: T): number;
  /** The sequences of a partition are added in order. */
  readonly inOrder?: boolean;
  /** A value was added. */
  kept?(value: T): void;
  /** It was removed, for any reason. */
  forgotten?(value: T, partition: number, sequence: number): void;
  /** It is being removed to make room, and is still usable: called before `forgotten`. */
  left?(partition: number, sequence: number, value: T): void;
}

/** The last values of all partitions, within a budget of bytes. */
export function keepWithin<T>(options: KeptOptions<T>): Kept<T> {
  const { budget, partitions, weight } = options;
  const byPartition = Array.from({ length: partitions }, () => new Map<number, T>());
  // Order of arrival over all partitions. An entry of a trimmed value stays until its turn, and is then ignored.
  let arrivals: { partition: number; sequence: number }[] = [];
  let oldest = 0;
  let bytes = 0;

  const forget = (partition: number, sequence: number) => {
    const kept = byPartition[partition]?.get(sequence);
    if (kept === undefined) return;
    byPartition[partition]?.delete(sequence);
    bytes -= weight(kept);
    options.forgotten?.(kept, partition, sequence);
  };
  const evict = () => {
    while (bytes > budget && oldest < arrivals.length) {
      const { partition, sequence } = arrivals[oldest++] as { partition: number; sequence: number };
      const leaving = byPartition[partition]?.get(sequence);
      if (leaving === undefined) continue;
      options.left?.(partition, sequence, leaving);
      forget(partition, sequence);
    }
    if (oldest > 1024 && oldest * 2 > arrivals.length) {
      arrivals = arrivals.slice(oldest);
      oldest = 0;
    }
  };

  return {
    add: (partition, sequence, value) => {
      if (byPartition[partition]?.has(sequence)) return;
      options.kept?.(value);
      byPartition[partition]?.set(sequence, value);
      arrivals.push({ partition, sequence });
      bytes += weight(value);
      evict();
    },
    get: (partition, sequence) => byPartition[partition]?.get(sequence),
    forget,
    trim: (partition, before) => {
      for (const sequence of byPartition[partition]?.keys() ?? []) {
        if (sequence < before) forget(partition, sequence);
        else if (options.inOrder) break;
      }
    },
    get bytes() {
      return bytes;
    },
  };
}
