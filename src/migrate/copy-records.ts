import { StoreUnavailable } from '../errors.ts';
import type { RecordLog, StoredBlock } from '../log/log.ts';
import { BlockFault } from '../records/block.ts';
import { KINDS, RECORD_KINDS } from '../records/kinds.ts';
import type { Patience } from './patience.ts';
import type { Split } from './position-map.ts';
import { isSame, type Piece, piecesOf } from './source-blocks.ts';
import {
  type CheckedPartition,
  type MigrationDocument,
  type MigrationTarget,
  type PartitionDocument,
  type RecordCounts,
  readPartition,
  writePartition,
} from './target.ts';

/** One partition's part of a migration. */
export interface PartitionCopy {
  readonly partition: number;
  readonly source: RecordLog;
  readonly target: MigrationTarget;
  readonly migration: MigrationDocument;
  readonly patience: Patience;
  readonly signal: AbortSignal;
  /** Called for every block of the source that is done. */
  advanced(blocks: number): void;
}

/** A person must look at this: nothing was lost, but the target is not a copy. */
export class Difference extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Difference';
  }
}

/** Chunks between two notes of how far a copy has come. A copy that goes on compares the blocks behind its last note. */
const CHUNKS_PER_NOTE = 16;
const READ_BACK = { blocks: 64, bytes: 4 * 2 ** 20 };
/** The most that are kept with the partition: more would make a long document. Another reading finds the rest. */
const MOST_SPLITS = 2_000;

/**
 * Copies the blocks of a partition that the target lacks. What an interrupted migration stored without noting it is
 * compared block by block and not stored again.
 * @throws Difference when the target holds other blocks
 */
export async function copyPartition(copy: PartitionCopy): Promise<void> {
  const { partition, source, target, migration, patience, signal } = copy;
  const start = migration.starts[partition] as number;
  const note = await patience(() => readPartition(target.registry, partition));
  const { next: end } = await source.extent(partition);
  if (note?.checked) return copy.advanced(end - start);
  const { next } = await patience(() => target.log.extent(partition));
  if (next < start) await patience(() => target.begin(partition, start));
  const from: PartitionDocument = note ?? { source: start, target: start, arrivedAt: 0 };
  copy.advanced(from.source - start);

  const range = {
    partition,
    from: from.source,
    end,
    mostBytes: migration.mostBytes,
    arrivedAt: from.arrivedAt,
  };
  const stored = readBack(copy, from.target, Math.max(next, start));
  let at = from.target;
  let chunks = 0;
  for await (const pieces of piecesOf(source, range, signal)) {
    const missing: Piece[] = [];
    for (const piece of pieces) {
      const before = await stored.next();
      if (before.done) missing.push(piece);
      else requireSame(copy, piece, before.value);
    }
    if (missing.length > 0) await store(copy, missing, at + pieces.length - missing.length);
    at += pieces.length;
    const last = pieces.at(-1) as Piece;
    if (++chunks % CHUNKS_PER_NOTE === 0) {
      const done = { source: last.sequence + 1, target: at, arrivedAt: last.block.block.arrivedAt };
      await patience(() => writePartition(target.registry, partition, done));
    }
    copy.advanced(pieces.filter(({ ordinal }) => ordinal === 0).length);
  }
  if (!signal.aborted && !(await stored.next()).done)
    throw new Difference(`partition ${partition} of the target holds more than the source: ${STRANGER}`);
}

const STRANGER = 'another program wrote to it. Stop every node there and migrate to an empty target';

/** The first of the blocks is to get the sequence `at`. */
async function store(copy: PartitionCopy, pieces: readonly Piece[], at: number): Promise<void> {
  const { partition, target, migration, patience } = copy;
  const { sequence, ordinal } = pieces[0] as Piece;
  // A try without an answer may still be stored later. With the same key, the next try notices.
  const idempotencyKey = `migration ${migration.source} ${partition} ${sequence}.${ordinal}`;
  const blocks = pieces.map(({ block }) => block);
  const outcome = await patience(async () => {
    const appended = await target.log.append(blocks, { idempotencyKey });
    if (appended.type === 'unavailable') throw new StoreUnavailable(appended.cause);
    return appended;
  });
  const { next } = await patience(() => target.log.extent(partition));
  const misplaced =
    outcome.type === 'stored' &&
    outcome.positions.some((position, index) => position.sequence !== at + index);
  if (outcome.type === 'mismatch' || misplaced || next !== at + pieces.length)
    throw new Difference(
      `partition ${partition} of the target has other blocks than were copied: ${STRANGER}`,
    );
}

