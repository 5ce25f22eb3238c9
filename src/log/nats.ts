import { DiscardPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { Clock } from '../lib/clock.ts';
import { DUPLICATE_WINDOW_MS, type Nats, StoreUnavailable } from '../storage/nats.ts';
import { followStream } from '../storage/nats-follow.ts';
import { shareTips } from '../storage/nats-tips.ts';
import type { RecordLog, StoredBlock } from './log.ts';
import { openAppends } from './nats-append.ts';
import { beginNatsPartition } from './nats-begin.ts';
import { blockIds } from './nats-block-ids.ts';
import { partitionHealth } from './nats-health.ts';
import { copiesOfLate, keepNumbering, type Numbering, storeEmpty } from './nats-numbering.ts';
import type { NatsPartition } from './nats-partition.ts';
import { natsReader } from './nats-read.ts';
import { openRequests } from './nats-requests.ts';
import { RECENT_BYTES, recentBlocks } from './recent-blocks.ts';

interface NatsLogOptions {
  /** From 1 on; fixed when the log is first created. */
  readonly partitions: number;
  readonly clock: Clock;
  readonly retentionMs: number;
  /** Prefix of the names of streams and buckets. Several installations on one cluster need different prefixes. */
  readonly prefix?: string;
  /**
   * The least sequence of a partition's next block. A stream that somebody deleted is created again, and servers that
   * lost their power may have lost its last blocks: it must not reuse sequences. Data streams have passed them, and
   * would never see the new blocks. Default: 1.
   */
  beginsAt?(partition: number): Promise<number>;
  /** Receives faults of a partition that an operator must know, in words. */
  report?(message: string): void;
  /** Budget of the blocks in memory, for followers that keep up. */
  readonly recentBytes?: number;
}

/**
 * The servers remove blocks this much later than the nodes. Before nodes trim, they count the records that data streams
 * missed. The servers' removal matters only while no node runs.
 */
const EXPIRY_MARGIN_MS = 3_600_000;
/**
 * Blocks fetched ahead of a follower: only as many as keep a follower busy. A block usually has 100 KB, but it may be as
 * large as a message, in every partition.
 */
const AHEAD = 16;
/** Between two tries to read blocks that a follower missed. */
const READ_AGAIN_MS = 500;
/** Streams that are opened in parallel. Each new one is an election, and the others need not wait for it: 300 take 7 s, with eight 17 s. */
const OPENED_TOGETHER = 32;

/**
 * The record log in JetStream: partition p of n is the stream `<prefix>-log-<p>` with the one subject
 * `<prefix>.log.<n>.<p>`; a message is a block, its sequence the block's. See log.ts for the invariants; here
 *  - several nodes append to one partition, and JetStream assigns the sequences. While NATS changes its leaders, blocks of
 *    concurrent calls of one node may change places; the blocks of one call to one partition never do.
 *  - durable means that a quorum of replicas has written the block to its file, without a sync of the disks.
 *  - an append that is `unavailable` may have stored some of its blocks, or may still store them. With an idempotency key,
 *    its repetition stores the missing blocks, and none twice.
 *  - blocks longer than a NATS message are cut into several.
 * @throws Error that names both numbers, if the log was created with another number of partitions
 */
export async function createNatsLog(nats: Nats, options: NatsLogOptions): Promise<RecordLog> {
  const { clock, partitions: count, prefix = 'simstream' } = options;
  const report = (message: string) => options.report?.(message);
  const numbering = keepNumbering(nats, clock, report);
  const requestsName = `${prefix}-requests`;
  const [partitions, requests] = await Promise.all([
    openPartitions(nats, options, numbering),
    openRequests(nats, { name: requestsName, clock }),
  ]);
  const recent = recentBlocks(count, options.recentBytes ?? RECENT_BYTES);
  const tips = shareTips<number>(nats, `${prefix}.tips.${count}`, (partition, next) => {
    const known = partitions[partition];
    if (known) known.next = Math.max(known.next, next);
  });
  const ids = blockIds(nats, count);
  const copies = copiesOfLate(nats, numbering, report);
  const append = openAppends({ nats, partitions, recent, requests, clock, tips, ids, numbering });
  const reader = natsReader({ nats, clock, recent, inFlight: append.inFlight });

  const partitionAt = (partition: number): NatsPartition => {
    const found = partitions[partition];
    if (!found) throw new RangeError(`partition ${partition} does not exist: the log has ${count}`);
    return found;
  };

  return {
    partitions: count,
    atomic: false,

    append: async (blocks, appendOptions = {}) => {
      for (const { partition } of blocks) partitionAt(partition);
      return append.append(blocks, appendOptions);
    },

    extent: async (partition) => reader.extent(partitionAt(partition)),

    read: async (partition, from, limits) => {
      const at = partitionAt(partition);
      recent.reads(partition, from);
      return reader.read(at, from, limits);
    },

    seek: async (partition, time) => reader.seek(partitionAt(partition), time),

    follow: async (partition, from, onBlock, signal) => {
      const followed = partitionAt(partition);
      let next = Math.max(1, Math.ceil(from));
      await followStream(
        nats,
        {
          stream: followed.stream,
          start: { sequence: next },
          ahead: AHEAD,
          known: () => followed.next - 1,
          oneOfMany: true,
        },
        async (message, sequence, isCopy) => {
          if (sequence > message.seq && !isCopy) void copies.keep(followed, message, sequence);
          const read = () => reader.upTo(followed, next, message, sequence);
          for (const stored of isCopy ? [] : await untilRead(clock, read, signal)) {
            if (signal.aborted) return;
            try {
              await onBlock(stored);
            } catch (error) {
              // A failure after the signal aborted is not a fault.
              if (!signal.aborted) throw error;
            }
          }
          next = Math.max(next, sequence + 1);
        },
        signal,
      );
    },

    trim: async (partition, before) => {
      const trimmed = partitionAt(partition);
      const { first, next } = await reader.extent(trimmed);
      const target = Math.min(Math.ceil(before), next);
      if (target <= first) return;
      trimmed.first = target;
      recent.trim(partition, target);
      await nats.ask(`${trimmed.stream} cannot be trimmed`, () =>
        nats.manager.streams.purge(trimmed.stream, { seq: target }),
      );
    },

    faults: partitionHealth({
      nats,
      partitions,
      requests: `KV_${requestsName}`,
      refusals: append.refusals,
      probe: (partition) => storeEmpty(nats, partition, clock.now()),
      report,
    }),

    usage: async () => {
      const infos = partitions.map(({ stream }) =>
        nats.ask(`${stream} cannot be asked`, () => nats.manager.streams.info(stream)),
      );
      return { bytes: (await Promise.all(infos)).reduce((sum, { state }) => sum + state.bytes, 0) };
    },
  };
}

/** Blocks before a message may have to be read: while NATS does not answer, the follower waits. */
async function untilRead(
  clock: Clock,
  read: () => Promise<StoredBlock[]>,
  signal: AbortSignal,
): Promise<StoredBlock[]> {
  while (!signal.aborted) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      await clock.sleep(READ_AGAIN_MS, signal).catch(() => undefined);
    }
  }
  return [];
}

