import { crc32 } from 'node:zlib';
import type { RecordLog, StoredBlock } from '../../log/log.ts';
import { type Block, BlockFault } from '../../records/block.ts';
import { passingPayload } from '../../records/leased-block.ts';

/**
 * A block that is read again for a request must be the block whose records were chosen. Replicas of a partition may differ
 * for some time (storage/nats-agreement.ts): then the same sequence is another block, with records of other organisations
 * at the same indexes. So what waits without its block carries a mark of it.
 */

/** A block that has another sequence at the leader than where it was read lies this near: replicas differ by a few blocks. */
const NEAR = { blocks: 64, bytes: 64 * 2 ** 20 };
const FNV = { offset: 0x811c9dc5, prime: 0x01000193 };

/** The log has another block under this sequence than it had. */
export class BlockMoved extends Error {
  readonly sequence: number;
  constructor(partition: number, sequence: number) {
    super(
      `block ${sequence} of partition ${partition} is not the block that was read before: it is read anew`,
    );
    this.sequence = sequence;
  }
}

const known = new WeakMap<Block, number | undefined>();

/**
 * Tells blocks apart: equal marks mean the same records of the same organisations at the same places. When it arrived is no part of it:
 * a request that was repeated at another node, and stored by one of the two, has another time. Blocks that differ have the same mark once
 * in four billion times.
 * @returns undefined: the block is damaged, and its records cannot be sent
 */
export function markOf(block: Block): number | undefined {
  if (known.has(block)) return known.get(block);
  const mark = made(block);
  known.set(block, mark);
  return mark;
}

function made(block: Block): number | undefined {
  const { organisations, starts, ends, ordinals } = block;
  let payload: Uint8Array;
  try {
    payload = passingPayload(block);
  } catch (error) {
    if (error instanceof BlockFault) return undefined;
    throw error;
  }
  let mark = crc32(payload, FNV.offset);
  const add = (value: number) => {
    mark = Math.imul(mark ^ (value >>> 0), FNV.prime);
    // The id of an organisation may have more than 32 bits.
    if (value > 0xffffffff) mark = Math.imul(mark ^ Math.floor(value / 2 ** 32), FNV.prime);
  };
  add(block.count);
  for (const column of [organisations, starts, ends, ordinals])
    for (let at = 0; at < column.length; at++) add(column[at] as number);
  return mark >>> 0;
}

/**
 * Reads the block of a span again.
 * @returns undefined, or another sequence: the log does not have it any more
 * @throws BlockMoved when the log has another block there, and the right one is not near
 */
export async function readSame(
  log: RecordLog,
  partition: number,
  { sequence, mark }: { readonly sequence: number; readonly mark?: number | undefined },
): Promise<StoredBlock | undefined> {
  const [stored] = await log.read(partition, sequence, { blocks: 1, bytes: 1 });
  if (mark === undefined || stored?.sequence !== sequence || !stored.block) return stored;
  const found = markOf(stored.block);
  if (found === mark || found === undefined) return stored;
  const from = Math.max(1, sequence - NEAR.blocks / 2);
  const near = await log.read(partition, from, NEAR);
  for (const { block } of near) if (block && markOf(block) === mark) return { sequence, block };
  throw new BlockMoved(partition, sequence);
}