/**
 * Reads a partition back, compares it with the source and counts both; notes that it is checked.
 * @returns undefined when it was stopped
 * @throws Difference
 */
export async function checkPartition(copy: PartitionCopy): Promise<CheckedPartition | undefined> {
  const { partition, source, target, migration, patience, signal } = copy;
  const start = migration.starts[partition] as number;
  const { next: end } = await source.extent(partition);
  const note = await patience(() => readPartition(target.registry, partition));
  if (note?.checked) {
    copy.advanced(end - start);
    return note.checked;
  }
  const { next } = await patience(() => target.log.extent(partition));
  const stored = readBack(copy, start, Math.max(next, start));
  const range = { partition, from: start, end, mostBytes: migration.mostBytes, arrivedAt: 0 };
  const read = { usage: 0, event: 0, sms: 0 };
  const found = { usage: 0, event: 0, sms: 0 };
  const splits: Split[] = [];
  let damaged = 0;
  let different: number | undefined;
  for await (const pieces of piecesOf(source, range, signal)) {
    for (const piece of pieces) {
      const { block } = piece.block;
      read[block.kind] += block.count;
      const { value } = await stored.next();
      if (value?.block) found[value.block.kind] += value.block.count;
      if (different === undefined && !matches(piece, value)) different = piece.sequence;
      if (piece.ordinal > 0) continue;
      if (piece.damage !== undefined) damaged++;
      if (piece.of > 1) splits.push({ sequence: piece.sequence, counts: countsOf(pieces, piece.sequence) });
    }
    copy.advanced(pieces.filter(({ ordinal }) => ordinal === 0).length);
  }
  if (signal.aborted) return undefined;
  for (let rest = await stored.next(); !rest.done; rest = await stored.next())
    if (rest.value.block) found[rest.value.block.kind] += rest.value.block.count;
  requireEqual(partition, read, found, different);
  const checked = { ...read, damaged, splits };
  if (splits.length <= MOST_SPLITS) {
    const done = { source: end, target: next, arrivedAt: 0, checked };
    await patience(() => writePartition(target.registry, partition, done as PartitionDocument));
  }
  return checked;
}

function countsOf(pieces: readonly Piece[], sequence: number): number[] {
  return pieces.filter((piece) => piece.sequence === sequence).map(({ block }) => block.block.count);
}

function requireEqual(
  partition: number,
  read: RecordCounts,
  found: RecordCounts,
  different: number | undefined,
): void {
  const faults = RECORD_KINDS.filter((kind) => read[kind] !== found[kind]).map(
    (kind) => `${read[kind]} ${KINDS[kind].words} at the source, ${found[kind]} at the target`,
  );
  if (different !== undefined) faults.push(`block ${different} of the source is not the same at the target`);
  if (faults.length > 0) throw new Difference(`partition ${partition}: ${faults.join('; ')}`);
}

/** The blocks of the target's partition from `from` to `end`, in order. */
async function* readBack(
  copy: PartitionCopy,
  from: number,
  end: number,
): AsyncGenerator<StoredBlock, undefined> {
  const { partition, target, patience } = copy;
  for (let at = from; at < end; ) {
    const blocks = Math.min(READ_BACK.blocks, end - at);
    const start = at;
    const read = await patience(() => target.log.read(partition, start, { ...READ_BACK, blocks }));
    if (read.length === 0 || read[0]?.sequence !== at)
      throw new Difference(`partition ${partition} of the target lacks block ${at}`);
    yield* read;
    at = (read.at(-1) as StoredBlock).sequence + 1;
  }
}

function requireSame({ partition }: PartitionCopy, piece: Piece, stored: StoredBlock): void {
  if (!matches(piece, stored))
    throw new Difference(
      `block ${stored.sequence} in partition ${partition} of the target is not of this source: ${STRANGER}`,
    );
}

function matches(piece: Piece, stored: StoredBlock | undefined): boolean {
  if (!stored?.block) return false;
  try {
    return isSame(piece.block.block, stored.block);
  } catch (error) {
    if (error instanceof BlockFault) return false;
    throw error;
  }
}
