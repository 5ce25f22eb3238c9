import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createBelievedTime } from '../lib/believed-time.ts';
import { charged } from '../lib/call-cost.ts';
import type { Clock } from '../lib/clock.ts';
import { BlockFault, withArrival } from '../records/block.ts';
import { countInHeader, decodeBlock } from '../records/decode-block.ts';
import { groupCommit } from '../storage/group-commit.ts';
import {
  type AppendOptions,
  type AppendOutcome,
  type Extent,
  IDEMPOTENCY_WINDOW,
  MOST_AHEAD_MS,
  type NewBlock,
  type ReadLimits,
  type RecordLog,
  type StoredBlock,
} from './log.ts';
import { RECENT_BYTES, recentBlocks } from './recent-blocks.ts';
import { type LookBack, seekArrival } from './seek.ts';
import { tails } from './tails.ts';

/**
 * What the embedded log needs of a store that only this process uses. Reads are synchronous: the bytes are in memory, or
 * mapped into it.
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
   * @returns those that `get` would read from the disk all the same; undefined if there are none
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

interface PlacedBlock {
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

interface EmbeddedLogOptions {
  readonly clock: Clock;
  /** Budget of the blocks in memory, for followers that keep up. */
  readonly recentBytes?: number;
}

interface Append {
  readonly blocks: readonly NewBlock[];
  readonly key: string | undefined;
  readonly fingerprint: string;
}

/** The places of a group's blocks. */
interface Placement {
  readonly blocks: readonly (PlacedBlock & NewBlock)[];
  readonly requests: ReadonlyMap<string, RememberedRequest>;
  /** For each partition, the arrival of its last block. */
  readonly arrivals: readonly number[];
  readonly outcomes: AppendOutcome[];
}

/** 16 MiB: a larger transaction is not faster, but takes memory and delays the event loop. */
const GROUP_BYTES = 16 * 2 ** 20;
/** Ingest refuses requests long before this. This is the last bound. */
const WAITING_BYTES = 256 * 2 ** 20;
/** Each request counts as this many bytes beside its blocks, so that requests without blocks are bounded too. */
const REQUEST_BYTES = 512;
/** A follower that is behind reads this much at a time. */
const FOLLOW_LIMITS: ReadLimits = { blocks: 64, bytes: 4 * 2 ** 20 };
/** Late removal is harmless: a row has some hundred bytes, and an expired row is ignored. */
const FORGET_EVERY = 600_000;
/** How many of the last blocks of a partition are read to find a readable one. */
const LAST_LOOKED_AT = 64;
/** Requests are encoded in parallel, so neighbours in the log may be slightly out of the order of arrival. */
const LOOK_BACK: LookBack = { ms: 0, least: 16, most: 16 };

