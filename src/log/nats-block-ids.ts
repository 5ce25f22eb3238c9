import type { Nats } from '../storage/nats.ts';
import { MESSAGE_ID } from '../storage/nats-publish.ts';
import { firstId } from '../storage/nats-vain-ids.ts';
import type { NatsPartition } from './nats-partition.ts';

/** The ids of a partition's last blocks: they show whether a block without an acknowledgement is stored. */
export interface BlockIds {
  /**
   * Looks for a block among those from `from` on, as the partition's leader has them.
   * @returns its sequence, or `missing`; `unknown` when there are too many blocks to look at
   * @throws the error of NATS' client when the leader does not answer
   */
  find(partition: NatsPartition, id: string, from: number): Promise<number | 'missing' | 'unknown'>;
}

/** Blocks that are looked at: as many as one partition stores in some ten seconds under load. */
const MOST = 1_000;
const TOGETHER = 32;

/**
 * Servers 2.9 recognise a message that is sent twice, but each replica decides alone, and not always in the same way:
 * from then on the replicas differ (nats-agreement.ts). So the node looks for a block before it sends it again. This
 * happens only when NATS did not answer. Then many appends look for their blocks: each block is read once.
 */
export function blockIds({ manager }: Pick<Nats, 'manager'>, partitions: number): BlockIds {
  const known = Array.from({ length: partitions }, () => new Map<number, Promise<string>>());

  const idOf = (partition: NatsPartition, sequence: number): Promise<string> => {
    const ids = known[partition.partition] as Map<number, Promise<string>>;
    const before = ids.get(sequence);
    if (before) return before;
    const read = manager.streams
      .getMessage(partition.stream, { seq: sequence })
      .then((message) => firstId(message?.header.get(MESSAGE_ID) ?? ''));
    ids.set(sequence, read);
    read.catch(() => ids.delete(sequence));
    const [oldest] = ids.keys();
    if (ids.size > MOST && oldest !== undefined) ids.delete(oldest);
    return read;
  };

  return {
    find: async (partition, id, from) => {
      const { state } = await manager.streams.info(partition.stream);
      const first = Math.max(from, state.first_seq);
      if (state.last_seq - first >= MOST) return 'unknown';
      for (let at = first; at <= state.last_seq; at += TOGETHER) {
        const size = Math.min(TOGETHER, state.last_seq - at + 1);
        const ids = await Promise.all(Array.from({ length: size }, (_, i) => idOf(partition, at + i)));
        const found = ids.indexOf(id);
        if (found >= 0) return at + found;
      }
      return 'missing';
    },
  };
}
