import { crc32 } from 'node:zlib';
import { compressed } from './compressor.ts';
import { KINDS } from './kinds.ts';
import { placesColumn } from './places-column.ts';
import type { RecordIndex } from './record-index.ts';
import { compressNow } from './zstd-now.ts';

export type { RecordIndex, RecordKind } from './record-index.ts';

/**
 * A block: records of one or several ingest requests that belong to one partition, with an index over them.
 *
 *   block    = header table organisations columns stored
 *   header   = magic:u32 "SSB1" · version:u8 · kind:u8 (1 usage, 2 event, 3 SMS) · codec:u8 (0 plain, 1 zstd) · tableLength:u8
 *              · count:u32 · organisationCount:u32 · payloadLength:u32 · storedLength:u32
 *              · arrivedAt:f64 (ms since the epoch) · payloadCrc:u32 · indexCrc:u32            (40 bytes)
 *   table    = ( name:u8 · width:u8 ) × tableLength, then zeros up to a multiple of 8
 *   organisations = id:f64 × organisationCount            (ids are integers up to 2^53 - 1)
 *   columns  = ( value:uint of the column's width × count ) × tableLength, in the order of the table, which is by
 *              falling width, so that each column is aligned
 *   stored   = the payload, as it is or compressed          (storedLength bytes)
 *
 * COLUMNS has the names of the columns; the last one may be "m", the amounts' places (places-column.ts). A reader skips a
 * column that it does not know. A column of zeros only may be missing. `start` and `end` are always present, and so are the
 * ordinals if the block has several organisations.
 *
 * All integers are little-endian. `payload` holds the records' own bytes in order. Exactly one comma separates two
 * neighbours, with or without JSON white space around it: any run of neighbours becomes a JSON array in brackets.
 * indexCrc covers the header (with indexCrc = 0), table, organisations and columns; payloadCrc covers `stored`.
 *
 * Version 1 has no table, and its header has wide:u8 instead of tableLength. Its columns are fixed:
 *
 *   columns  = start:u32 × count · end:u32 × count
 *              · if kind = 2:  eventType:u32 × count
 *              · if organisationCount > 1:  ordinal:(wide ? u32 : u16) × count
 *              · if kind = 2:  alert:u8 × count
 */
export const BLOCK_VERSION = 2;

/** A decoded block. Immutable. The first use decompresses the payload, which stays in memory while there is room for it. */
export interface Block extends RecordIndex {
  /** Milliseconds since the epoch. */
  readonly arrivedAt: number;
  /** Length of the payload in bytes, known without decompressing it. */
  readonly payloadLength: number;
  /** Bytes of memory that the block takes, without its decompressed payload. */
  readonly heldBytes: number;
  /** The checksum of the payload as it is stored, which the encoded block has; undefined for a block that was never encoded. */
  readonly payloadCrc: number | undefined;
  /** The records' bytes. Throws BlockFault if they do not match their checksum. The caller may keep views of them. */
  payload(): Uint8Array;
}

/** The bytes are not a block, or this version cannot read it. */
export class BlockFault extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BlockFault';
  }
}

export const BLOCK_HEADER = 40;
const PAYLOAD_CRC_AT = 32;
/** "SSB1" */
export const BLOCK_MAGIC = 0x31425353;
/**
 * A smaller payload is compressed on the spot: 60 records take 40 µs there. In the thread pool they take the main thread almost as
 * long, and three times as much in all.
 */
const SMALLEST_POOLED = 64 * 1024;
/** A smaller payload repeats too little: one record shrinks by a third. */
const SMALLEST_COMPRESSED = 4096;

type Column = Uint8Array | Uint16Array | Uint32Array;
type ColumnField = 'starts' | 'ends' | 'endpoints' | 'endpointsHigh' | 'eventTypes' | 'ordinals' | 'alerts';

/** The columns that this program knows, widest first. A name never gets another meaning. */
const COLUMNS: readonly { readonly name: string; readonly field: ColumnField }[] = [
  { name: 's', field: 'starts' },
  { name: 'e', field: 'ends' },
  { name: 'p', field: 'endpoints' },
  { name: 'P', field: 'endpointsHigh' },
  { name: 't', field: 'eventTypes' },
  { name: 'o', field: 'ordinals' },
  { name: 'a', field: 'alerts' },
];
interface StoredColumn {
  readonly name: string;
  /** Bytes of each record. */
  readonly width: number;
  readonly values: Column;
}

/** The columns of an index that are stored, in their order. */
function storedColumns(index: RecordIndex): StoredColumn[] {
  const columns: StoredColumn[] = [];
  for (const { name, field } of COLUMNS) {
    const values = index[field];
    if (values.length === 0) continue;
    if ((field === 'endpoints' || field === 'endpointsHigh') && values.every((value) => value === 0))
      continue;
    columns.push({ name, width: values.BYTES_PER_ELEMENT, values });
  }
  columns.sort((a, b) => b.width - a.width);
  const places = placesColumn(index);
  return places ? [...columns, places] : columns;
}

