import type { RecordLog, StoredBlock } from '../../log/log.ts';
import type { Block } from '../../records/block.ts';

/**
 * A block that is read again for a request must be the block whose records were chosen. Replicas of a partition may differ
 * for some time (storage/nats-agreement.ts): then the same sequence is another block, with records of other organisations
 * at the same indexes. So what waits without its block carries a mark of it.
 */

/** A block that has another sequence at the leader than where it was read lies this near: replicas differ by a few blocks. */
const NEAR = { blocks: 64, bytes: 64 * 2 ** 20 };
const FNV = { offset: 0x811c9dc5, prime: 0x01000193 };

const known = new WeakMap<Block, number>();

/**
 * Tells blocks apart by their index, so that the payload is not needed: when they arrived, and of each record the organisation, the
 * endpoint and the place. Blocks that differ in any of these have the same mark once in four billion times.
 */
export function markOf(block: Block): number {
  const before = known.get(block);
  if (before !== undefined) return before;
  let mark = FNV.offset;
  const add = (value: number) => {
    mark = Math.imul(mark ^ (value >>> 0), FNV.prime);
    // Organisations and times have more than 32 bits.
    if (value > 0xffffffff) mark = Math.imul(mark ^ Math.floor(value / 2 ** 32), FNV.prime);
  };
  const { organisations, starts, ends, ordinals, endpoints, endpointsHigh } = block;
  for (const value of [block.arrivedAt, block.count, block.payloadLength, organisations.length]) add(value);
  for (const column of [organisations, starts, ends, ordinals])
    for (let at = 0; at < column.length; at++) add(column[at] as number);
  // A column of zeros may be stored or not.
  for (const column of [endpoints, endpointsHigh])
    for (let at = 0; at < column.length; at++) if (column[at] !== 0) add((column[at] as number) + at);
  known.set(block, mark >>> 0);
  return mark >>> 0;
}

/**
 * Reads the block of a span again.
 * @returns undefined, or another sequence: the log does not have it any more
 * @throws Error when the log has another block there, and the right one is not near
 */
export async function readSame(
  log: RecordLog,
  partition: number,
  { sequence, mark }: { readonly sequence: number; readonly mark?: number | undefined },
): Promise<StoredBlock | undefined> {
  const [stored] = await log.read(partition, sequence, { blocks: 1, bytes: 1 });
  const isSame = (block: Block | undefined) => block !== undefined && markOf(block) === mark;
  if (mark === undefined || stored?.sequence !== sequence || !stored.block || isSame(stored.block))
    return stored;
  const from = Math.max(1, sequence - NEAR.blocks / 2);
  const near = await log.read(partition, from, NEAR);
  for (const { block } of near) if (block && isSame(block)) return { sequence, block };
  throw new Error(`block ${sequence} of partition ${partition} is not the block that was read before`);
}
