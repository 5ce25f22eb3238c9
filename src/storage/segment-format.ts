import { crc32 } from 'node:zlib';

/**
 * A segment: one file of the record log. Groups follow each other, each the work of one write: blocks of any partitions, and the
 * idempotency keys that came with them. A segment that takes no more groups ends with a footer, an index of its blocks.
 *
 *   segment  = header group* zeros* [ footer ]
 *   header   = magic:u32 "SSG1" · version:u8 · zeros:3 · number:u32 · partitions:u32 · createdAt:f64 (ms since the epoch)
 *              · next:f64 × partitions · crc:u32 · zeros:4
 *   group    = magic:u32 "SSGR" · crc:u32 · number:u32 · length:u32 (of the group) · blocks:u32 · requests:u32
 *              · requestsLength:u32 · dataCrc:u32                                                        (32 bytes)
 *              · ( sequence:f64 · partition:u32 · length:u32 ) × blocks · request × requests · zeros · data · zeros
 *   request  = key:u8 × 32 · at:f64 · fingerprintLength:u16 · fingerprint (UTF-8)
 *   data     = the bytes of the blocks, one after the other
 *   footer   = ( first:f64 · count:u32 · zeros:4 ) × partitions · ( offset:u32 · length:u32 · check:u32 ) × blocks · trailer
 *   trailer  = magic:u32 "SSGF" · version:u8 · zeros:3 · number:u32 · partitions:u32 · footerOffset:u32 · dataEnd:u32
 *              · requests:u32 · crc:u32                                                                  (32 bytes)
 *
 * All integers are little-endian. Header, groups and footer begin at multiples of 8. `next` holds, for each partition, the
 * sequence of its first block from this segment on: a block of an earlier segment with that sequence or a later one was
 * never acknowledged. Within a segment, the sequences of a partition grow by one. In the footer, the blocks are in the order
 * of partition and sequence; offset 0 means that the block is lost.
 *
 * The header's crc covers what is before it. A group's crc covers the group from `number` on, without data and dataCrc;
 * dataCrc covers the data. The trailer's crc covers the partitions of the footer, and the trailer before it. An entry's
 * check covers the entry and its place.
 */
const SEGMENT_VERSION = 1;

const MAGIC = { header: 0x31475353, group: 0x52475353, footer: 0x46475353 };
const FIXED = { header: 24, group: 32, block: 16, request: 42, partition: 16, entry: 12, trailer: 32 };
/** More than the largest request has: a damaged length must not make the program allocate absurd amounts of memory. */
const LARGEST_GROUP = 2 ** 30;
export const GROUP_HEADER = FIXED.group;
export const FOOTER_PARTITION = FIXED.partition;
export const ENTRY_BYTES = FIXED.entry;
export const TRAILER_BYTES = FIXED.trailer;
export const GROUP_MAGIC = MAGIC.group;
const MOST_PARTITIONS = 65_536;

export interface SegmentHeader {
  readonly number: number;
  readonly createdAt: number;
  /** For each partition, the sequence of its first block from this segment on. */
  readonly next: readonly number[];
}

export interface SegmentBlock {
  readonly partition: number;
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/** A request with an idempotency key. */
export interface SegmentRequest {
  /** SHA-256 in hexadecimal. */
  readonly key: string;
  readonly fingerprint: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Where a block lies in its segment. */
export interface BlockPlace {
  readonly partition: number;
  readonly sequence: number;
  readonly offset: number;
  readonly length: number;
}

export const align = (length: number) => Math.ceil(length / 8) * 8;
export const headerBytes = (partitions: number) => FIXED.header + partitions * 8 + 8;

export function encodeHeader({ number, createdAt, next }: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(headerBytes(next.length));
  bytes.writeUInt32LE(MAGIC.header, 0);
  bytes[4] = SEGMENT_VERSION;
  bytes.writeUInt32LE(number, 8);
  bytes.writeUInt32LE(next.length, 12);
  bytes.writeDoubleLE(createdAt, 16);
  for (const [partition, sequence] of next.entries())
    bytes.writeDoubleLE(sequence, FIXED.header + partition * 8);
  const end = bytes.length - 8;
  bytes.writeUInt32LE(crc32(bytes.subarray(0, end)), end);
  return bytes;
}

/**
 * @param bytes the begin of a segment, at least `headerBytes(partitions)` if the file has as many
 * @returns undefined if there is no whole header
 * @throws Error when a newer program wrote it
 */
export function decodeHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < FIXED.header || bytes.readUInt32LE(0) !== MAGIC.header) return undefined;
  requireVersion(bytes[4] as number);
  const partitions = bytes.readUInt32LE(12);
  if (partitions === 0 || partitions > MOST_PARTITIONS || bytes.length < headerBytes(partitions))
    return undefined;
  const end = headerBytes(partitions) - 8;
  if (crc32(bytes.subarray(0, end)) !== bytes.readUInt32LE(end)) return undefined;
  return {
    number: bytes.readUInt32LE(8),
    createdAt: bytes.readDoubleLE(16),
    next: Array.from({ length: partitions }, (_, partition) =>
      bytes.readDoubleLE(FIXED.header + partition * 8),
    ),
  };
}

