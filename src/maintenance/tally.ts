import type { PageDamage, StoreEntry } from '../storage/lmdb-walk.ts';
import type { SegmentRange } from '../storage/segment-open.ts';
import {
  type BlockPlace,
  EXTENTS,
  extentOf,
  type InspectedBlock,
  PARTITIONS_KEY,
  SEGMENTS_KEY,
} from './inspect.ts';

/** The findings of a check of every page, block and document of a store. Sizes in bytes. */
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
  /** Entries that the tables claim but that were not found, by table. */
  readonly lostEntries: Readonly<Record<string, number>>;
  /** How many tables as a whole are lost, with an unknown number of entries. */
  readonly lostTables: number;
  /** The damage in the segments of the record log, the first MOST_NAMED faults. */
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
  /** Missing blocks, and blocks whose records are unknown. */
  readonly lostBlocks: number;
  /** Records of damaged and lost blocks, as far as they are known. */
  readonly lostRecords: number;
  /** Lost blocks with an unknown number of records. */
  readonly blocksOfUnknownSize: number;
}

/** An entry that can be used, or cannot. */
export type InspectedEntry =
  | ({ readonly type: 'block' } & BlockPlace & InspectedBlock)
  | { readonly type: 'document'; readonly revision: number; readonly value: unknown }
  | { readonly type: 'other' };

const MOST_NAMED = 100;

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

/** The findings of a check so far. */
export class Tally {
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
    // Blocks whose removal was interrupted are not part of the log.
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
