import type { Extent } from './log.ts';

/**
 * The functions that the embedded log needs of a store that only this process uses. Reads are synchronous: the bytes
 * are in memory, or mapped into it.
 */
export interface BlockStore {
  readonly partitions: number;
  /** The stored extent. `next` never decreases, even after all blocks were removed. */
  extent(partition: number): Extent;
  /** Stores everything or nothing. Resolves when it is durable, rejects if it is not stored. */
  write(blocks: readonly PlacedBlock[], requests: readonly RememberedRequest[]): Promise<void>;
  /** The bytes of a block. They do not change while they are in use. */
  get(partition: number, sequence: number): Uint8Array | undefined;
  /**
   * Loads blocks into memory, so that `get` does not wait for a disk: about `most` bytes of them, at least one block.
   * @returns the blocks that `get` would still read from the disk; undefined: none
   */
  prefetch?(partition: number, sequences: readonly number[], most: number): Promise<Fetched | undefined>;
  /** Removes the blocks with sequence < `before`. `extent` still returns the same `next`. */
  remove(partition: number, before: number): Promise<void>;
  request(key: string): RememberedRequest | undefined;
  /** Removes some of the requests that are older than `time`; true if more of them may remain. */
  forgetRequests(time: number): Promise<boolean>;
  bytes(): number;
  /** Rejects when blocks of so many bytes cannot be written now; missing where the registry shares the store's fate. */
  probe?(bytes: number): Promise<void>;
}

export type Fetched = ReadonlyMap<number, Uint8Array>;

export interface PlacedBlock {
  readonly partition: number;
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/** A request with an idempotency key. */
export interface RememberedRequest {
  /** SHA-256 of the caller's key, in hexadecimal. */
  readonly key: string;
  readonly fingerprint: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A record's place depends on the number of partitions, so it cannot change under stored records and cursors. */
export function requireSamePartitions(stored: number, asked: number): void {
  if (stored === asked) return;
  throw new Error(
    `this record log was created with ${stored} partitions and cannot be opened with ${asked}: ` +
      `set SIMSTREAM_PARTITIONS to ${stored}, or start with an empty data directory`,
  );
}
