import { type Block, blockInMemory, encodeBlock } from '../records/block.ts';
import { sliceIndex } from '../records/record-index.ts';
import type { NewBlock } from './log.ts';

/** Blocks are split by payload length, but compress unevenly. This margin makes a second split rare. */
const FILL = 0.8;

/**
 * Splits a block into blocks of at most `most` encoded bytes each, with the records in order. The same block is always
 * split in the same way. A block of a single record is never split, whatever its length.
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
    const payload = new Uint8Array(block.payload().subarray(block.starts[from], block.ends[to - 1]));
    const bytes = await encodeBlock(index, payload, block.arrivedAt);
    const piece = { partition, bytes, block: blockInMemory(index, payload, block.arrivedAt, bytes) };
    cut.push(...(await splitBlock(piece, most)));
    from = to;
  }
  return cut;
}

/** At least one record, and never all records of the block. */
function endOfPiece(block: Block, from: number, target: number): number {
  const start = block.starts[from] as number;
  const most = from === 0 ? block.count - 1 : block.count;
  let to = from + 1;
  while (to < most && (block.ends[to] as number) - start <= target) to++;
  return to;
}
