import type { JsMsg } from '@nats-io/jetstream';
import type { Clock } from '../lib/clock.ts';
import { type Block, BlockFault } from '../records/block.ts';
import { decodeBlock } from '../records/decode-block.ts';
import type { Nats } from '../storage/nats.ts';
import { MESSAGE_ID } from '../storage/nats-publish.ts';
import { firstId } from '../storage/nats-vain-ids.ts';
import { recordsIn } from './blocks.ts';
import { type Extent, MOST_AHEAD_MS, type ReadLimits, type StoredBlock } from './log.ts';
import type { NatsPartition } from './nats-partition.ts';
import type { RecentBlocks } from './recent-blocks.ts';
import { type LookBack, seekArrival } from './seek.ts';

interface ReaderParts {
  readonly nats: Nats;
  /** The clock for times of arrival. */
  readonly clock: Pick<Clock, 'now'>;
  readonly recent: RecentBlocks;
  readonly inFlight: ReadonlyMap<string, Block>;
}

/** Reads a JetStream record log. Every read rejects with StoreUnavailable if NATS does not answer. */
interface NatsReader {
  /** The extent according to the stream's leader. */
  extent(partition: NatsPartition): Promise<Extent>;
  read(partition: NatsPartition, from: number, limits: ReadLimits): Promise<StoredBlock[]>;
  seek(partition: NatsPartition, time: number): Promise<number>;
  /**
   * The block of a followed message, preceded by the blocks from `next` on that the follower missed.
   * @param sequence under which the message is handed over
   */
  upTo(partition: NatsPartition, next: number, message: JsMsg, sequence: number): Promise<StoredBlock[]>;
}

interface Found {
  readonly stored: StoredBlock;
  readonly length: number;
}

/** Number of blocks in the first parallel request. Later requests ask for as many as fit the remaining bytes. */
const FIRST_WAVE = 4;
const MOST_AT_ONCE = 64;
/**
 * Neighbours in the log may be out of the order of arrival: requests are encoded in parallel, nodes hear each other's time once a
 * second, and a block that was sent again is stored seconds later. A seek looks back over blocks that arrived at most
 * `ms` before, and at `most` blocks at most.
 */
const LOOK_BACK: LookBack = { ms: 5_000, least: 16, most: 256 };
/** The blocks after the current one. */
const AT_THE_TAIL = 16;

