import { createHash } from 'node:crypto';
import { createBelievedTime } from '../lib/believed-time.ts';
import type { Clock } from '../lib/clock.ts';
import { decodeBlock } from '../records/decode-block.ts';
import { groupCommit } from '../storage/group-commit.ts';
import type { BlockStore, PlacedBlock, RememberedRequest } from './block-store.ts';
import { notBefore } from './blocks.ts';
import {
  type AppendOptions,
  type AppendOutcome,
  type Extent,
  IDEMPOTENCY_WINDOW,
  type NewBlock,
} from './log.ts';
import type { RecentBlocks } from './recent-blocks.ts';

interface AppendParts {
  readonly store: BlockStore;
  readonly clock: Clock;
  readonly recent: RecentBlocks;
  /** The extent of each partition, as callers see it. */
  readonly extents: readonly Extent[];
  /** L3: followers may now see everything before `next`. */
  move(partition: number, next: number): void;
}

type Appends = (blocks: readonly NewBlock[], options: AppendOptions) => Promise<AppendOutcome>;

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
/** Late removal is harmless: a row has some hundred bytes, and an expired row is ignored. */
const FORGET_EVERY = 600_000;
/** How many of the last blocks of a partition are read to find a readable one. */
const LAST_LOOKED_AT = 64;

/** Appends that arrive together are stored together; see log.ts for the invariants. */
export function openAppends({ store, clock, recent, extents, move }: AppendParts): Appends {
  const unsure = new Set<number>();
  /** L6: the arrival of each partition's last block. */
  let arrivals: readonly number[] = extents.map((extent, partition) => lastArrival(store, partition, extent));
  /** L4: a clock that is wrong for a moment forgets no key, and keeps none for longer. */
  const requestTime = createBelievedTime(clock);
  let forgetAt = Number.NEGATIVE_INFINITY;

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

  /** If the store holds blocks of a failed write, their sequences stay used, and no later block arrives before them (L6). */
  const settleUnsure = () => {
    if (unsure.size === 0) return;
    const known = [...arrivals];
    for (const partition of unsure) {
      const extent = store.extent(partition);
      move(partition, extent.next);
      known[partition] = Math.max(known[partition] as number, lastArrival(store, partition, extent));
    }
    arrivals = known;
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

  return async (blocks, options) => {
    const { idempotencyKey, fingerprint = '' } = options;
    const key =
      idempotencyKey === undefined
        ? undefined
        : createHash('sha256').update(idempotencyKey, 'utf8').digest('hex');
    const bytes = blocks.reduce((sum, block) => sum + block.bytes.length, REQUEST_BYTES);
    const outcome = appends.submit({ blocks, key, fingerprint }, bytes);
    return outcome ?? { type: 'unavailable', cause: 'too many records are waiting to be stored' };
  };
}

/**
 * When the last readable block of a partition arrived. The time of a damaged block is arbitrary, and would be the
 * least time of all later blocks.
 */
function lastArrival(store: BlockStore, partition: number, { first, next }: Extent): number {
  for (let sequence = next - 1; sequence >= Math.max(first, next - LAST_LOOKED_AT); sequence--) {
    try {
      const bytes = store.get(partition, sequence);
      if (bytes) return decodeBlock(bytes).arrivedAt;
    } catch {
      // Damaged: its reader reports it.
    }
  }
  return Number.NEGATIVE_INFINITY;
}
