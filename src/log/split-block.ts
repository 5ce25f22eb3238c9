import { type Block, blockInMemory, encodeBlock } from '../records/block.ts';
import { sliceIndex } from '../records/record-index.ts';
import type { NewBlock } from './log.ts';

/** Pieces are cut by the length of their payload, and compress unevenly: leave room, so that few are cut again. */
const FILL = 0.8;

/**
 * Cuts a block into blocks of at most `most` encoded bytes each, its records in order; the same block is always cut in
 * the same way. A single record is never cut: it is left as it is, however long.
 */
export async function splitBlock(source: NewBlock, most: number): Promise<NewBlock[]> {
  const { partition, bytes, block } = source;
  if (bytes.length <= most || block.count < 2) return [source];
  const pieces = Math.min(block.count, Math.max(2, Math.ceil(bytes.length / (most * FILL))));
  const target = block.payloadLength / pieces;
  const cut: NewBlock[] = [];
  for (let from = 0; from < block.count; ) {
    const to = endOfPiece(block, from, target);
    const index = sliceIndex(block, from, to);
    const payload = block.payload().slice(block.starts[from], block.ends[to - 1]);
    const piece = {
      partition,
      bytes: await encodeBlock(index, payload, block.arrivedAt),
      block: blockInMemory(index, payload, block.arrivedAt),
    };
    cut.push(...(await splitBlock(piece, most)));
    from = to;
  }
  return cut;
}

/** At least one record, and never all of the block's. */
function endOfPiece(block: Block, from: number, target: number): number {
  const start = block.starts[from] as number;
  const most = from === 0 ? block.count - 1 : block.count;
  let to = from + 1;
  while (to < most && (block.ends[to] as number) - start <= target) to++;
  return to;
}
