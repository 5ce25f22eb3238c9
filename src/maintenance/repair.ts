import { constants, copyFileSync, existsSync, linkSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { lockFile } from '../storage/file-lock.ts';
import { LMDB_FILE, type Lmdb, openLmdb, type TableChange } from '../storage/lmdb.ts';
import { checkStore } from './check.ts';
import { BLOCKS, EXTENTS, PARTITIONS_KEY, REVISION, u48 } from './inspect.ts';
import { requireRoom } from './room.ts';
import { syncDirectory } from './sync-directory.ts';
import type { InspectedEntry, PartitionCheck, StoreCheck } from './tally.ts';

/**
 * Makes an undamaged store from the readable parts of a damaged one:
 *
 *   check ──sound──▶ nothing to do
 *     │ damaged
 *     ▼
 *   copy what can be read ──▶ keep the damaged file under another name ──▶ put the new one in its place
 *
 *  R1  The file is replaced in one step; a repair that is killed before leaves everything as it was.
 *  R2  No sequence and no revision is given again that a lost block or document may have had.
 *  R3  A block whose records are known stays, damaged as it is: a node counts them to their streams. Others are left out, and
 *      a node finds them missing and counts them as blocks that could not be read.
 */
export interface RepairResult {
  /** The findings of the check before. */
  readonly check: StoreCheck;
  /** Where the damaged file is kept; undefined if nothing was to be repaired. */
  readonly kept: string | undefined;
  /** The store was used as it was before its last transaction, because too much of the last one is lost. */
  readonly earlier: boolean;
  /** The number of partitions is not known any more: SIMSTREAM_PARTITIONS must say it. */
  readonly partitionsLost: boolean;
}

interface RepairOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  progress(step: string, done: number, total: number): void;
}

const BUILT_IN = 'repairing';
/** Bytes of one transaction: some hundred blocks. */
const BATCH_BYTES = 8 * 2 ** 20;
const BATCH_ENTRIES = 1_000;
/** Far more than the number of revisions that lost documents can have had beyond the remaining ones. */
const REVISIONS_SKIPPED = 1_000_000;

/**
 * Repairs the store of a stopped node.
 * @param directory the data directory
 * @throws Error that says what to do, when the store is in use, is not a store, or the disk is too small
 */
export async function repairStore(directory: string, options: RepairOptions): Promise<RepairResult> {
  const path = join(directory, LMDB_FILE);
  if (!existsSync(path)) throw new Error(`${directory} holds no store of simstream (${LMDB_FILE})`);
  const lock = lockFile(path);
  try {
    const { check, earlier } = await survey(path, options);
    if (check.sound && !earlier) return { check, kept: undefined, earlier, partitionsLost: false };
    requireRoom(directory, check.bytes);
    const partitionsLost = await build(directory, path, { check, earlier }, options);
    await readBack(join(directory, BUILT_IN, LMDB_FILE), check, options);
    return { check, kept: replace(directory, path, options.clock), earlier, partitionsLost };
  } finally {
    rmSync(join(directory, BUILT_IN), { recursive: true, force: true });
    lock.release();
  }
}

interface Survey {
  readonly check: StoreCheck;
  readonly earlier: boolean;
}

/** Looks for the newest state of the store of which no table is lost as a whole. */
async function survey(path: string, { signal, progress }: RepairOptions): Promise<Survey> {
  let fault: Error | undefined;
  for (const earlier of [false, true]) {
    try {
      const checking = (done: number, total: number) => progress('checking', done, total);
      const check = await checkStore(path, { signal, earlier, progress: checking });
      if (check.lostTables === 0) return { check, earlier };
      fault ??= new Error(
        'too much is damaged: whole tables are lost. Restore a backup; nothing was changed',
      );
    } catch (error) {
      signal.throwIfAborted();
      fault ??= error as Error;
    }
  }
  throw fault;
}

/**
 * Builds the new store.
 * @returns whether the number of partitions is lost
 */
async function build(
  directory: string,
  path: string,
  { check, earlier }: Survey,
  { clock, signal, progress }: RepairOptions,
): Promise<boolean> {
  const target = join(directory, BUILT_IN);
  // The leftovers of a killed repair.
  rmSync(target, { recursive: true, force: true });
  const lmdb = await openLmdb(target, { clock });
  try {
    const writer = new Writer(lmdb);
    const places = new Places();
    let partitionsFound = false;
    await checkStore(path, {
      signal,
      earlier,
      withoutSegments: true,
      progress: (done, total) => progress('copying', done, total),
      found: ({ table, key, value }, inspected) => {
        places.see(key, inspected);
        if (table === EXTENTS && key.toString('latin1') === PARTITIONS_KEY) partitionsFound = true;
        // Both are written at the end, from what was found. Without the rows of the segments, the next start takes those that
        // are there, and reads all idempotency keys in them.
        else if (table === EXTENTS || table === REVISION) return undefined;
        const bytes = isUsable(inspected) ? value() : undefined;
        return bytes && writer.put(table, key, bytes);
      },
    });
    for (const { partition, first, next } of extentsOf(check, places))
      await writer.put(EXTENTS, u32(partition), u48(next, first));
    await writer.put(REVISION, Buffer.from('last'), u48(places.revision + REVISIONS_SKIPPED));
    await writer.flush();
    return !partitionsFound;
  } finally {
    await lmdb.close();
  }
}