/** The number of partitions in the first bytes of a segment, unchecked; 0 where there is no header. */
export function readPartitions(bytes: Buffer): number {
  if (bytes.length < FIXED.header || bytes.readUInt32LE(0) !== MAGIC.header) return 0;
  const partitions = bytes.readUInt32LE(12);
  return partitions <= MOST_PARTITIONS ? partitions : 0;
}

function requireVersion(version: number): void {
  if (version <= SEGMENT_VERSION) return;
  throw new Error(
    `it has version ${version} and this program knows versions up to ${SEGMENT_VERSION}: start the program that wrote it, or a later one`,
  );
}

interface EncodedGroup {
  /** The bytes to write, in order. */
  readonly parts: readonly Uint8Array[];
  readonly length: number;
  /** Offset of each block from the begin of the group. */
  readonly offsets: readonly number[];
}

const PADDING = Buffer.alloc(8);

export function encodeGroup(
  number: number,
  blocks: readonly SegmentBlock[],
  requests: readonly SegmentRequest[],
): EncodedGroup {
  const keys = requests.map(({ fingerprint }) => Buffer.from(fingerprint, 'utf8'));
  const requestsLength = keys.reduce((sum, { length }) => sum + FIXED.request + length, 0);
  const dataAt = align(FIXED.group + blocks.length * FIXED.block + requestsLength);
  const head = Buffer.alloc(dataAt);
  const offsets: number[] = [];
  let at = FIXED.group;
  let end = dataAt;
  let dataCrc = 0;
  for (const { partition, sequence, bytes } of blocks) {
    head.writeDoubleLE(sequence, at);
    head.writeUInt32LE(partition, at + 8);
    head.writeUInt32LE(bytes.length, at + 12);
    at += FIXED.block;
    offsets.push(end);
    end += bytes.length;
    dataCrc = crc32(bytes, dataCrc);
  }
  for (const [index, { key, at: time }] of requests.entries()) {
    const fingerprint = keys[index] as Buffer;
    head.write(key, at, 32, 'hex');
    head.writeDoubleLE(time, at + 32);
    head.writeUInt16LE(fingerprint.length, at + 40);
    fingerprint.copy(head, at + FIXED.request);
    at += FIXED.request + fingerprint.length;
  }
  const length = align(end);
  head.writeUInt32LE(MAGIC.group, 0);
  head.writeUInt32LE(number, 8);
  head.writeUInt32LE(length, 12);
  head.writeUInt32LE(blocks.length, 16);
  head.writeUInt32LE(requests.length, 20);
  head.writeUInt32LE(requestsLength, 24);
  head.writeUInt32LE(groupCrc(head), 4);
  head.writeUInt32LE(dataCrc, 28);
  const parts = [head, ...blocks.map(({ bytes }) => bytes)];
  if (length > end) parts.push(PADDING.subarray(0, length - end));
  return { parts, length, offsets };
}

/** @param head the group up to its data */
function groupCrc(head: Buffer): number {
  return crc32(head.subarray(FIXED.group), crc32(head.subarray(8, 28)));
}

interface GroupHead {
  readonly length: number;
  readonly dataAt: number;
  readonly dataCrc: number;
  readonly requests: number;
}

/**
 * The content of the first 32 bytes of a group, before its checksum is compared.
 * @returns undefined where no group of this segment begins
 */
export function readGroupHead(bytes: Buffer, at: number, number: number): GroupHead | undefined {
  if (bytes.readUInt32LE(at) !== MAGIC.group || bytes.readUInt32LE(at + 8) !== number) return undefined;
  const length = bytes.readUInt32LE(at + 12);
  const blocks = bytes.readUInt32LE(at + 16);
  const dataAt = align(FIXED.group + blocks * FIXED.block + bytes.readUInt32LE(at + 24));
  if (length > LARGEST_GROUP || length % 8 !== 0 || dataAt > length) return undefined;
  return { length, dataAt, dataCrc: bytes.readUInt32LE(at + 28), requests: bytes.readUInt32LE(at + 20) };
}

export interface Group {
  readonly blocks: readonly BlockPlace[];
  readonly requests: readonly SegmentRequest[];
}

/**
 * @param head the group up to its data
 * @param at where in the segment the group begins
 * @returns undefined when it does not match its checksum
 */
export function decodeGroup(head: Buffer, at: number): Group | undefined {
  if (groupCrc(head) !== head.readUInt32LE(4)) return undefined;
  const count = head.readUInt32LE(16);
  const blocks: BlockPlace[] = [];
  let offset = at + head.length;
  let place = FIXED.group;
  for (let index = 0; index < count; index++, place += FIXED.block) {
    const length = head.readUInt32LE(place + 12);
    blocks.push({
      sequence: head.readDoubleLE(place),
      partition: head.readUInt32LE(place + 8),
      length,
      offset,
    });
    offset += length;
  }
  const requests: SegmentRequest[] = [];
  for (let index = head.readUInt32LE(20); index > 0; index--) {
    const length = head.readUInt16LE(place + 40);
    requests.push({
      key: head.toString('hex', place, place + 32),
      at: head.readDoubleLE(place + 32),
      fingerprint: head.toString('utf8', place + FIXED.request, place + FIXED.request + length),
    });
    place += FIXED.request + length;
  }
  return { blocks, requests };
}

