import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { missingBytes } from '../storage/lmdb-file.ts';
import { headDiffers, openPages, type PageFile } from '../storage/lmdb-pages.ts';
import { type PageDamage, type StoreEntry, walkEntries } from '../storage/lmdb-walk.ts';
import { listSegments, openSegmentFiles, SEGMENT_DIRECTORY } from '../storage/segment-files.ts';
import type { SegmentRange } from '../storage/segment-open.ts';
import { checkSegments } from './check-segments.ts';
import {
  BLOCKS,
  type BlockPlace,
  DOCUMENTS,
  EXTENTS,
  extentOf,
  type InspectedBlock,
  inspectBlock,
  inspectDocument,
  PARTITIONS_KEY,
  placeOf,
  SEGMENTS_KEY,
} from './inspect.ts';

/** What a look at every page, block and document of a store found. Sizes in bytes. */
export interface StoreCheck {
  readonly sound: boolean;
  readonly bytes: number;
  /** Per partition of the record log that has or had blocks. */
  readonly partitions: readonly PartitionCheck[];
  /** Documents of the registry by kind. */
  readonly documents: Readonly<Record<string, number>>;
  /** Keys of documents that cannot be read, the first MOST_NAMED of them. */
  readonly damagedDocuments: readonly string[];
  readonly damagedDocumentCount: number;
  /** The first MOST_NAMED places in the file that are damaged. */
  readonly damagedPages: readonly PageDamage[];
  readonly damagedPageCount: number;
  /** Entries that the tables say they have and that were not found, by table. */
  readonly lostEntries: Readonly<Record<string, number>>;
  /** How many tables as a whole are lost, with an unknown number of entries. */
  readonly lostTables: number;
  /** What is damaged in the segments of the record log, the first MOST_NAMED faults. */
  readonly damagedSegments: readonly string[];
  readonly damagedSegmentCount: number;
  /** Blocks that are in the tables, not in segments. */
  readonly tableBlocks: number;
}

export interface PartitionCheck {
  readonly partition: number;
  /** The sequences that are kept: from `first` on (included) to `next` (excluded). */
  readonly first: number;
  readonly next: number;
  readonly blocks: number;
  readonly records: number;
  /** Blocks whose records are known but cannot be read. */
  readonly damagedBlocks: number;
  /** Blocks that are not there, or of which not even the records are known. */
  readonly lostBlocks: number;
  /** Records of damaged and lost blocks, as far as that can be told. */
  readonly lostRecords: number;
  /** Lost blocks of which it cannot be told how many records they had. */
  readonly blocksOfUnknownSize: number;
}

interface CheckOptions {
  /** Told from time to time how many of all bytes were looked at. */
  progress(done: number, total: number): void;
  readonly signal: AbortSignal;
  /** The tables alone. */
  readonly withoutSegments?: boolean;
  /** Reads the store as it was one transaction before the last one. */
  readonly earlier?: boolean;
  /** Gets each entry that was found, with what is known of it; for repair. Awaited. */
  found?(entry: StoreEntry, inspected: InspectedEntry): Promise<void> | undefined;
}

/** An entry that can be used, or cannot. */
export type InspectedEntry =
  | ({ readonly type: 'block' } & BlockPlace & InspectedBlock)
  | { readonly type: 'document'; readonly revision: number; readonly value: unknown }
  | { readonly type: 'other' };

const MOST_NAMED = 100;
/** How long the loop may be held up, ms: so that a signal and the progress get through. */
const SLICE = 50;

/**
 * Reads all of a store's file; it is not changed. Nobody else may write to it meanwhile.
 * @throws Error that says what is wrong, when the file is no store at all
 * @throws the signal's reason when it aborts
 */
export async function checkStore(path: string, options: CheckOptions): Promise<StoreCheck> {
  const file = openPages(path, { earlier: options.earlier ?? false });
  try {
    const missing = missingBytes(file);
    if (missing > file.size) throw new Error(`it is cut short: more than half of it is missing`);
    const tally = new Tally();
    const claimed = new Map<string, number>();
    const segments = options.withoutSegments ? [] : listSegments(join(dirname(path), SEGMENT_DIRECTORY));
    const bytes = file.size + segments.reduce((sum, segment) => sum + segment.bytes, 0);
    const progress = (done: number) => options.progress(done, bytes);
    await look(file, { ...options, progress }, tally, claimed);
    if (!options.withoutSegments)
      await lookIntoSegments(
        dirname(path),
        { ...options, progress: (done) => progress(file.size + done) },
        tally,
      );
    return tally.result(bytes, claimed, file.meta.tables.entries - claimed.size);
  } finally {
    file.close();
  }
}