/** The new file must contain all its source entries before it replaces the damaged one. */
async function readBack(
  path: string,
  before: StoreCheck,
  { signal, progress }: RepairOptions,
): Promise<void> {
  const after = await checkStore(path, {
    signal,
    withoutSegments: true,
    progress: (done, total) => progress('reading back', done, total),
  });
  const blocks = ({ tableBlocks }: StoreCheck) => tableBlocks;
  if (after.damagedPageCount + after.damagedDocumentCount > 0 || blocks(after) > blocks(before))
    throw new Error(
      'the disk returns other bytes than were written, so it cannot be trusted. Nothing was replaced',
    );
}

/** R3. */
function isUsable(inspected: InspectedEntry): boolean {
  if (inspected.type === 'block') return inspected.damage?.of !== 'whole';
  return inspected.type !== 'document' || inspected.value !== undefined;
}

/** R2: blocks may have been lost at the end of any partition; losses elsewhere leave holes. */
function extentsOf({ partitions, lostEntries }: StoreCheck, places: Places) {
  const holes = partitions.reduce((sum, { lostBlocks }) => sum + lostBlocks, 0);
  const lost = Math.max(0, (lostEntries[BLOCKS] ?? 0) - holes);
  const known = new Map<number, Pick<PartitionCheck, 'first' | 'next'>>(
    partitions.map((partition) => [partition.partition, partition]),
  );
  return [...new Set([...known.keys(), ...places.partitions()])].map((partition) => {
    const cursor = places.cursor(partition);
    // A partition that was never trimmed begins with 1; if that is unknown, nothing before the cursor is known.
    const begin = lostEntries[EXTENTS] === undefined ? 1 : cursor;
    const { first, next } = known.get(partition) ?? { first: begin, next: cursor };
    return { partition, first, next: Math.max(next, cursor) + lost };
  });
}

/** The greatest places that the documents name. */
class Places {
  readonly #cursors = new Map<number, number>();
  revision = 0;

  see(key: Buffer, inspected: InspectedEntry): void {
    if (inspected.type !== 'document' || inspected.value === undefined) return;
    this.revision = Math.max(this.revision, inspected.revision);
    const [kind, token] = key.toString('latin1').split('.');
    const document = inspected.value as {
      readonly partition?: number;
      readonly sequence?: number;
      readonly countedTo?: number;
      readonly cursor?: { readonly sequence?: number };
      readonly start?: { readonly sequence?: number };
    };
    const partition = kind === 'stream' ? document.partition : Number(token);
    if (partition === undefined || (kind !== 'stream' && kind !== 'progress' && kind !== 'watermark')) return;
    const { sequence = 0, countedTo = 0, cursor, start } = document;
    const greatest = Math.max(sequence, countedTo, cursor?.sequence ?? 0, start?.sequence ?? 0);
    this.#cursors.set(partition, Math.max(this.cursor(partition), greatest));
  }

  partitions(): Iterable<number> {
    return this.#cursors.keys();
  }

  cursor(partition: number): number {
    return this.#cursors.get(partition) ?? 1;
  }
}

/** Writes entries in large transactions. */
class Writer {
  readonly #lmdb: Lmdb;
  #changes: TableChange[] = [];
  #bytes = 0;

  constructor(lmdb: Lmdb) {
    this.#lmdb = lmdb;
  }

  async put(table: string, key: Buffer, value: Buffer): Promise<void> {
    this.#changes.push({ table: this.#lmdb.table(table), key: Buffer.from(key), value: Buffer.from(value) });
    this.#bytes += value.length;
    if (this.#bytes >= BATCH_BYTES || this.#changes.length >= BATCH_ENTRIES) await this.flush();
  }

  async flush(): Promise<void> {
    const changes = this.#changes;
    this.#changes = [];
    this.#bytes = 0;
    await this.#lmdb.write(changes);
  }
}

/**
 * R1.
 * @returns where the damaged file is kept
 */
function replace(directory: string, path: string, clock: Clock): string {
  const time = new Date(clock.now()).toISOString().replace(/[-:]|\.\d+/g, '');
  const kept = join(directory, `${LMDB_FILE}.damaged-${time}`);
  try {
    linkSync(path, kept);
  } catch {
    // A file system without hard links.
    copyFileSync(path, kept, constants.COPYFILE_EXCL);
  }
  renameSync(join(directory, BUILT_IN, LMDB_FILE), path);
  // It lists the readers of the file of before, and is made again.
  rmSync(`${path}-lock`, { force: true });
  syncDirectory(directory);
  return kept;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
