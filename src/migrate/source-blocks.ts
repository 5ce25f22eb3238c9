import type { NewBlock, RecordLog, StoredBlock } from '../log/log.ts';
import { splitBlock } from '../log/split-block.ts';
import { type Block, BlockFault, blockInMemory, encodeBlock, type RecordIndex } from '../records/block.ts';
import { emptyIndex, sameIndex } from '../records/record-index.ts';

/** One block for the target: a block of the source, or a piece of one that is too long for the target. */
export interface Piece {
  /** Of the block at the source. */
  readonly sequence: number;
  /** Which piece of it this is, from 0 on, and of how many. */
  readonly ordinal: number;
  readonly of: number;
  readonly block: NewBlock;
  /** Why the source's block cannot be read; an empty one stands in for it, so that what follows keeps its place. */
  readonly damage: string | undefined;
}

interface PieceRange {
  readonly partition: number;
  readonly from: number;
  /** Exclusive. */
  readonly end: number;
  readonly mostBytes: number;
  /** When the block before `from` arrived: a stand-in must not look older than its neighbours. */
  readonly arrivedAt: number;
}

/** Most bytes in memory at a time, packed; unpacked they may be ten times as many. */
const CHUNK = { blocks: 64, bytes: 2 ** 20 };

/** Blocks of the source as the target will hold them, some at a time; the same range always gives the same pieces. */
export async function* piecesOf(
  log: RecordLog,
  range: PieceRange,
  signal: AbortSignal,
): AsyncGenerator<readonly Piece[]> {
  let { from, arrivedAt } = range;
  while (from < range.end && !signal.aborted) {
    const stored = await log.read(range.partition, from, CHUNK);
    if (stored.length === 0)
      throw new Error(`partition ${range.partition} of the source ends before ${range.end}`);
    const pieces: Piece[] = [];
    for (const one of stored) {
      if (one.sequence >= range.end) break;
      const cut = await cutBlock(one, range, arrivedAt);
      arrivedAt = (cut[0] as Piece).block.block.arrivedAt;
      pieces.push(...cut);
      from = one.sequence + 1;
    }
    yield pieces;
  }
}

async function cutBlock(stored: StoredBlock, range: PieceRange, arrivedAt: number): Promise<Piece[]> {
  const { sequence } = stored;
  const { partition, mostBytes } = range;
  let damage: string | undefined;
  let encoded: NewBlock | undefined;
  if (stored.block) {
    try {
      encoded = await encode(partition, stored.block, stored.block.payload(), stored.block.arrivedAt);
    } catch (error) {
      if (!(error instanceof BlockFault)) throw error;
      damage = error.message;
    }
  } else damage = stored.fault;
  encoded ??= await encode(partition, emptyIndex('usage'), new Uint8Array(), arrivedAt);
  const cut = await splitBlock(encoded, mostBytes);
  return cut.map((block, ordinal) => ({ sequence, ordinal, of: cut.length, block, damage }));
}

async function encode(
  partition: number,
  index: RecordIndex,
  payload: Uint8Array,
  arrivedAt: number,
): Promise<NewBlock> {
  const bytes = await encodeBlock(index, payload, arrivedAt);
  return { partition, bytes, block: blockInMemory(index, payload, arrivedAt, bytes) };
}

/** Whether a block of the target is this one, to the last byte of its records. */
export function isSame(block: Block, other: Block): boolean {
  return (
    block.arrivedAt === other.arrivedAt &&
    sameIndex(block, other) &&
    Buffer.compare(block.payload(), other.payload()) === 0
  );
}