async function lookIntoSegments(
  directory: string,
  { progress, signal }: Looking,
  tally: Tally,
): Promise<void> {
  const { range, firsts } = tally;
  const isThere = existsSync(join(directory, SEGMENT_DIRECTORY));
  if (!isThere && (!range || range.oldest > range.newest)) return;
  const files = openSegmentFiles(directory);
  try {
    await checkSegments({
      files,
      partitions: firsts.length,
      firsts,
      range,
      signal,
      progress,
      found: (block) => tally.addBlock(block),
      damaged: (what) => tally.damagedSegment(what),
    });
  } finally {
    files.close();
  }
}

type Looking = Omit<CheckOptions, 'progress'> & { progress(done: number): void };

async function look(
  file: PageFile,
  { progress, signal, found }: Looking,
  tally: Tally,
  claimed: Map<string, number>,
): Promise<void> {
  const { pageSize } = file.meta;
  let read = 0;
  const walk = walkEntries(
    file,
    {
      damaged: (damage) => tally.damagedPage(damage),
      visited: () => {
        read += pageSize;
      },
      run: (run) => {
        read += run.pages * pageSize;
        if (headDiffers(file, run))
          tally.damagedPage({
            table: undefined,
            page: run.page,
            what: 'the head of a long value is damaged',
          });
      },
    },
    claimed,
  );
  let since = performance.now();
  for (const entry of walk) {
    const inspected = inspect(entry);
    tally.add(entry, inspected);
    await found?.(entry, inspected);
    if (performance.now() - since < SLICE) continue;
    progress(read);
    await nextTurn();
    signal.throwIfAborted();
    since = performance.now();
  }
}

function inspect(entry: StoreEntry): InspectedEntry {
  const value = entry.value();
  if (entry.table === DOCUMENTS) return { type: 'document', ...inspectDocument(entry.key, value) };
  const place = entry.table === BLOCKS ? placeOf(entry.key) : undefined;
  return place ? { type: 'block', ...place, ...inspectBlock(value) } : { type: 'other' };
}

interface PartitionTally {
  lowest: number;
  highest: number;
  blocks: number;
  records: number;
  damagedBlocks: number;
  unreadable: number;
  lostRecords: number;
  unknown: number;
  /** Sequences of all blocks that were found, also unreadable ones. */
  present: number;
}

class Tally {
  readonly #partitions = new Map<number, PartitionTally>();
  readonly #extents = new Map<number, { first: number | undefined; next: number }>();
  readonly #entries = new Map<string, number>();
  readonly #documents: Record<string, number> = {};
  readonly #damagedDocuments: string[] = [];
  #damagedDocumentCount = 0;
  readonly #pages: PageDamage[] = [];
  #pageCount = 0;
  readonly #segments: string[] = [];
  #segmentCount = 0;
  #tableBlocks = 0;
  #partitionCount = 0;
  /** Which segments are in use, as the tables say. */
  range: SegmentRange | undefined;

  /** For each partition, the first sequence that is kept. */
  get firsts(): number[] {
    return Array.from({ length: this.#partitionCount }, (_, partition) => {
      const extent = this.#extents.get(partition);
      return (extent ? extent.first : 1) ?? 1;
    });
  }

