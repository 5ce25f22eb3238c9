import { nextSlice } from '../../lib/slices.ts';
import type { RecordLog, StoredBlock } from '../../log/log.ts';

/** Blocks per read. Few, so that a page that is soon full reads few blocks in vain. */
const STEP = { blocks: 16, bytes: 2 ** 20 };

/**
 * The blocks of a partition from the newest to the oldest. The log itself reads forwards, so a few blocks are read at a time;
 * other work gets its turn between two reads.
 * @param first sequence of the oldest block that is wanted
 * @param end sequence behind the newest block that is wanted
 */
export async function* blocksBackwards(
  log: Pick<RecordLog, 'read'>,
  partition: number,
  first: number,
  end: number,
): AsyncGenerator<StoredBlock> {
  for (let to = end; to > first; ) {
    const from = Math.max(first, to - STEP.blocks);
    const group: StoredBlock[] = [];
    for (let next = from; next < to; ) {
      const stored = await log.read(partition, next, { ...STEP, blocks: to - next });
      const last = stored.at(-1);
      if (!last) break;
      group.push(...stored.filter(({ sequence }) => sequence < to));
      next = last.sequence + 1;
    }
    yield* group.reverse();
    to = from;
    await nextSlice();
  }
}
