import type { Block } from '../records/block.ts';
import { leaseOf } from '../records/leased-block.ts';

/** A block in memory with the number of bytes it has in the store. */
export interface RecentBlock {
  readonly block: Block;
  readonly storedLength: number;
  /** Of the message that stores it, where there is one. */
  readonly id?: string;
}

/**
 * Blocks in memory, in three groups, each within a budget of bytes: the newest blocks decoded, more of the newest as stored
 * bytes, and the blocks that were last read from the store.
 */
export interface RecentBlocks {
  /** Add the sequences of a partition in order. `bytes` is the stored block and must not change. */
  add(partition: number, sequence: number, recent: RecentBlock, bytes?: Uint8Array): void;
  /** A block from the store: several streams that are behind often read the same block. */
  addRead(partition: number, sequence: number, read: RecentBlock): void;
  get(partition: number, sequence: number): RecentBlock | undefined;
  /** The stored bytes of a block that `get` may no longer have. */
  bytesOf(partition: number, sequence: number): Uint8Array | undefined;
  /** Forgets the blocks of a partition with sequence < `before`. */
  trim(partition: number, before: number): void;
  readonly bytes: number;
}

/** For the newest decoded blocks. 32 MiB hold a part of a second at full load: a follower that keeps up decodes nothing. */
export const RECENT_BYTES = 32 * 2 ** 20;
/**
 * For the newest blocks as stored bytes, a tenth of the decoded size. A stream that falls behind for a second reads them.
 * It touches no page of the store's file, which would count as memory of the process.
 */
const STORED_SHARE = 1 / 2;
/** For blocks from the store: streams that resume together are some hundred blocks apart. */
const READ_SHARE = 1 / 2;

/**
 * Memory of a block beside its bytes: its object and the seven typed arrays of its index. If this were too small, many
 * requests of one record would take several times the budget; if it is too large, the store is read a little more.
 */
const BLOCK_OVERHEAD = 2048;

export function recentBlocks(partitions: number, budget = RECENT_BYTES): RecentBlocks {
  const weight = ({ block }: RecentBlock) => block.heldBytes + BLOCK_OVERHEAD;
  const newest = keepWithin(budget, partitions, weight, {
    kept: ({ block }) => leaseOf(block)?.retain(),
    forgotten: ({ block }) => leaseOf(block)?.release(),
  });
  const read = keepWithin(budget * READ_SHARE, partitions, weight);
  const stored = keepWithin(budget * STORED_SHARE, partitions, (bytes: Uint8Array) => bytes.length + 256);
  return {
    add: (partition, sequence, recent, bytes) => {
      // Replicas may count differently: what was read last is what the sequence means now.
      const kept = newest.get(partition, sequence);
      if (kept && kept.id !== recent.id) newest.forget(partition, sequence);
      newest.add(partition, sequence, recent);
      if (bytes) stored.add(partition, sequence, bytes);
    },
    addRead: read.add,
    get: (partition, sequence) => newest.get(partition, sequence) ?? read.get(partition, sequence),
    bytesOf: stored.get,
    trim: (partition, before) => {
      for (const kind of [newest, read, stored]) kind.trim(partition, before);
    },
    get bytes() {
      return newest.bytes + read.bytes + stored.bytes;
    },
  };
}

interface Kept<T> {
  add(partition: number, sequence: number, value: T): void;
  get(partition: number, sequence: number): T | undefined;
  forget(partition: number, sequence: number): void;
  trim(partition: number, before: number): void;
  readonly bytes: number;
}

/** The last blocks of all partitions, within a budget of bytes. */
function keepWithin<T>(
  budget: number,
  partitions: number,
  weight: (value: T) => number,
  told: { kept?(value: T): void; forgotten?(value: T): void } = {},
): Kept<T> {
  const byPartition = Array.from({ length: partitions }, () => new Map<number, T>());
  // Order of arrival over all partitions. An entry of a trimmed block stays until its turn, and is then ignored.
  let arrivals: { partition: number; sequence: number }[] = [];
  let oldest = 0;
  let bytes = 0;

  const forget = (partition: number, sequence: number) => {
    const kept = byPartition[partition]?.get(sequence);
    if (kept === undefined) return;
    byPartition[partition]?.delete(sequence);
    bytes -= weight(kept);
    told.forgotten?.(kept);
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
    add: (partition, sequence, value) => {
      if (byPartition[partition]?.has(sequence)) return;
      told.kept?.(value);
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
      }
    },
    get bytes() {
      return bytes;
    },
  };
}
