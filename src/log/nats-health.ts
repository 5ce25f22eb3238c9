import type { StreamInfo } from '@nats-io/jetstream';
import type { Nats } from '../storage/nats.ts';
import { isNotFound, messageOf } from '../storage/nats-faults.ts';
import type { LogFault } from './log.ts';
import type { NatsPartition } from './nats-partition.ts';

interface HealthParts {
  readonly nats: Nats;
  readonly partitions: readonly NatsPartition[];
  /** The stream of the bucket that requests with a key need. */
  readonly requests: string;
  /** Why the last append to a partition failed; a partition whose last append was stored is not in it. */
  readonly refusals: Map<number, string>;
  /** Stores something useless. */
  probe(partition: NatsPartition): Promise<unknown>;
  /** Receives a fault that is still there at the second look. */
  report(message: string): void;
}

/** A look costs the servers one question about all streams. While something is wrong, its end should show soon. */
const LOOK_AGAIN_MS = { healthy: 10_000, faulty: 2_000 };
/** Streams about which one is asked at a time, of those that the servers did not name. */
const TOGETHER = 8;

/**
 * Knows which partitions take no records: their stream was deleted, has no leader, is full, or refuses this node's user. It looks when
 * it is asked, and answers with what it saw last: servers that miss a leader answer after seconds.
 */
export function partitionHealth(parts: HealthParts): () => Promise<readonly LogFault[]> {
  const { nats, partitions, requests, report } = parts;
  let seen: readonly LogFault[] = [];
  let seenAt = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | undefined;

  const reported = new Set<string>();

  const look = async () => {
    const before = seen;
    // Without an answer, what was seen before is still the best that is known; a read of the registry shows the rest.
    seen = await allFaults(parts).catch(() => before);
    seenAt = nats.clock.monotonic();
    for (const { words } of seen) if (before.some((one) => one.words === words)) reportOnce(words);
    for (const words of [...reported]) if (!seen.some((one) => one.words === words)) reported.delete(words);
  };
  const reportOnce = (words: string) => {
    if (reported.has(words)) return;
    reported.add(words);
    report(words);
  };

  return async () => {
    const after = seen.length > 0 ? LOOK_AGAIN_MS.faulty : LOOK_AGAIN_MS.healthy;
    if (nats.clock.monotonic() - seenAt < after) return seen;
    const isFirst = seenAt === Number.NEGATIVE_INFINITY;
    const current =
      looking ??
      look().finally(() => {
        looking = undefined;
      });
    looking = current;
    if (isFirst) await current;
    return seen;
  };

  async function allFaults({ refusals, probe }: HealthParts): Promise<LogFault[]> {
    const streams = [
      ...partitions.map(({ partition, stream }) => ({ partition, stream })),
      { partition: undefined, stream: requests },
    ];
    const present = new Map<string, StreamInfo>();
    for await (const info of nats.manager.streams.list()) present.set(info.config.name, info);
    const faults: LogFault[] = [];
    await eachOf(streams, async ({ partition, stream }) => {
      const cause = await faultOf(stream, present.get(stream));
      if (cause === undefined) return;
      const what =
        partition === undefined ? 'requests with an Idempotency-Key' : `records of partition ${partition}`;
      faults.push({ partition, words: `${what} are refused: ${cause}` });
    });
    const known = new Set(faults.map(({ partition }) => partition));
    const refused = partitions.filter(({ partition }) => refusals.has(partition) && !known.has(partition));
    await eachOf(refused, async (to) => {
      try {
        await probe(to);
        refusals.delete(to.partition);
      } catch (error) {
        const { partition, stream } = to;
        faults.push({
          partition,
          words: `records of partition ${partition} are refused: ${stream}: ${messageOf(error)}`,
        });
      }
    });
    return faults.sort((a, b) => (a.partition ?? -1) - (b.partition ?? -1));
  }

  async function faultOf(stream: string, listed: StreamInfo | undefined): Promise<string | undefined> {
    try {
      const { cluster } = listed ?? (await nats.manager.streams.info(stream));
      return !cluster || cluster.leader ? undefined : `the stream ${stream} has no leader`;
    } catch (error) {
      if (isNotFound(error))
        return `the stream ${stream} was deleted: restore it from a backup, or restart a node, which makes an empty one`;
      return `the stream ${stream} does not answer: ${messageOf(error)}`;
    }
  }
}

async function eachOf<T>(items: readonly T[], visit: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < items.length) await visit(items[next++] as T);
  };
  await Promise.all(Array.from({ length: TOGETHER }, work));
}
