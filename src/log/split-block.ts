import {
  type Block,
  blockInMemory,
  encodeBlock,
  organisationOf,
  type RecordIndex,
} from '../records/block.ts';
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
    const { index, payload } = slice(block, from, to);
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

function slice(block: Block, from: number, to: number): { index: RecordIndex; payload: Uint8Array } {
  const start = block.starts[from] as number;
  const ordinalOf = new Map<number, number>();
  const ordinals = new Uint32Array(to - from);
  for (let at = from; at < to; at++) {
    const organisation = organisationOf(block, at);
    const ordinal = ordinalOf.get(organisation) ?? ordinalOf.size;
    ordinalOf.set(organisation, ordinal);
    ordinals[at - from] = ordinal;
  }
  const index: RecordIndex = {
    kind: block.kind,
    count: to - from,
    organisations: [...ordinalOf.keys()],
    starts: block.starts.slice(from, to).map((offset) => offset - start),
    ends: block.ends.slice(from, to).map((offset) => offset - start),
    ordinals: ordinalOf.size > 1 ? ordinals : new Uint32Array(0),
    eventTypes: block.kind === 'event' ? block.eventTypes.slice(from, to) : new Uint32Array(0),
    alerts: block.kind === 'event' ? block.alerts.slice(from, to) : new Uint8Array(0),
  };
  return { index, payload: block.payload().slice(start, block.ends[to - 1]) };
}
