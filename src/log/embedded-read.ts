import { charged } from '../lib/call-cost.ts';
import { BlockFault } from '../records/block.ts';
import { decodeBlock } from '../records/decode-block.ts';
import type { BlockStore, Fetched } from './block-store.ts';
import { recordsIn } from './blocks.ts';
import type { Extent, ReadLimits, StoredBlock } from './log.ts';
import type { RecentBlocks } from './recent-blocks.ts';

interface ReadParts {
  readonly store: BlockStore;
  readonly recent: RecentBlocks;
  /**
   * The extent of a partition, as callers see it.
   * @throws RangeError
   */
  extentOf(partition: number): Extent;
}

interface Reads {
  read(partition: number, from: number, limits: ReadLimits): Promise<StoredBlock[]>;
  /** Milliseconds since the epoch; undefined: the block cannot be read. */
  arrivedAt(partition: number, sequence: number): number | undefined;
}

/** Reads blocks from the memory, else from the store. */
export function openReads({ store, recent, extentOf }: ReadParts): Reads {
  const read = async (partition: number, from: number, limits: ReadLimits): Promise<StoredBlock[]> => {
    const { first, next } = extentOf(partition);
    const start = Math.max(first, Math.ceil(from));
    const end = Math.min(next, start + Math.max(1, limits.blocks));
    const fetched = await prefetchMissing(partition, start, end, limits.bytes);
    const lastFetched = fetched && fetched.size > 0 ? Math.max(...fetched.keys()) : end;
    const found: StoredBlock[] = [];
    let bytes = 0;
    for (let sequence = start; sequence < end; sequence++) {
      // What the limit left out is fetched by the next read. Read here, each block would stop the event loop.
      if (found.length > 0 && sequence > lastFetched && !recent.get(partition, sequence)) break;
      const { stored, length } = charged(() => readOne(partition, sequence, fetched));
      if (!stored) continue;
      bytes += length;
      if (found.length > 0 && bytes > limits.bytes) break;
      found.push(stored);
    }
    return found;
  };

  const prefetchMissing = async (partition: number, start: number, end: number, most: number) => {
    if (!store.prefetch) return undefined;
    const missing: number[] = [];
    // Blocks in memory count as well: what is fetched beyond the limit would be fetched again by the next read.
    let left = most;
    for (let sequence = start; sequence < end && left > 0; sequence++) {
      const hit = recent.get(partition, sequence);
      if (hit) left -= hit.storedLength;
      else missing.push(sequence);
    }
    return missing.length > 0 ? store.prefetch(partition, missing, Math.max(left, 1)) : undefined;
  };

  const readOne = (
    partition: number,
    sequence: number,
    fetched?: Fetched,
  ): { stored: StoredBlock | undefined; length: number } => {
    const hit = recent.get(partition, sequence);
    if (hit) return { stored: { sequence, block: hit.block }, length: hit.storedLength };
    let bytes: Uint8Array | undefined;
    try {
      bytes = fetched?.get(sequence) ?? store.get(partition, sequence);
    } catch (error) {
      if (sequence < extentOf(partition).first) return { stored: undefined, length: 0 };
      // The store is damaged here; the blocks behind it may be readable.
      const fault = `the store cannot read the block: ${error instanceof Error ? error.message : error}`;
      return { stored: { sequence, block: undefined, fault }, length: 0 };
    }
    if (!bytes) {
      // The block was trimmed during this read; or, inside the extent, it is missing in the store.
      if (sequence < extentOf(partition).first) return { stored: undefined, length: 0 };
      return {
        stored: { sequence, block: undefined, fault: 'the block is missing in the store' },
        length: 0,
      };
    }
    try {
      const block = decodeBlock(bytes);
      recent.addRead(partition, sequence, { block, storedLength: bytes.length });
      return { stored: { sequence, block }, length: bytes.length };
    } catch (error) {
      const fault = error instanceof BlockFault ? error.message : `the block cannot be decoded: ${error}`;
      return { stored: { sequence, block: undefined, fault, ...recordsIn(bytes) }, length: bytes.length };
    }
  };

  const arrivedAt = (partition: number, sequence: number) =>
    readOne(partition, sequence).stored?.block?.arrivedAt;

  return { read, arrivedAt };
}