/** A record log over a store in this process; see log.ts for the invariants. */
export function createEmbeddedLog(store: BlockStore, options: EmbeddedLogOptions): RecordLog {
  const { partitions } = store;
  const { clock } = options;
  // The extent that callers see: `next` increases only when everything before it is durable.
  const extents = Array.from({ length: partitions }, (_, partition) => ({ ...store.extent(partition) }));
  const recent = recentBlocks(partitions, options.recentBytes ?? RECENT_BYTES);
  const tail = tails(partitions);
  const unsure = new Set<number>();
  /** L6: the arrival of each partition's last block. */
  let arrivals: readonly number[] = extents.map((extent, partition) => lastArrival(store, partition, extent));
  /** L4: a clock that is wrong for a moment forgets no key, and keeps none for longer. */
  const requestTime = createBelievedTime(clock);
  let forgetAt = Number.NEGATIVE_INFINITY;

  const extentOf = (partition: number) => {
    const extent = extents[partition];
    if (!extent) throw new RangeError(`partition ${partition} does not exist: the log has ${partitions}`);
    return extent;
  };

  /** L3: followers may now see everything before `next`. */
  const move = (partition: number, next: number) => {
    const extent = extentOf(partition);
    if (next <= extent.next) return;
    extent.next = next;
    tail.advance(partition);
  };

  /** L1, L2, L4: one transaction for all blocks and keys of the group. */
  const commit = async (group: readonly Append[]): Promise<AppendOutcome[]> => {
    const now = requestTime();
    let placement: Placement;
    try {
      settleUnsure();
      placement = place(group, now);
      if (placement.blocks.length > 0 || placement.requests.size > 0)
        await store.write(placement.blocks, [...placement.requests.values()]);
    } catch (error) {
      for (const { partition } of group.flatMap(({ blocks }) => blocks)) unsure.add(partition);
      const cause = error instanceof Error ? error.message : String(error);
      // A duplicate of a request in the same group is not durable before that request.
      return group.map(() => ({ type: 'unavailable', cause }));
    }
    for (const { partition, sequence, bytes, block } of placement.blocks)
      recent.add(partition, sequence, { block, storedLength: bytes.length }, bytes);
    arrivals = placement.arrivals;
    // A group of small requests concerns few of the partitions.
    for (const { partition, sequence } of placement.blocks) move(partition, sequence + 1);
    await forgetOldRequests(now);
    return placement.outcomes;
  };

  /** If the store holds blocks of a failed write, their sequences stay used. */
  const settleUnsure = () => {
    for (const partition of unsure) move(partition, store.extent(partition).next);
    unsure.clear();
  };

  const place = (group: readonly Append[], now: number): Placement => {
    const placed: (PlacedBlock & NewBlock)[] = [];
    const requests = new Map<string, RememberedRequest>();
    const next = extents.map((extent) => extent.next);
    const latest = [...arrivals];
    const outcomes = group.map(({ blocks, key, fingerprint }): AppendOutcome => {
      if (key !== undefined) {
        const earlier = requests.get(key) ?? store.request(key);
        if (earlier && now - earlier.at < IDEMPOTENCY_WINDOW)
          return { type: earlier.fingerprint === fingerprint ? 'duplicate' : 'mismatch' };
        requests.set(key, { key, fingerprint, at: now });
      }
      const positions = blocks.map((source) => {
        const { partition } = source;
        const sequence = next[partition] as number;
        next[partition] = sequence + 1;
        const block = notBefore(source, latest[partition] as number);
        latest[partition] = block.block.arrivedAt;
        placed.push({ ...block, sequence });
        return { partition, sequence };
      });
      return { type: 'stored', positions };
    });
    return { blocks: placed, requests, arrivals: latest, outcomes };
  };

  const forgetOldRequests = async (now: number) => {
    if (now < forgetAt) return;
    try {
      const more = await store.forgetRequests(now - IDEMPOTENCY_WINDOW);
      forgetAt = more ? now : now + FORGET_EVERY;
    } catch {
      // The blocks are stored. A later group removes the old requests.
      forgetAt = now + FORGET_EVERY;
    }
  };

  const appends = groupCommit(commit, { groupBytes: GROUP_BYTES, waitingBytes: WAITING_BYTES });

  const read = async (partition: number, from: number, limits: ReadLimits): Promise<StoredBlock[]> => {
    const { first, next } = extentOf(partition);
    const start = Math.max(first, Math.ceil(from));
    const end = Math.min(next, start + Math.max(1, limits.blocks));
    const fetched = await prefetchMissing(partition, start, end, limits.bytes);
    const found: StoredBlock[] = [];
    let bytes = 0;
    for (let sequence = start; sequence < end; sequence++) {
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
    for (let sequence = start; sequence < end; sequence++)
      if (!recent.get(partition, sequence)) missing.push(sequence);
    return missing.length > 0 ? store.prefetch(partition, missing, most) : undefined;
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

  return {
    partitions,
    atomic: true,

    append: async (blocks, appendOptions: AppendOptions = {}) => {
      for (const { partition } of blocks) extentOf(partition);
      const { idempotencyKey, fingerprint = '' } = appendOptions;
      const key =
        idempotencyKey === undefined
          ? undefined
          : createHash('sha256').update(idempotencyKey, 'utf8').digest('hex');
      const bytes = blocks.reduce((sum, block) => sum + block.bytes.length, REQUEST_BYTES);
      const outcome = appends.submit({ blocks, key, fingerprint }, bytes);
      return outcome ?? { type: 'unavailable', cause: 'too many records are waiting to be stored' };
    },

    extent: async (partition) => ({ ...extentOf(partition) }),

    read: (partition, from, limits) => {
      recent.reads(partition, from);
      return read(partition, from, limits);
    },

    seek: async (partition, time) =>
      seekArrival(
        {
          extent: { ...extentOf(partition) },
          arrivedAt: (sequence) => charged(() => arrivedAt(partition, sequence)),
          now: clock.now(),
          lookBack: LOOK_BACK,
        },
        time,
      ),

    follow: async (partition, from, onBlock, signal) => {
      let sequence = Math.max(1, Math.ceil(from));
      while (!signal.aborted) {
        const { first, next } = extentOf(partition);
        sequence = Math.max(sequence, first);
        if (sequence >= next) {
          await tail.next(partition, signal);
          continue;
        }
        for (const stored of await read(partition, sequence, FOLLOW_LIMITS)) {
          if (signal.aborted) return;
          await handOver(onBlock, stored, signal);
          sequence = stored.sequence + 1;
        }
        // A fast follower with a long backlog must not block the event loop.
        if (sequence < extentOf(partition).next) await nextTurn();
      }
    },

    trim: async (partition, before) => {
      const extent = extentOf(partition);
      const target = Math.min(Math.ceil(before), extent.next);
      if (target <= extent.first) return;
      extent.first = target;
      recent.trim(partition, target);
      await store.remove(partition, target);
    },

    usage: async () => ({ bytes: store.bytes() }),

    ...(store.probe && {
      probe: async (bytes: number) => {
        try {
          await store.probe?.(bytes);
          return undefined;
        } catch (error) {
          return error instanceof Error ? error.message : String(error);
        }
      },
    }),
  };
}

/**
 * When the last block of a partition arrived that can be read. The time of a damaged one could be any, and would be
 * the least time of all later ones.
 */
function lastArrival(store: BlockStore, partition: number, { first, next }: Extent): number {
  for (let sequence = next - 1; sequence >= Math.max(first, next - LAST_LOOKED_AT); sequence--) {
    try {
      const bytes = store.get(partition, sequence);
      if (bytes) return decodeBlock(bytes).arrivedAt;
    } catch {
      // Damaged: its reader will say so.
    }
  }
  return Number.NEGATIVE_INFINITY;
}

/** L6: a block that arrived no earlier than `time`, unless that is from the future. */
export function notBefore(source: NewBlock, time: number): NewBlock {
  const { arrivedAt } = source.block;
  if (arrivedAt >= time || time - arrivedAt > MOST_AHEAD_MS) return source;
  return { ...source, bytes: withArrival(source.bytes, time), block: { ...source.block, arrivedAt: time } };
}

/** The number of records in a block that cannot be decoded, if its header says it. */
export function recordsIn(bytes: Uint8Array): { readonly records?: number } {
  const records = countInHeader(bytes);
  return records === undefined ? {} : { records };
}

async function handOver(
  onBlock: (stored: StoredBlock) => void | Promise<void>,
  stored: StoredBlock,
  signal: AbortSignal,
): Promise<void> {
  try {
    await onBlock(stored);
  } catch (error) {
    // A failure after the signal aborted is not a fault.
    if (!signal.aborted) throw error;
  }
}

/** A record's place depends on the number of partitions, so it cannot change under stored records and cursors. */
export function requireSamePartitions(stored: number, asked: number): void {
  if (stored === asked) return;
  throw new Error(
    `this record log was created with ${stored} partitions and cannot be opened with ${asked}: ` +
      `set SIMSTREAM_PARTITIONS to ${stored}, or start with an empty data directory`,
  );
}
