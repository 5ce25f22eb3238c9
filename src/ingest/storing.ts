import { createArrivalTime } from '../lib/believed-time.ts';
import type { Clock } from '../lib/clock.ts';
import { working } from '../lib/loop-watch.ts';
import type { MemoryPool } from '../lib/memory-pool.ts';
import type { AppendOptions, AppendOutcome, NewBlock, RecordLog } from '../log/log.ts';
import { blockInMemory, encodeBlock } from '../records/block.ts';
import { leasedBlock } from '../records/leased-block.ts';
import { groupShares, type PartitionRecords, type Share, usualGroupBytes } from './partition.ts';

/**
 * Stores the valid records of requests. Small requests that wait for their turn are packed together: they share an append,
 * and in each partition a block. So the cost of a block is paid once for many requests, and it is highest where the records
 * of a request belong to many organisations.
 *
 *  S1  All records of a request are in one append: they are stored together or not at all.
 *  S2  A request with an idempotency key, or with large groups of records, has an append of its own. On a log that is not
 *      `atomic` every request has: a fault of one partition must not concern requests that have no records for it.
 *  S3  While a pack is under way, requests gather for the next one. A second pack is begun beside it only when it is large:
 *      then one is compressed while the other one is written. No request waits for a timer, or for another request to come.
 *  S4  In a block, the records of each organisation tree are in the order in which the requests came. Two packs may be stored in
 *      another order: a producer that needs an order waits for the answer to its earlier request.
 */
interface Storing {
  /** Resolves when the records are durable, or when nothing of them is stored. Owns the share's body from now on, and is the holder of its lease. */
  store(share: Share, options: AppendOptions): Promise<AppendOutcome>;
}

const PACKS = 2;
/** A smaller pack is compressed faster than written, so it gathers more requests until the other one is done. */
const SECOND_PACK_BYTES = 256 * 1024;
/** About two milliseconds of copying, which is done in one go. */
const PACK_BYTES = 4 * 2 ** 20;
/** A larger block costs little beside its records, and its body need not be copied. */
const SMALL_GROUP = 128 * 1024;
const WORK = { what: 'ingest' };

interface Waiting {
  readonly share: Share;
  readonly resolve: (outcome: AppendOutcome) => void;
  readonly reject: (reason: unknown) => void;
}

export function createStoring(
  log: Pick<RecordLog, 'append' | 'atomic'>,
  clock: Clock,
  memory: MemoryPool,
): Storing {
  const arrivalTime = createArrivalTime(clock);
  let waiting: Waiting[] = [];
  let waitingBytes = 0;
  const packs = new Set<Promise<void>>();

  const append = async (shares: readonly Share[], options: AppendOptions): Promise<AppendOutcome> => {
    working(WORK);
    const kinds = Map.groupBy(shares, ({ scanned }) => scanned.columns.kind);
    const groups = [...kinds.values()].flatMap((alike) => groupShares(alike, memory));
    const arrivedAt = arrivalTime();
    const encode = async ({ partition, index, payload, lease }: PartitionRecords): Promise<NewBlock> => {
      const bytes = await encodeBlock(index, payload, arrivedAt);
      const block = lease
        ? leasedBlock(index, lease, arrivedAt, bytes)
        : blockInMemory(index, payload, arrivedAt, bytes);
      return { partition, bytes, block };
    };
    // All are awaited, also if one fails: the others may still be reading their memory.
    const encoded = await Promise.allSettled(groups.map(encode));
    try {
      const blocks = encoded.map((one) => {
        if (one.status === 'rejected') throw one.reason;
        return one.value;
      });
      // A key is remembered even if the request has nothing to store: its next use must be compared with this one.
      if (blocks.length === 0 && options.idempotencyKey === undefined)
        return { type: 'stored', positions: [] };
      return await log.append(blocks, options);
    } finally {
      // The log itself holds the memory of the blocks that it keeps.
      for (const { lease } of groups) lease?.release();
    }
  };

  /** @param others packs that are under way */
  const mayBegin = (others: number) =>
    waiting.length > 0 && (others === 0 || (others < PACKS && waitingBytes >= SECOND_PACK_BYTES));

  const takePack = (): Waiting[] => {
    let bytes = 0;
    let length = 0;
    while (length < waiting.length && bytes < PACK_BYTES) bytes += waiting[length++]?.share.body.length ?? 0;
    const pack = waiting.slice(0, length);
    waiting = waiting.slice(length);
    waitingBytes -= bytes;
    return pack;
  };

  const pack = async () => {
    while (mayBegin(packs.size - 1)) {
      const taken = takePack();
      try {
        const outcome = await append(
          taken.map(({ share }) => share),
          {},
        );
        for (const { resolve } of taken) resolve(outcome);
      } catch (error) {
        for (const { reject } of taken) reject(error);
      }
    }
  };

  return {
    store: (share, options) => {
      if (!log.atomic || options.idempotencyKey !== undefined || !isSmall(share))
        return append([share], options);
      return new Promise((resolve, reject) => {
        waiting.push({ share, resolve, reject });
        waitingBytes += share.body.length;
        if (!mayBegin(packs.size)) return;
        const packing: Promise<void> = Promise.resolve()
          .then(pack)
          .finally(() => packs.delete(packing));
        packs.add(packing);
      });
    },
  };
}

function isSmall(share: Share): boolean {
  return share.body.length < PACK_BYTES && usualGroupBytes(share) < SMALL_GROUP;
}
