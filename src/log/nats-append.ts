import { crc32 } from 'node:zlib';
import type { Clock } from '../lib/clock.ts';
import type { Block } from '../records/block.ts';
import { passingPayload } from '../records/leased-block.ts';
import { DUPLICATE_WINDOW_MS, type Nats, StoreUnavailable } from '../storage/nats.ts';
import type { Tips } from '../storage/nats-tips.ts';
import { idOfCopy } from '../storage/nats-vain-ids.ts';
import { notBefore } from './blocks.ts';
import type { AppendOptions, AppendOutcome, NewBlock } from './log.ts';
import type { BlockIds } from './nats-block-ids.ts';
import { findStored } from './nats-find.ts';
import type { Numbering } from './nats-numbering.ts';
import type { NatsPartition } from './nats-partition.ts';
import type { Request, Requests } from './nats-requests.ts';
import type { RecentBlocks } from './recent-blocks.ts';
import { splitBlock } from './split-block.ts';

interface AppendParts {
  readonly nats: Nats;
  readonly partitions: readonly NatsPartition[];
  readonly recent: RecentBlocks;
  readonly requests: Requests;
  readonly clock: Clock;
  readonly tips: Tips<number>;
  readonly ids: BlockIds;
  readonly numbering: Numbering;
}

interface Appends {
  append(blocks: readonly NewBlock[], options: AppendOptions): Promise<AppendOutcome>;
  /** Blocks that this node is publishing, by message id. Its followers may see them before the acknowledgement. */
  readonly inFlight: ReadonlyMap<string, Block>;
  /** Why the last append to a partition failed, by partition. */
  readonly refusals: Map<number, string>;
}

interface Placed {
  readonly partition: number;
  readonly sequence: number;
  readonly duplicate: boolean;
}

/** Longer than NATS needs to elect new leaders, shorter than producers wait. */
const APPEND_WITHIN_MS = 10_000;
const LEAST_MS = 1_000;
/** Ingest refuses requests long before this. This is the last bound. */
const WAITING_BYTES = 256 * 2 ** 20;
/** Half of JetStream's own duplicate window, because the nodes' clocks may differ. */
const SURELY_REMEMBERED_MS = DUPLICATE_WINDOW_MS / 2;