export function natsReader({ nats, clock, recent, inFlight }: ReaderParts): NatsReader {
  /** L6: times from the future do not count for the blocks that this node appends. */
  const arrived = (partition: NatsPartition, { arrivedAt }: Block) => {
    if (arrivedAt - clock.now() <= MOST_AHEAD_MS)
      partition.arrivedAt = Math.max(partition.arrivedAt, arrivedAt);
  };

  const extent = async (partition: NatsPartition): Promise<Extent> => {
    const { stream } = partition;
    const { state } = await nats.ask(`${stream} cannot be asked`, () => nats.manager.streams.info(stream));
    partition.next = Math.max(partition.next, state.last_seq + 1);
    partition.first = Math.max(partition.first, state.messages === 0 ? state.last_seq + 1 : state.first_seq);
    const { first, next } = partition;
    return { first, next };
  };

  const readOne = async (partition: NatsPartition, sequence: number): Promise<Found | undefined> => {
    const hit = recent.get(partition.partition, sequence);
    if (hit) return { stored: { sequence, block: hit.block }, length: hit.storedLength };
    const { stream } = partition;
    const what = `block ${sequence} of ${stream} cannot be read`;
    // Only the leader is asked where there are replicas: one may lag, or have another block there (nats-agreement.ts). A direct
    // read, which any replica answers, is cheaper.
    const { direct, streams } = nats.manager;
    const reader = nats.replicas > 1 ? streams : direct;
    const message = await nats.ask(what, () => reader.getMessage(stream, { seq: sequence }));
    if (message) {
      const found = decoded(sequence, message.data);
      const { block } = found.stored;
      if (block) arrived(partition, block);
      if (block) recent.addRead(partition.partition, sequence, { block, storedLength: found.length });
      return found;
    }
    // Trimmed; or, inside the extent, missing in the store.
    if (sequence < partition.first || sequence < (await extent(partition)).first) return undefined;
    return { stored: { sequence, block: undefined, fault: 'the block is missing in the store' }, length: 0 };
  };

  const read = async (partition: NatsPartition, from: number, limits: ReadLimits): Promise<StoredBlock[]> => {
    let at = Math.max(1, Math.ceil(from));
    // Other nodes append too: if this node does not know enough, it asks the leader.
    if (at < partition.first || at + Math.max(1, limits.blocks) > partition.next) await extent(partition);
    at = Math.max(at, partition.first);
    const end = Math.min(partition.next, at + Math.max(1, limits.blocks));
    const found: StoredBlock[] = [];
    let bytes = 0;
    for (let wave = FIRST_WAVE; at < end; ) {
      const size = Math.min(wave, MOST_AT_ONCE, end - at);
      const start = at;
      const answers = await Promise.all(
        Array.from({ length: size }, (_, i) => readOne(partition, start + i)),
      );
      for (const answer of answers) {
        if (!answer) continue;
        bytes += answer.length;
        if (found.length > 0 && bytes > limits.bytes) return found;
        found.push(answer.stored);
      }
      at += size;
      const average = Math.max(1, bytes / Math.max(1, found.length));
      wave = Math.max(1, Math.min(2 * size, Math.floor((limits.bytes - bytes) / average)));
    }
    return found;
  };

  /** The blocks that a follower missed: trimmed (then none), missing in the store, or lost in transit. */
  const between = async (partition: NatsPartition, from: number, to: number) => {
    const start = Math.max(from, (await extent(partition)).first);
    return start < to ? read(partition, start, { blocks: to - start, bytes: Number.MAX_SAFE_INTEGER }) : [];
  };

  const arrivedAt = async (partition: NatsPartition, sequence: number) =>
    (await readOne(partition, sequence))?.stored.block?.arrivedAt;

  return {
    extent,
    read,

    seek: async (partition, time) =>
      seekArrival(
        {
          extent: await extent(partition),
          arrivedAt: (sequence) => arrivedAt(partition, sequence),
          now: clock.now(),
          lookBack: LOOK_BACK,
        },
        time,
      ),

    upTo: async (partition, next, message, seq) => {
      const { data } = message;
      const id = firstId(message.headers?.get(MESSAGE_ID) ?? '');
      if (seq < next || seq < partition.first) return [];
      partition.next = Math.max(partition.next, seq + 1);
      const before = seq === next ? [] : await between(partition, next, seq);
      const kept = recent.get(partition.partition, seq);
      // Replicas may count differently: the id says whether it is the same block (nats-agreement.ts).
      const known = kept && kept.id === id ? kept.block : inFlight.get(id);
      if (known) return [...before, { sequence: seq, block: known }];
      const { stored, length } = decoded(seq, data);
      if (stored.block) arrived(partition, stored.block);
      // A follower that is far behind must not displace the blocks that followers at the tail need.
      if (stored.block && message.info.pending < AT_THE_TAIL)
        recent.add(partition.partition, seq, { block: stored.block, storedLength: length, id });
      return [...before, stored];
    },
  };
}

/** Copies the bytes: NATS returns a view of a larger buffer, and a kept block would keep that whole buffer. */
function decoded(sequence: number, data: Uint8Array): Found {
  const { length } = data;
  try {
    return { stored: { sequence, block: decodeBlock(new Uint8Array(data)) }, length };
  } catch (error) {
    const fault = error instanceof BlockFault ? error.message : `the block cannot be decoded: ${error}`;
    return { stored: { sequence, block: undefined, fault, ...recordsIn(data) }, length };
  }
}
