import type { Block } from '../records/block.ts';

/**
 * The record log: P append-only partitions of blocks.
 *
 * Invariants, held by every adapter and checked by log.contract.ts:
 *  L1  `append` resolves only when every block of the call is durable. If the log is `atomic`, it stores all of them or none.
 *  L2  Within a partition, sequences grow by one from 1, in the order of the calls of `append`. No sequence is ever used
 *      twice, even after a restart and after everything was trimmed.
 *  L3  A follower sees each durable block of its partition once, in order, from the requested sequence on.
 *  L4  With an idempotency key, a repeated append within `IDEMPOTENCY_WINDOW` stores nothing and says so.
 *  L5  Trimming removes whole blocks from the front. The log reuses their space.
 *  L6  Within a partition, times of arrival never go back: a block with an earlier time than the block before it gets the
 *      time of that block. With several nodes, that is the last block that the appending node knows. If the time of
 *      the block before is more than `MOST_AHEAD_MS` later, it does not count: a clock was wrong when that block
 *      arrived, and the new block keeps its own time.
 */
export interface RecordLog {
  readonly partitions: number;
  /** Whether the blocks of an append are stored together or not at all, whatever partitions they go to. */
  readonly atomic: boolean;

  /**
   * Stores one block in each named partition. Resolves when the blocks are durable.
   * @returns `unavailable` if the store cannot take them now: nothing is acknowledged, and the caller may try again.
   */
  append(blocks: readonly NewBlock[], options?: AppendOptions): Promise<AppendOutcome>;

  /** The extent of a partition: `first` is the oldest stored sequence, `next` the sequence of the next block. */
  extent(partition: number): Promise<Extent>;

  /**
   * Reads stored blocks with sequence >= `from`, oldest first, until `limits` are reached; at least one if one exists.
   * Skips trimmed sequences silently: compare with `extent`. Returns corrupt blocks as faults.
   */
  read(partition: number, from: number, limits: ReadLimits): Promise<StoredBlock[]>;

  /**
   * The sequence of the first block that arrived at or after `time` (ms since the epoch); `next` if no block did.
   * Skips blocks from the future (L6) if later blocks show when they arrived.
   */
  seek(partition: number, time: number): Promise<number>;

  /**
   * Calls `onBlock` for each block from `from` on, in order: first the stored blocks, then new ones. Each call waits for
   * the promise of the call before, so that a follower is never flooded. Ends when `signal` aborts; rejects only for a
   * bug.
   */
  follow(
    partition: number,
    from: number,
    onBlock: (stored: StoredBlock) => void | Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;

  /** Removes blocks with sequence < `before`. */
  trim(partition: number, before: number): Promise<void>;

  /** Bytes on disk and bytes in use, if the adapter knows them. */
  usage(): Promise<{ bytes: number }>;

  /**
   * Writes useless bytes, to see whether blocks of this size can be stored. Missing if a write of a document shows
   * it.
   * @returns the reason why not; undefined if they can
   */
  probe?(bytes: number): Promise<string | undefined>;

  /** Partitions that take no records, as it was seen some seconds ago. Missing where all partitions share their faults. */
  faults?(): Promise<readonly LogFault[]>;
}

/** A partition takes no records. */
export interface LogFault {
  /** undefined: it concerns all records, or all with an idempotency key. */
  readonly partition: number | undefined;
  /** What is wrong, where, and what to do. */
  readonly words: string;
}

/** A place in a partition: a block's sequence and the index of a record in it. Everything before it is done. */
export interface Position {
  readonly sequence: number;
  readonly index: number;
}

export interface NewBlock {
  readonly partition: number;
  /** The encoded block, as records/block.ts makes it. The log may keep it: do not change it afterwards. */
  readonly bytes: Uint8Array;
  /** The same block in memory: followers in this process get it without decoding. */
  readonly block: Block;
}

export interface AppendOptions {
  /** The caller's key, made unique by kind and operator. Up to 300 bytes. */
  readonly idempotencyKey?: string;
  /** A fingerprint of the request. The same key with another fingerprint is a `mismatch`. */
  readonly fingerprint?: string;
}

export type AppendOutcome =
  | { readonly type: 'stored'; readonly positions: readonly { partition: number; sequence: number }[] }
  | { readonly type: 'duplicate' }
  | { readonly type: 'mismatch' }
  | { readonly type: 'unavailable'; readonly cause: string };

export interface Extent {
  readonly first: number;
  readonly next: number;
}

export interface ReadLimits {
  readonly blocks: number;
  /** Stored bytes. */
  readonly bytes: number;
}

export type StoredBlock =
  | { readonly sequence: number; readonly block: Block }
  | {
      readonly sequence: number;
      readonly block: undefined;
      readonly fault: string;
      /** Number of records in the block, of all organisations, if its header is still readable. */
      readonly records?: number;
    };

/** The log remembers an idempotency key for at least this long. The API promises 24 h; one hour more covers clock steps. */
export const IDEMPOTENCY_WINDOW = 25 * 3_600_000;

/**
 * A time of arrival further ahead of the clock was stamped while a clock was wrong, ms. It is more than the clocks of
 * nodes may differ by, and so little that corrected times are soon exact again.
 */
export const MOST_AHEAD_MS = 5 * 60_000;

export function comparePositions(a: Position, b: Position): number {
  return a.sequence - b.sequence || a.index - b.index;
}
