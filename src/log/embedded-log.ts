import { setImmediate as nextTurn } from 'node:timers/promises';
import { charged } from '../lib/call-cost.ts';
import type { Clock } from '../lib/clock.ts';
import type { BlockStore } from './block-store.ts';
import { openAppends } from './embedded-append.ts';
import { openReads } from './embedded-read.ts';
import type { AppendOptions, ReadLimits, RecordLog, StoredBlock } from './log.ts';
import { RECENT_BYTES, recentBlocks } from './recent-blocks.ts';
import { type LookBack, seekArrival } from './seek.ts';
import { tails } from './tails.ts';

interface EmbeddedLogOptions {
  readonly clock: Clock;
  /** Budget of the blocks in memory, for followers that keep up. */
  readonly recentBytes?: number;
}

/** A follower that is behind reads this much at a time. */
const FOLLOW_LIMITS: ReadLimits = { blocks: 64, bytes: 4 * 2 ** 20 };
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

  const append = openAppends({ store, clock, recent, extents, move });
  const { read, arrivedAt } = openReads({ store, recent, extentOf });

  return {
    partitions,
    atomic: true,

    append: async (blocks, appendOptions: AppendOptions = {}) => {
      for (const { partition } of blocks) extentOf(partition);
      return append(blocks, appendOptions);
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