/** Per partition, the blocks of a segment: their first sequence, and the place of each. */
interface PartitionPlaces {
  readonly first: number;
  /** Offset 0: the block is lost. */
  readonly offsets: ArrayLike<number>;
  readonly lengths: ArrayLike<number>;
  readonly count: number;
}

interface FooterFacts {
  readonly dataEnd: number;
  /** How many idempotency keys the segment holds. */
  readonly requests: number;
}

/** @param at the begin of the footer, a multiple of 8 */
export function encodeFooter(
  number: number,
  at: number,
  places: readonly PartitionPlaces[],
  { dataEnd, requests }: FooterFacts,
): Buffer {
  const blocks = places.reduce((sum, { count }) => sum + count, 0);
  const table = places.length * FIXED.partition;
  const bytes = Buffer.alloc(table + blocks * FIXED.entry + FIXED.trailer);
  let entry = table;
  for (const [partition, { first, count, offsets, lengths }] of places.entries()) {
    bytes.writeDoubleLE(first, partition * FIXED.partition);
    bytes.writeUInt32LE(count, partition * FIXED.partition + 8);
    for (let index = 0; index < count; index++, entry += FIXED.entry) {
      const [offset, length] = [offsets[index] as number, lengths[index] as number];
      bytes.writeUInt32LE(offset, entry);
      bytes.writeUInt32LE(length, entry + 4);
      bytes.writeUInt32LE(entryCheck(number, partition, first + index, offset, length), entry + 8);
    }
  }
  const trailer = bytes.subarray(entry);
  trailer.writeUInt32LE(MAGIC.footer, 0);
  trailer[4] = SEGMENT_VERSION;
  trailer.writeUInt32LE(number, 8);
  trailer.writeUInt32LE(places.length, 12);
  trailer.writeUInt32LE(at, 16);
  trailer.writeUInt32LE(dataEnd, 20);
  trailer.writeUInt32LE(requests, 24);
  trailer.writeUInt32LE(crc32(trailer.subarray(0, 28), crc32(bytes.subarray(0, table))), 28);
  return bytes;
}

/**
 * The content of the last 32 bytes of a segment.
 * @returns undefined if it has no footer
 */
export function readTrailer(
  trailer: Buffer,
  number: number,
): (FooterFacts & { readonly footerOffset: number; readonly tableBytes: number }) | undefined {
  if (trailer.length < FIXED.trailer || trailer.readUInt32LE(0) !== MAGIC.footer) return undefined;
  requireVersion(trailer[4] as number);
  const partitions = trailer.readUInt32LE(12);
  if (trailer.readUInt32LE(8) !== number || partitions > MOST_PARTITIONS) return undefined;
  return {
    footerOffset: trailer.readUInt32LE(16),
    dataEnd: trailer.readUInt32LE(20),
    requests: trailer.readUInt32LE(24),
    tableBytes: partitions * FIXED.partition,
  };
}

/**
 * Per partition its first sequence and its number of blocks.
 * @returns undefined when they do not match their checksum
 */
export function decodeFooterTable(
  table: Buffer,
  trailer: Buffer,
): { readonly first: number; readonly count: number }[] | undefined {
  if (crc32(trailer.subarray(0, 28), crc32(table)) !== trailer.readUInt32LE(28)) return undefined;
  return Array.from({ length: table.length / FIXED.partition }, (_, partition) => ({
    first: table.readDoubleLE(partition * FIXED.partition),
    count: table.readUInt32LE(partition * FIXED.partition + 8),
  }));
}

/**
 * The place of a block, by its entry in the footer.
 * @throws Error when the entry is damaged
 */
export function decodeEntry(
  bytes: Buffer,
  at: number,
  number: number,
  partition: number,
  sequence: number,
): { readonly offset: number; readonly length: number } {
  const offset = bytes.readUInt32LE(at);
  const length = bytes.readUInt32LE(at + 4);
  if (entryCheck(number, partition, sequence, offset, length) !== bytes.readUInt32LE(at + 8))
    throw new Error(`the index of segment ${number} is damaged`);
  return { offset, length };
}

/** A hash without a call out of JavaScript: each read of a block computes one. */
function entryCheck(...values: readonly number[]): number {
  let hash = 0x811c9dc5;
  for (const value of values) {
    hash = Math.imul(hash ^ (value >>> 0), 0x9e3779b1);
    hash ^= hash >>> 15;
    hash = Math.imul(hash ^ Math.floor(value / 2 ** 32), 0x85ebca6b);
    hash ^= hash >>> 13;
  }
  return hash >>> 0;
}
