import type { Nats } from '../storage/nats.ts';
import type { NatsPartition } from './nats-partition.ts';

/** What nodes say to each other about the ends of partitions, so that a follower knows when it misses a block. */
export interface Tips {
  /** A block was stored in a partition, and `next` of the partition is up to date. */
  stored(partition: NatsPartition): void;
}

/** Partition and the sequence after its last block. */
type Tip = readonly [partition: number, next: number];

/** Nodes say it at most this often, and only after they stored something: an idle installation sends nothing. */
const SAY_EVERY_MS = 500;

/**
 * Shares the ends of partitions over NATS' own messages. A lost one does no harm: a follower also asks the servers, only
 * later.
 */
export function shareTips(
  { connection, clock }: Pick<Nats, 'connection' | 'clock'>,
  subject: string,
  partitions: readonly NatsPartition[],
): Tips {
  const news = new Set<NatsPartition>();
  let isDue = false;

  connection.subscribe(subject, {
    callback: (error, message) => {
      if (error) return;
      for (const [partition, next] of message.json<Tip[]>()) {
        const known = partitions[partition];
        if (known) known.next = Math.max(known.next, next);
      }
    },
  });

  const say = () => {
    isDue = false;
    const tips: Tip[] = [...news].map(({ partition, next }) => [partition, next]);
    news.clear();
    if (!connection.isClosed() && !connection.isDraining()) connection.publish(subject, JSON.stringify(tips));
  };

  return {
    stored: (partition) => {
      news.add(partition);
      if (isDue) return;
      isDue = true;
      clock.after(SAY_EVERY_MS, say);
    },
  };
}