/** Bytes of the table of columns. */
export const tableBytes = (columns: number) => Math.ceil((columns * 2) / 8) * 8;

/**
 * Encodes a block for the log.
 * @param payload the records' bytes, separated as the grammar says; compressed unless it is small or does not shrink
 * @param arrivedAt milliseconds since the epoch
 */
export async function encodeBlock(
  index: RecordIndex,
  payload: Uint8Array,
  arrivedAt: number,
): Promise<Uint8Array> {
  if (payload.length < SMALLEST_POOLED) return encodeBlockNow(index, payload, arrivedAt);
  return assemble(index, payload, await compressed(payload), arrivedAt);
}

/** The same, synchronously. For payloads of about 100 KB, which take a quarter of a millisecond. */
export function encodeBlockNow(index: RecordIndex, payload: Uint8Array, arrivedAt: number): Uint8Array {
  const smaller = payload.length < SMALLEST_COMPRESSED ? payload : compressNow(payload);
  return assemble(index, payload, [smaller], arrivedAt);
}

/** @param smaller the parts of the compressed payload, used if they are enough smaller; or the payload itself */
function assemble(
  index: RecordIndex,
  payload: Uint8Array,
  smaller: readonly Uint8Array[],
  arrivedAt: number,
): Uint8Array {
  const smallerLength = smaller.reduce((sum, { length }) => sum + length, 0);
  const codec = smallerLength < payload.length * 0.9 ? 1 : 0;
  const stored = codec === 1 ? smaller : [payload];
  const storedLength = codec === 1 ? smallerLength : payload.length;
  const { kind, count, organisations } = index;
  const columns = storedColumns(index);
  const columnsLength = columns.reduce((sum, { values }) => sum + values.byteLength, 0);
  const indexLength = BLOCK_HEADER + tableBytes(columns.length) + organisations.length * 8 + columnsLength;
  const bytes = Buffer.allocUnsafeSlow(indexLength + storedLength);
  bytes.writeUInt32LE(BLOCK_MAGIC, 0);
  bytes[4] = BLOCK_VERSION;
  bytes[5] = KINDS[kind].block;
  bytes[6] = codec;
  bytes[7] = columns.length;
  bytes.writeUInt32LE(count, 8);
  bytes.writeUInt32LE(organisations.length, 12);
  bytes.writeUInt32LE(payload.length, 16);
  bytes.writeUInt32LE(storedLength, 20);
  bytes.writeDoubleLE(arrivedAt, 24);
  bytes.writeUInt32LE(
    stored.reduce((crc, part) => crc32(part, crc), 0),
    PAYLOAD_CRC_AT,
  );
  bytes.writeUInt32LE(0, 36);
  let at = BLOCK_HEADER;
  bytes.fill(0, at, at + tableBytes(columns.length));
  for (const [place, { name, width }] of columns.entries()) {
    bytes[at + place * 2] = name.charCodeAt(0);
    bytes[at + place * 2 + 1] = width;
  }
  at += tableBytes(columns.length);
  const put = (column: Column | Float64Array) => {
    bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at);
    at += column.byteLength;
  };
  put(Float64Array.from(organisations));
  for (const { values } of columns) put(values);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, indexLength)), 36);
  for (const part of stored) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A copy of the encoded block with another time of arrival. */
export function withArrival(encoded: Uint8Array, arrivedAt: number): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(encoded.length);
  bytes.set(encoded);
  const indexLength = bytes.length - bytes.readUInt32LE(20);
  bytes.writeDoubleLE(arrivedAt, 24);
  bytes.writeUInt32LE(0, 36);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, indexLength)), 36);
  return bytes;
}

/** @param encoded a whole block */
export const payloadCrcOf = (encoded: Uint8Array): number =>
  new DataView(encoded.buffer, encoded.byteOffset).getUint32(PAYLOAD_CRC_AT, true);

/**
 * Makes a block of an index and a payload in memory. Copies and checks nothing.
 * @param encoded the block as the log stores it, if it does
 */
export function blockInMemory(
  index: RecordIndex,
  payload: Uint8Array,
  arrivedAt: number,
  encoded?: Uint8Array,
): Block {
  let heldBytes = payload.length + index.organisations.length * 8;
  for (const { field } of COLUMNS) heldBytes += index[field].byteLength;
  heldBytes += index.amounts?.byteLength ?? 0;
  const payloadCrc = encoded && payloadCrcOf(encoded);
  return {
    ...index,
    arrivedAt,
    payloadLength: payload.length,
    heldBytes,
    payloadCrc,
    payload: () => payload,
  };
}

/** The bytes of one record of a block, as the producer sent them; a view, not a copy. */
export function recordBytes(block: Block, index: number): Uint8Array {
  return block.payload().subarray(block.starts[index], block.ends[index]);
}