  damagedSegment(what: string): void {
    if (this.#segmentCount++ < MOST_NAMED) this.#segments.push(what);
  }

  damagedPage(damage: PageDamage): void {
    if (this.#pageCount++ < MOST_NAMED) this.#pages.push(damage);
  }

  add({ table, key, value }: StoreEntry, inspected: InspectedEntry): void {
    this.#entries.set(table, (this.#entries.get(table) ?? 0) + 1);
    if (inspected.type === 'block') {
      this.#tableBlocks++;
      this.addBlock(inspected);
    } else if (inspected.type === 'document') this.#addDocument(key.toString('latin1'), inspected.value);
    else if (table === EXTENTS && key.length === 4) {
      const extent = extentOf(value());
      if (extent) this.#extents.set(key.readUInt32BE(0), extent);
    } else if (table === EXTENTS) this.#addFact(key.toString('latin1'), value());
  }

  #addFact(key: string, value: Buffer | undefined): void {
    if (key === PARTITIONS_KEY)
      this.#partitionCount = value && value.length === 6 ? value.readUIntBE(0, 6) : 0;
    if (key !== SEGMENTS_KEY) return;
    const pair = extentOf(value);
    if (pair?.first !== undefined) this.range = { oldest: pair.next, newest: pair.first };
  }

  addBlock({ partition, sequence, records, damage }: BlockPlace & InspectedBlock): void {
    const tally = this.#partitions.get(partition) ?? emptyTally(sequence);
    this.#partitions.set(partition, tally);
    tally.highest = sequence;
    tally.present++;
    if (!damage) {
      tally.blocks++;
      tally.records += records ?? 0;
      return;
    }
    if (damage.of === 'payload') tally.damagedBlocks++;
    else tally.unreadable++;
    if (records === undefined) tally.unknown++;
    else tally.lostRecords += records;
  }

  #addDocument(key: string, value: unknown): void {
    const kind = key.split('.')[0] as string;
    if (value !== undefined) this.#documents[kind] = (this.#documents[kind] ?? 0) + 1;
    else if (this.#damagedDocumentCount++ < MOST_NAMED) this.#damagedDocuments.push(printable(key));
  }

  result(bytes: number, claimed: ReadonlyMap<string, number>, lostTables: number): StoreCheck {
    const lostEntries: Record<string, number> = {};
    for (const [table, entries] of claimed) {
      const lost = entries - (this.#entries.get(table) ?? 0);
      if (lost !== 0) lostEntries[table] = lost;
    }
    // Where a log begins is written when blocks are removed for the first time.
    const begin = lostEntries[EXTENTS] === undefined ? 1 : undefined;
    const partitions = [...new Set([...this.#partitions.keys(), ...this.#extents.keys()])]
      .sort((a, b) => a - b)
      .map((partition) => this.#partition(partition, begin));
    const sound =
      this.#pageCount + lostTables + this.#segmentCount === 0 &&
      this.#damagedDocumentCount === 0 &&
      Object.keys(lostEntries).length === 0 &&
      partitions.every(({ damagedBlocks, lostBlocks }) => damagedBlocks + lostBlocks === 0);
    return {
      sound,
      bytes,
      partitions,
      documents: this.#documents,
      damagedDocuments: this.#damagedDocuments,
      damagedDocumentCount: this.#damagedDocumentCount,
      damagedPages: this.#pages,
      damagedPageCount: this.#pageCount,
      lostEntries,
      lostTables,
      damagedSegments: this.#segments,
      damagedSegmentCount: this.#segmentCount,
      tableBlocks: this.#tableBlocks,
    };
  }

  #partition(partition: number, begin: number | undefined): PartitionCheck {
    const tally = this.#partitions.get(partition) ?? emptyTally(1);
    const extent = this.#extents.get(partition);
    const next = Math.max(extent?.next ?? 1, tally.present > 0 ? tally.highest + 1 : 1);
    // An older version did not write where the log begins.
    const first = (extent ? extent.first : begin) ?? (tally.present > 0 ? tally.lowest : next);
    // What was to be removed and is still there is not part of the log.
    const missing = Math.max(0, next - first - tally.present);
    return {
      partition,
      first,
      next,
      blocks: tally.blocks,
      records: tally.records,
      damagedBlocks: tally.damagedBlocks,
      lostBlocks: tally.unreadable + missing,
      lostRecords: tally.lostRecords,
      blocksOfUnknownSize: tally.unknown + missing,
    };
  }
}

/** A damaged key may hold anything, also what steers a terminal. */
function printable(key: string): string {
  return key.replace(/[^ -~]/g, '?').slice(0, 400);
}

function emptyTally(sequence: number): PartitionTally {
  return {
    lowest: sequence,
    highest: sequence,
    blocks: 0,
    records: 0,
    damagedBlocks: 0,
    unreadable: 0,
    lostRecords: 0,
    unknown: 0,
    present: 0,
  };
}
