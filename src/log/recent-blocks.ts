import type { Lease } from '../lib/memory-pool.ts';
import type { Block } from '../records/block.ts';
import { leanBlock, leaseOf } from '../records/leased-block.ts';
import { keepWithin } from './kept-blocks.ts';

/** A block in memory with the number of bytes it has in the store. */
export interface RecentBlock {
  readonly block: Block;
  readonly storedLength: number;
  /** The id of the message that stores it, if it has one. */
  readonly id?: string;
}

/**
 * Blocks in memory, in four groups, each within a budget of bytes:
 *
 *   newest   with their payloads, for followers that keep up
 *   wanted   with their payloads, older than the newest: the blocks that a stream that fell behind reads next
 *   lean     without their payloads, which are decompressed when they are used: more of the newest
 *   read     from the store, without their payloads: streams that resume together read the same ones
 *
 * A block that leaves the newest is wanted if a reader is on the way to it and there is room. Else it becomes lean. So of a backlog
 * that is larger than the memory, a part is still read without being decompressed; if the newest blocks alone were kept, each would
 * be dropped just before its reader comes.
 */
export interface RecentBlocks {
  /**
   * Add the sequences of a partition in order.
   * @param bytes the stored block, which must not change; undefined for a block without its payload
   */
  add(partition: number, sequence: number, recent: RecentBlock, bytes?: Uint8Array): void;
  /** A block from the store: several streams that are behind often read the same block. */
  addRead(partition: number, sequence: number, read: RecentBlock): void;
  get(partition: number, sequence: number): RecentBlock | undefined;
  /** A stream continues from here: it no longer needs earlier blocks. */
  reads(partition: number, from: number): void;
  /** Forgets the blocks of a partition with sequence < `before`. */
  trim(partition: number, before: number): void;
  readonly bytes: number;
}

/** For the newest blocks: a quarter of a second at full load, and room for the block of the largest request. */
export const RECENT_BYTES = 32 * 2 ** 20;
/** A stream that falls behind for an eighth of a second more. */
const WANTED_SHARE = 1 / 2;
/** Without their payloads, blocks take about a sixth of their size. A stream that is behind for a second reads them. */
const LEAN_SHARE = 1 / 2;
/** For blocks from the store: streams that resume together are some hundred blocks apart. */
const READ_SHARE = 1 / 4;
/**
 * No stream has read a partition's blocks while this many budgets of other blocks left the newest: its reader waits
 * for something.
 */
const READER_IS_GONE_AFTER = 4;

/**
 * Memory of a block beside its bytes: its object and the seven typed arrays of its index. If this were too small, many
 * requests of one record would take several times the budget; if it is too large, the store is read a little more.
 */
const BLOCK_OVERHEAD = 2048;

interface Encoded extends RecentBlock {
  readonly bytes?: Uint8Array;
  /** Of its payload, when it became one of the newest. */
  readonly lease?: Lease | undefined;
}

/** The position of a reader in a partition, and the bytes that had left the newest by then. */
interface Reader {
  readonly from: number;
  readonly at: number;
}

export function recentBlocks(partitions: number, budget = RECENT_BYTES): RecentBlocks {
  const weight = ({ block }: RecentBlock) => block.heldBytes + BLOCK_OVERHEAD;
  const kept = ({ lease }: Encoded) => lease?.retain();
  const forgotten = ({ lease }: Encoded) => lease?.release();
  const readers: (Reader | undefined)[] = [];
  let left = 0;

  const isGone = (reader: Reader) => left - reader.at > budget * READER_IS_GONE_AFTER;
  const hasRoom = (needed: number) => wanted.bytes + needed <= budget * WANTED_SHARE;
  /** A reader that is gone leaves its room to others. */
  const forgetIfGone = (partition: number) => {
    const reader = readers[partition];
    if (!reader || !isGone(reader)) return;
    readers[partition] = undefined;
    wanted.trim(partition, Number.POSITIVE_INFINITY);
  };
  const isWanted = (partition: number, sequence: number, needed: number): boolean => {
    forgetIfGone(partition);
    const reader = readers[partition];
    if (!reader || sequence < reader.from) return false;
    if (!hasRoom(needed)) for (const other of readers.keys()) forgetIfGone(other);
    return hasRoom(needed);
  };
  const leave = (partition: number, sequence: number, recent: Encoded) => {
    const needed = weight(recent);
    left += needed;
    if (isWanted(partition, sequence, needed)) wanted.add(partition, sequence, recent);
    else becomeLean(partition, sequence, recent);
  };
  const becomeLean = (partition: number, sequence: number, { bytes, lease: _, ...recent }: Encoded) => {
    const block = bytes ? leanBlock(recent.block, bytes) : recent.block;
    lean.add(partition, sequence, { ...recent, block });
  };

  const newest = keepWithin<Encoded>({ budget, partitions, weight, kept, forgotten, left: leave });
  const wanted = keepWithin<Encoded>({
    budget: budget * WANTED_SHARE,
    partitions,
    weight,
    inOrder: true,
    kept,
    forgotten: (recent, partition, sequence) => {
      forgotten(recent);
      becomeLean(partition, sequence, recent);
    },
  });
  const lean = keepWithin({ budget: budget * LEAN_SHARE, partitions, weight });
  const read = keepWithin({ budget: budget * READ_SHARE, partitions, weight });
  const groups = [newest, wanted, lean, read];
  const find = (partition: number, sequence: number) => {
    for (const group of groups) {
      const found = group.get(partition, sequence);
      if (found) return found;
    }
    return undefined;
  };

  return {
    add: (partition, sequence, recent, bytes) => {
      // Replicas may count differently: the newest read decides which block has the sequence now.
      for (const group of groups) {
        const before = group.get(partition, sequence);
        if (before && before.id !== recent.id) group.forget(partition, sequence);
      }
      const lease = leaseOf(recent.block);
      newest.add(partition, sequence, bytes ? { ...recent, bytes, lease } : { ...recent, lease });
    },
    addRead: read.add,
    get: find,
    reads: (partition, from) => {
      // A reader of a block that is not in memory is far behind, or reads old records on purpose.
      if (!find(partition, from)) return;
      readers[partition] = { from, at: left };
      wanted.trim(partition, from);
    },
    trim: (partition, before) => {
      for (const group of groups) group.trim(partition, before);
    },
    get bytes() {
      return groups.reduce((sum, group) => sum + group.bytes, 0);
    },
  };
}
