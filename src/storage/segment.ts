import type { SegmentFiles } from './segment-files.ts';
import {
  decodeEntry,
  decodeFooterTable,
  decodeHeader,
  ENTRY_BYTES,
  headerBytes,
  readTrailer,
  type SegmentHeader,
  TRAILER_BYTES,
} from './segment-format.ts';
import type { GrowingPlaces } from './segment-scan.ts';

/** A segment as the log knows it: its blocks are found in memory, or by the footer of its file. */
export interface Segment {
  readonly number: number;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** For each partition, the sequence of its first block from this segment on. */
  readonly base: readonly number[];
  /** For each partition, how many blocks the segment has. */
  readonly counts: ArrayLike<number>;
  /** Of its groups. */
  readonly bytes: number;
  readonly dataEnd: number;
  /** How many idempotency keys it holds. */
  readonly requests: number;
  readonly index:
    | { readonly type: 'memory'; readonly places: readonly GrowingPlaces[] }
    | { readonly type: 'footer'; readonly entriesAt: number };
}

export interface Place {
  readonly offset: number;
  readonly length: number;
}

/** Where a block lies; undefined if the segment has lost it. @throws Error when the index is damaged there */
export function placeNow(
  files: SegmentFiles,
  segment: Segment,
  partition: number,
  sequence: number,
): Place | undefined {
  const { index, base, number } = segment;
  const nth = sequence - (base[partition] as number);
  if (nth < 0 || nth >= (segment.counts[partition] as number)) return undefined;
  if (index.type === 'memory') return inMemory(index.places[partition] as GrowingPlaces, nth);
  const at = index.entriesAt + (entriesBefore(segment, partition) + nth) * ENTRY_BYTES;
  return inFooter(files.readNow(number, at, ENTRY_BYTES), 0, segment, partition, sequence);
}

/** The same for a run of blocks, which begins and ends inside the segment. A damaged entry is like a lost block. */
export async function placesOf(
  files: SegmentFiles,
  segment: Segment,
  partition: number,
  from: number,
  to: number,
): Promise<(Place | undefined)[]> {
  const { index, base, number } = segment;
  const first = from - (base[partition] as number);
  if (index.type === 'memory') {
    const places = index.places[partition] as GrowingPlaces;
    return Array.from({ length: to - from }, (_, nth) => inMemory(places, first + nth));
  }
  const at = index.entriesAt + (entriesBefore(segment, partition) + first) * ENTRY_BYTES;
  const entries = await files.read(number, at, (to - from) * ENTRY_BYTES);
  return Array.from({ length: to - from }, (_, nth) => {
    try {
      return inFooter(entries, nth * ENTRY_BYTES, segment, partition, from + nth);
    } catch {
      // Its reader reads the entry again, and reports it.
      return undefined;
    }
  });
}

function inMemory(places: GrowingPlaces, nth: number): Place | undefined {
  const offset = places.offsets[nth] as number;
  return offset === 0 ? undefined : { offset, length: places.lengths[nth] as number };
}

function inFooter(
  entries: Buffer,
  at: number,
  { number }: Segment,
  partition: number,
  sequence: number,
): Place | undefined {
  if (entries.length < at + ENTRY_BYTES) throw new Error(`the index of segment ${number} is cut short`);
  const place = decodeEntry(entries, at, number, partition, sequence);
  return place.offset === 0 ? undefined : place;
}

function entriesBefore({ counts }: Segment, partition: number): number {
  let before = 0;
  for (let earlier = 0; earlier < partition; earlier++) before += counts[earlier] as number;
  return before;
}

/**
 * A segment that has a footer, from a few bytes of its file.
 * @returns undefined when header or footer are missing or damaged: it must be scanned
 * @throws Error when a newer program wrote it
 */
export function readSealed(
  read: (position: number, length: number) => Buffer,
  number: number,
  partitions: number,
  size: number,
): Segment | undefined {
  const header: SegmentHeader | undefined = decodeHeader(read(0, headerBytes(partitions)));
  if (header?.number !== number || header.next.length !== partitions || size < TRAILER_BYTES)
    return undefined;
  const trailer = read(size - TRAILER_BYTES, TRAILER_BYTES);
  const facts = readTrailer(trailer, number);
  if (!facts || facts.footerOffset + facts.tableBytes > size) return undefined;
  const table = decodeFooterTable(read(facts.footerOffset, facts.tableBytes), trailer);
  if (table?.length !== partitions) return undefined;
  if (table.some(({ first }, partition) => first !== header.next[partition])) return undefined;
  const counts = Uint32Array.from(table, ({ count }) => count);
  const entriesAt = facts.footerOffset + facts.tableBytes;
  if (entriesAt + counts.reduce((sum, count) => sum + count, 0) * ENTRY_BYTES + TRAILER_BYTES !== size)
    return undefined;
  return {
    number,
    createdAt: header.createdAt,
    base: header.next,
    counts,
    bytes: facts.dataEnd - headerBytes(partitions),
    dataEnd: facts.dataEnd,
    requests: facts.requests,
    index: { type: 'footer', entriesAt },
  };
}
