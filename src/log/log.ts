import type { Block } from '../records/block.ts';

/**
 * The record log: P append-only partitions of blocks.
 *
 * Invariants, held by every adapter and checked by log.contract.ts:
 *  L1  `append` resolves only when every block of the call is durable, and stores all of them or (embedded) none.
 *  L2  Within a partition sequences grow by one from 1, in the order in which `append` was called, and are never
 *      given twice, also after a restart and after everything was trimmed.
 *  L3  A follower sees each durable block of its partition once, in order, from the sequence it asked for on.
 *  L4  With an idempotency key, a repeated append within `IDEMPOTENCY_WINDOW` stores nothing and says so.
 *  L5  Trimming removes whole blocks from the front, and its space is used again.
 *  L6  Within a partition times of arrival never go back: a block that says an earlier time than the one before it gets
 *      that one's. Distributed, the block before is the last that the appending node knows of.
 */
export interface RecordLog {
  readonly partitions: number;

  /**
   * Stores one block in each partition named. Resolves when they are durable.
   * @returns `unavailable` where the store cannot take it now: nothing is acknowledged, the caller may try again.
   */
  append(blocks: readonly NewBlock[], options?: AppendOptions): Promise<AppendOutcome>;

  /** The extent of a partition: `first` is the oldest sequence kept, `next` the one the next block will get. */
  extent(partition: number): Promise<Extent>;

  /**
   * Reads stored blocks with sequence >= `from`, oldest first, until `limits` are reached; at least one if there is
   * one. A sequence that was trimmed is skipped silently: compare with `extent`. Corrupt blocks come as faults.
   */
  read(partition: number, from: number, limits: ReadLimits): Promise<StoredBlock[]>;

  /** The sequence of the first block that arrived at or after `time` (ms since the epoch); `next` if there is none. */
  seek(partition: number, time: number): Promise<number>;

  /**
   * Calls `onBlock` for each block from `from` on: what is stored, then what is appended, in order. The next block is
   * handed over when the promise of the one before has resolved, so that a follower is never flooded.
   * Ends when `signal` aborts; rejects only for a bug.
   */
  follow(
    partition: number,
    from: number,
    onBlock: (stored: StoredBlock) => void | Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;

  /** Removes blocks with sequence < `before`. */
  trim(partition: number, before: number): Promise<void>;

  /** Bytes on disk and bytes in use, as far as the adapter knows them. */
  usage(): Promise<{ bytes: number }>;
}

/** A place in a partition: a block's sequence and the index of a record in it. Everything before it is done. */
export interface Position {
  readonly sequence: number;
  readonly index: number;
}

export interface NewBlock {
  readonly partition: number;
  /** The encoded block, as records/block.ts makes it. The log may keep it: it must not be changed afterwards. */
  readonly bytes: Uint8Array;
  /** The same block in memory: followers in this process get it without decoding. */
  readonly block: Block;
}

export interface AppendOptions {
  /** The caller's key together with what makes it unique: kind and operator. Up to 300 bytes. */
  readonly idempotencyKey?: string;
  /** A fingerprint of the request: the same key with another fingerprint is `mismatch`. */
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
      /** Records of the block, of all organisations, as far as its header still says it. */
      readonly records?: number;
    };

/** How long an idempotency key is remembered at least: the API promises 24 h; an hour more covers steps of the clock. */
export const IDEMPOTENCY_WINDOW = 25 * 3_600_000;

export function comparePositions(a: Position, b: Position): number {
  return a.sequence - b.sequence || a.index - b.index;
}
