import type { Block } from '../records/block.ts';

/** A block in memory with the number of bytes it has in the store. */
export interface RecentBlock {
  readonly block: Block;
  readonly storedLength: number;
}

/** The newest blocks of all partitions, in memory, within a budget of bytes. */
export interface RecentBlocks {
  /** Sequences of a partition are added in order. */
  add(partition: number, sequence: number, recent: RecentBlock): void;
  get(partition: number, sequence: number): RecentBlock | undefined;
  /** Forgets the blocks of a partition with sequence < `before`. */
  trim(partition: number, before: number): void;
  readonly bytes: number;
}

/** 32 MiB: a second or more of full load, so that a runner that keeps up never reads from disk. */
export const RECENT_BYTES = 32 * 2 ** 20;

/**
 * What a block weighs besides its payload: its object and the seven typed arrays of its index. Counting too little
 * would let a stream of one-record requests hold several times the budget; counting too much only reads a little more.
 */
const BLOCK_OVERHEAD = 2048;

export function recentBlocks(partitions: number, budget = RECENT_BYTES): RecentBlocks {
  const byPartition = Array.from({ length: partitions }, () => new Map<number, RecentBlock>());
  // Order of arrival over all partitions. Entries of trimmed blocks stay until they come up; they are found missing then.
  let arrivals: { partition: number; sequence: number }[] = [];
  let oldest = 0;
  let bytes = 0;

  const weight = ({ block }: RecentBlock) => block.payloadLength + BLOCK_OVERHEAD;
  const forget = (partition: number, sequence: number) => {
    const recent = byPartition[partition]?.get(sequence);
    if (!recent) return;
    byPartition[partition]?.delete(sequence);
    bytes -= weight(recent);
  };
  const evict = () => {
    while (bytes > budget && oldest < arrivals.length) {
      const { partition, sequence } = arrivals[oldest++] as { partition: number; sequence: number };
      forget(partition, sequence);
    }
    if (oldest > 1024 && oldest * 2 > arrivals.length) {
      arrivals = arrivals.slice(oldest);
      oldest = 0;
    }
  };

  return {
    add: (partition, sequence, recent) => {
      byPartition[partition]?.set(sequence, recent);
      arrivals.push({ partition, sequence });
      bytes += weight(recent);
      evict();
    },
    get: (partition, sequence) => byPartition[partition]?.get(sequence),
    trim: (partition, before) => {
      for (const sequence of byPartition[partition]?.keys() ?? []) {
        if (sequence >= before) break;
        forget(partition, sequence);
      }
    },
    get bytes() {
      return bytes;
    },
  };
}
