import type { JsMsg, PubAck } from '@nats-io/jetstream';
import { StoreUnavailable } from '../errors.ts';
import { encodeBlockNow } from '../records/block.ts';
import { RecordIndexBuilder } from '../records/record-index.ts';
import type { Nats } from '../storage/nats.ts';
import { MESSAGE_ID } from '../storage/nats-publish.ts';
import { idOfCopy } from '../storage/nats-vain-ids.ts';
import type { NatsPartition } from './nats-partition.ts';

/**
 * L2 on servers that forget: a stream goes on at a lower sequence when a quorum of its servers lost the power before they had synced its
 * last blocks, or when its new leader lacks some. Watermarks and cursors have passed these sequences already, so a new block
 * there would never be delivered. The stream is filled up with blocks without records to beyond what was given before.
 */
export interface Numbering {
  /**
   * Resolves when the next block of a partition gets the sequence `next` or a later one.
   * @throws StoreUnavailable
   */
  reach(partition: NatsPartition, next: number): Promise<void>;
}

/**
 * Sequences that are passed over beyond the last one that is known: cursors are ahead of the watermark, and other nodes know of
 * later blocks. Nodes tell each other twice a second how far a partition goes, and a busy partition gets some hundred blocks a second.
 */
const BEYOND = 128;
const TOGETHER = 64;

/** @param report receives what happened, in words for an operator */
export function keepNumbering(
  nats: Nats,
  clock: { now(): number },
  report: (message: string) => void,
): Numbering {
  const turns = new Map<number, Promise<void>>();

  const lastOf = async ({ stream }: NatsPartition) =>
    (await nats.ask(`${stream} cannot be asked`, () => nats.manager.streams.info(stream))).state.last_seq;

  const reach = async (partition: NatsPartition, next: number): Promise<void> => {
    const { stream } = partition;
    const last = await lastOf(partition);
    if (last + 1 >= next) return;
    report(
      `the stream ${stream} went back from block ${next - 1} to block ${last}: what its servers had not written to their disks is lost, or its new leader lacks it. ` +
        'It goes on behind both. See "Acknowledged and durable on NATS" in docs/guarantees.md',
    );
    const fill = () =>
      nats.ask(`${stream} cannot be filled up`, () => storeEmpty(nats, partition, clock.now()));
    for (let reached = last; reached + 1 < next + BEYOND; ) {
      const size = Math.min(TOGETHER, next + BEYOND - 1 - reached);
      const stored = await Promise.all(Array.from({ length: size }, fill));
      reached = Math.max(...stored.map(({ seq }) => seq));
    }
  };

  return {
    reach: async (partition, next) => {
      const before = turns.get(partition.partition);
      const own = (before ?? Promise.resolve()).catch(() => undefined).then(() => reach(partition, next));
      turns.set(partition.partition, own);
      await own.finally(() => {
        if (turns.get(partition.partition) === own) turns.delete(partition.partition);
      });
    },
  };
}

interface Copies {
  /** Stores a followed message once more. */
  keep(partition: NatsPartition, message: JsMsg, sequence: number): Promise<void>;
}

/**
 * A follower hands over a block late if it comes under a sequence that was passed. Until it is delivered, only memory knows of it: a
 * cursor is beyond it already. So it is stored once more, behind what was passed, under an id that followers know as the same.
 */
export function copiesOfLate(nats: Nats, numbering: Numbering, report: (message: string) => void): Copies {
  return {
    keep: async (partition, { headers, data }, sequence) => {
      const id = headers?.get(MESSAGE_ID);
      if (!id) return;
      try {
        await numbering.reach(partition, sequence + 1);
        await nats.publish(partition.subject, new Uint8Array(data), { id: idOfCopy(id) });
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        report(`a late block of ${partition.stream} is not stored once more: ${error.message}`);
      }
    },
  };
}

/**
 * Stores a block without records. It has no message id: a follower passes over it where it has passed the sequence (P2 of
 * nats-place.ts).
 * @throws what NATS' client throws
 */
export function storeEmpty(
  { jetstream }: Pick<Nats, 'jetstream'>,
  { subject }: NatsPartition,
  arrivedAt: number,
): Promise<PubAck> {
  const { index, nothing } = EMPTY;
  return jetstream.publish(subject, encodeBlockNow(index, nothing, arrivedAt));
}

const EMPTY = { index: new RecordIndexBuilder('usage', 0).toIndex(), nothing: new Uint8Array(0) };