export function openAppends(parts: AppendParts): Appends {
  const { nats, partitions, recent, requests, clock, tips, ids, numbering } = parts;
  const inFlight = new Map<string, Block>();
  const refusals = new Map<number, string>();
  const turns = new Map<string, Promise<unknown>>();
  let waiting = 0;

  const publish = async (source: NewBlock, id: string, deadline: number): Promise<Placed> => {
    const to = partitions[source.partition] as NatsPartition;
    const block = notBefore(source, to.arrivedAt);
    to.arrivedAt = block.block.arrivedAt;
    const { partition } = to;
    inFlight.set(id, block.block);
    const from = to.next;
    const found = async () => {
      const sequence = await ids.find(to, id, from);
      return typeof sequence === 'number' ? sequence : undefined;
    };
    try {
      const withinMs = Math.max(LEAST_MS, deadline - nats.clock.monotonic());
      const published = await nats.publish(to.subject, block.bytes, { id, withinMs, stored: found });
      if (published.type === 'conflict')
        throw new StoreUnavailable(`${to.stream} refuses a block without a reason`);
      refusals.delete(partition);
      const { sequence, duplicate } = published;
      // L2: the sequence was given before, so streams have passed it already.
      if (!duplicate && sequence < from) {
        await numbering.reach(to, from);
        return await storeAgain(to, block, { id, from, deadline });
      }
      if (!duplicate)
        recent.add(
          partition,
          sequence,
          { block: block.block, storedLength: block.bytes.length, id },
          block.bytes,
        );
      to.next = Math.max(to.next, sequence + 1);
      tips.stored(partition, to.next);
      return { partition, sequence, duplicate };
    } catch (error) {
      if (error instanceof StoreUnavailable) refusals.set(partition, error.message);
      throw error;
    } finally {
      inFlight.delete(id);
    }
  };

  /** Under an id that followers know as the same: who has seen the block does not get it again. */
  const storeAgain = async (
    to: NatsPartition,
    { bytes }: NewBlock,
    { id, from, deadline }: { id: string; from: number; deadline: number },
  ): Promise<Placed> => {
    const stored = async () => {
      const sequence = await ids.find(to, id, from);
      return typeof sequence === 'number' ? sequence : undefined;
    };
    const withinMs = Math.max(LEAST_MS, deadline - nats.clock.monotonic());
    const published = await nats.publish(to.subject, bytes, { id: idOfCopy(id), withinMs, stored });
    if (published.type === 'conflict')
      throw new StoreUnavailable(`${to.stream} refuses a block without a reason`);
    const { sequence } = published;
    to.next = Math.max(to.next, sequence + 1);
    tips.stored(to.partition, to.next);
    return { partition: to.partition, sequence, duplicate: false };
  };

  /** Publishes the blocks of one partition one after the other: a request's records always keep their order. */
  const store = async (
    blocks: readonly NewBlock[],
    idOf: (block: NewBlock, ordinal: number) => string,
    deadline: number,
    stored: ReadonlyMap<string, number> = new Map(),
  ): Promise<Placed[]> => {
    const placed: Placed[] = [];
    const storePartition = async (partition: number) => {
      for (const [ordinal, block] of blocks.entries()) {
        if (block.partition !== partition) continue;
        const id = idOf(block, ordinal);
        const sequence = stored.get(id);
        placed[ordinal] =
          sequence === undefined
            ? await publish(block, id, deadline)
            : { partition, sequence, duplicate: true };
      }
    };
    const involved = [...new Set(blocks.map(({ partition }) => partition))];
    const outcomes = await Promise.allSettled(involved.map(storePartition));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    return placed;
  };

  const storeRequest = async (
    blocks: readonly NewBlock[],
    key: string,
    fingerprint: string,
    deadline: number,
  ): Promise<AppendOutcome> => {
    const involved = blocks.map(({ partition }) => partitions[partition] as NatsPartition);
    const ends = Object.fromEntries(involved.map(({ partition, next }) => [partition, next]));
    const begun = await requests.begin(key, fingerprint, ends);
    if (begun.type !== 'begun') return begun;
    const { request } = begun;
    const idOf = (block: NewBlock, ordinal: number) => idInRequest(request, block, ordinal);
    const remembered = request.repeated ? await storedBefore(request, blocks, idOf) : undefined;
    const placed = await store(blocks, idOf, deadline, remembered);
    await requests.done(request);
    if (request.repeated && placed.every(({ duplicate }) => duplicate)) return { type: 'duplicate' };
    return { type: 'stored', positions: placed.map(toPosition) };
  };

  /** undefined: too much was stored since the request began. */
  const foundNearby = async (
    { ends }: Request,
    blocks: readonly NewBlock[],
    idOf: (block: NewBlock, ordinal: number) => string,
  ): Promise<ReadonlyMap<string, number> | undefined> => {
    const found = new Map<string, number>();
    for (const [ordinal, block] of blocks.entries()) {
      const to = partitions[block.partition] as NatsPartition;
      const from = ends?.[block.partition];
      if (from === undefined) return undefined;
      const id = idOf(block, ordinal);
      const what = `${to.stream} cannot be searched`;
      const sequence = await nats.ask(what, () => ids.find(to, id, from));
      if (sequence === 'unknown') return undefined;
      if (sequence !== 'missing') found.set(id, sequence);
    }
    return found;
  };

  const storedBefore = async (
    request: Request,
    blocks: readonly NewBlock[],
    idOf: (block: NewBlock, ordinal: number) => string,
  ) => {
    const nearby = await foundNearby(request, blocks, idOf);
    if (nearby) return nearby;
    if (clock.now() - request.at < SURELY_REMEMBERED_MS) return undefined;
    const wanted = new Set(blocks.map(idOf));
    const involved = partitions.filter(({ partition }) =>
      blocks.some((block) => block.partition === partition),
    );
    return findStored(nats, involved, request.at, wanted);
  };

  /** L4: each call with a key waits for the call before with the same key. */
  const inTurn = <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const before = turns.get(key);
    const own = before ? before.then(work, work) : work();
    turns.set(key, own);
    const leave = () => {
      if (turns.get(key) === own) turns.delete(key);
    };
    own.then(leave, leave);
    return own;
  };

  const fitted = (blocks: readonly NewBlock[]): readonly NewBlock[] | Promise<NewBlock[]> => {
    const most = nats.mostBytes;
    if (blocks.every(({ bytes }) => bytes.length <= most)) return blocks;
    return Promise.all(blocks.map((block) => splitBlock(block, most))).then((cut) => cut.flat());
  };

  const append = async (blocks: readonly NewBlock[], options: AppendOptions): Promise<AppendOutcome> => {
    const { idempotencyKey, fingerprint = '' } = options;
    const deadline = nats.clock.monotonic() + APPEND_WITHIN_MS;
    const cut = fitted(blocks);
    // L2: blocks that fit a message are published before this function waits for anything.
    const fit = cut instanceof Promise ? await cut : cut;
    if (idempotencyKey !== undefined) {
      return inTurn(idempotencyKey, () => storeRequest(fit, idempotencyKey, fingerprint, deadline));
    }
    const base = nats.uniqueId();
    const placed = await store(fit, (_, ordinal) => `${base}.${ordinal}`, deadline);
    return { type: 'stored', positions: placed.map(toPosition) };
  };

  return {
    inFlight,
    refusals,
    append: async (blocks, options) => {
      const bytes = blocks.reduce((sum, block) => sum + block.bytes.length, 0);
      if (waiting > 0 && waiting + bytes > WAITING_BYTES)
        return { type: 'unavailable', cause: 'too many records are waiting to be stored' };
      waiting += bytes;
      try {
        return await append(blocks, options);
      } catch (error) {
        if (error instanceof StoreUnavailable) return { type: 'unavailable', cause: error.message };
        throw error;
      } finally {
        waiting -= bytes;
      }
    },
  };
}

/**
 * The same for every repetition that sends the same records to the partition. If the tree of organisations changed in
 * between, records may be stored twice, but no record is mistaken for another.
 */
function idInRequest(request: Request, { partition, block }: NewBlock, ordinal: number): string {
  return `${request.id}.${partition}.${ordinal}.${crc32(passingPayload(block)).toString(16)}`;
}

function toPosition({ partition, sequence }: Placed) {
  return { partition, sequence };
}