async function openPartitions(
  nats: Nats,
  options: NatsLogOptions,
  numbering: Numbering,
): Promise<NatsPartition[]> {
  const { partitions: count, retentionMs, prefix = 'simstream' } = options;
  const maxAge = retentionMs + EXPIRY_MARGIN_MS;
  const open = async (partition: number): Promise<NatsPartition> => {
    const stream = `${prefix}-log-${partition}`;
    const subject = `${prefix}.log.${count}.${partition}`;
    const { config, state } = await nats.ensureStream({
      name: stream,
      subjects: [subject],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.New,
      max_age: nanos(maxAge),
      allow_direct: true,
      duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    });
    const created = /\.log\.(\d+)\.\d+$/.exec(config.subjects?.[0] ?? '')?.[1];
    if (created !== String(count)) {
      throw new Error(
        `this record log was created with ${created} partitions and cannot be opened with ${count}: ` +
          `set SIMSTREAM_PARTITIONS to ${created}`,
      );
    }
    const isNew = state.last_seq === 0;
    const begins = (await options.beginsAt?.(partition)) ?? 1;
    if (isNew && begins > 1) {
      options.report?.(
        `the stream ${stream} was deleted, with the records that waited in it; simstream creates it again and delivers new records`,
      );
      await beginNatsPartition(nats, { prefix, partition, sequence: begins });
    }
    const next = Math.max(begins, state.last_seq + 1);
    const opened = { partition, stream, subject, first: 1, next, arrivedAt: Number.NEGATIVE_INFINITY };
    if (!isNew && begins > state.last_seq + 1) await numbering.reach(opened, begins);
    return opened;
  };
  // The first stream alone: it decides for all of them, even if several nodes start at the same time.
  const partitions = [await open(0)];
  let next = 1;
  const openSome = async () => {
    while (next < count) {
      const partition = next++;
      partitions[partition] = await open(partition);
    }
  };
  await Promise.all(Array.from({ length: OPENED_TOGETHER }, openSome));
  return partitions;
}
