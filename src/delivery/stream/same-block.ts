import type { RecordLog, StoredBlock } from '../../log/log.ts';
import type { Block } from '../../records/block.ts';

/**
 * A block that is read again for a request must be the block whose records were chosen. Replicas of a partition may differ
 * for some time (storage/nats-agreement.ts): then the same sequence is another block, with records of other organisations
 * at the same indexes. So records that wait without their block carry a mark of it.
 */

/**
 * A block whose sequence at the leader differs from the one that was read is at most this far away: replicas differ
 * by a few blocks.
 */
const NEAR = { blocks: 64, bytes: 64 * 2 ** 20 };

/** The log now has another block under this sequence. */
export class BlockMoved extends Error {
  readonly sequence: number;
  constructor(partition: number, sequence: number) {
    super(
      `block ${sequence} of partition ${partition} is not the block that was read before: it is read anew`,
    );
    this.sequence = sequence;
  }
}

/**
 * Tells blocks apart: equal marks mean the same bytes of records, which name their organisations. The mark does not
 * include the time of arrival: a request that was repeated at another node, and stored by one of the two, has another
 * time. Blocks that differ have the same mark once in four billion times.
 * @returns undefined: the block is in no log
 */
export const markOf = ({ payloadCrc }: Block): number | undefined => payloadCrc;

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
