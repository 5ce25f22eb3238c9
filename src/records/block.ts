import { promisify } from 'node:util';
import { constants, crc32, zstdCompress, zstdDecompressSync } from 'node:zlib';
import { giveBack } from '../lib/give-back.ts';
import { Unpacked } from './unpacked.ts';

/**
 * A block: the records of one ingest request that belong to one partition, with an index over them.
 *
 *   block    = header organisations columns stored
 *   header   = magic:u32 "SSB1" · version:u8 · kind:u8 (1 usage, 2 event) · codec:u8 (0 plain, 1 zstd) · wide:u8
 *              · count:u32 · organisationCount:u32 · payloadLength:u32 · storedLength:u32
 *              · arrivedAt:f64 (ms since the epoch) · payloadCrc:u32 · indexCrc:u32            (40 bytes)
 *   organisations = id:f64 × organisationCount            (ids are integers up to 2^53 - 1)
 *   columns  = start:u32 × count · end:u32 × count
 *              · if kind = 2:  eventType:u32 × count
 *              · if organisationCount > 1:  ordinal:(wide ? u32 : u16) × count
 *              · if kind = 2:  alert:u8 × count            (columns by falling width: each is aligned)
 *   stored   = the payload, as it is or compressed          (storedLength bytes)
 *
 * All integers are little-endian. `payload` holds the records' own bytes in order; between two neighbours stands
 * exactly one comma, with JSON white space around it or not: so any run of neighbours is, between brackets, a JSON array.
 * indexCrc covers the header (with indexCrc = 0), organisations and columns; payloadCrc covers `stored`.
 */
export type RecordKind = 'usage' | 'event';

/** What ingest found out about a payload; the columns of the block. */
export interface RecordIndex {
  readonly kind: RecordKind;
  readonly count: number;
  /** Distinct organisation ids in order of first appearance. */
  readonly organisations: ArrayLike<number>;
  /** Offset of each record's first byte in the payload, and of the byte after its last. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** Per record the position of its organisation in `organisations`; empty when there is only one. */
  readonly ordinals: Uint16Array | Uint32Array;
  /** Events only, else empty: event type id, and alert as 0 or 1. */
  readonly eventTypes: Uint32Array;
  readonly alerts: Uint8Array;
}

/** A decoded block. Immutable; the payload is decompressed on first use, and kept while there is room for it. */
export interface Block extends RecordIndex {
  /** Milliseconds since the epoch. */
  readonly arrivedAt: number;
  /** Length of the payload in bytes, known without decompressing it. */
  readonly payloadLength: number;
  /** Bytes of memory that the block takes as long as it is kept, without what is decompressed. */
  readonly heldBytes: number;
  /** The records' bytes. Throws BlockFault if they do not match their checksum. */
  payload(): Uint8Array;
}

/** Bytes that are not a block that this version can read. */
export class BlockFault extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BlockFault';
  }
}

const HEADER = 40;
const MAGIC = 0x31425353;
const VERSION = 1;
/** Far above what a request of 32 MiB can hold; keeps a damaged header from asking for absurd amounts of memory. */
const LARGEST_PAYLOAD = 256 * 2 ** 20;
const MOST_RECORDS = 2 ** 24;
/** Below this a compressed payload saves less than a page of the store, and costs a trip through the thread pool. */
const SMALLEST_COMPRESSED = 4096;
/** Level 1: on usage records 8 to 10 times smaller at about 500 MB/s; higher levels cost several times that for a few percent. */
const ZSTD_LEVEL = 1;

/** What zlib takes at least. */
const SMALLEST_CHUNK = 64;

/**
 * Of all blocks of the process. Those of one organisation are mostly sent once, and whole: room for the largest batch. Of
 * the others each stream takes a part, and a batch is spread over many of them.
 */
const UNPACKED = { whole: new Unpacked(8 * 2 ** 20), mixed: new Unpacked(32 * 2 ** 20) };

const compress = promisify(zstdCompress);

function columnsLength(kind: number, wide: number, count: number, organisationCount: number): number {
  const ordinal = organisationCount > 1 ? (wide ? 4 : 2) : 0;
  return organisationCount * 8 + count * (8 + ordinal + (kind === 2 ? 5 : 0));
}

/**
 * Encodes a block for the log.
 * @param payload the records' bytes with separators as the grammar says; compressed unless it is small or does not shrink
 * @param arrivedAt milliseconds since the epoch
 */
export async function encodeBlock(
  index: RecordIndex,
  payload: Uint8Array,
  arrivedAt: number,
): Promise<Uint8Array> {
  let stored = payload;
  let codec = 0;
  // Room for all of it at once: every chunk more is a trip through the thread pool.
  const chunkSize = Math.ceil(payload.length / 4);
  if (payload.length >= SMALLEST_COMPRESSED) {
    const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL };
    const smaller = await compress(payload, { params, chunkSize });
    if (smaller.length < payload.length * 0.9) {
      stored = smaller;
      codec = 1;
    }
  }
  const { kind, count, organisations } = index;
  const kindByte = kind === 'usage' ? 1 : 2;
  const wide = organisations.length > 0xffff ? 1 : 0;
  const indexLength = HEADER + columnsLength(kindByte, wide, count, organisations.length);
  const bytes = Buffer.allocUnsafeSlow(indexLength + stored.length);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes[4] = VERSION;
  bytes[5] = kindByte;
  bytes[6] = codec;
  bytes[7] = wide;
  bytes.writeUInt32LE(count, 8);
  bytes.writeUInt32LE(organisations.length, 12);
  bytes.writeUInt32LE(payload.length, 16);
  bytes.writeUInt32LE(stored.length, 20);
  bytes.writeDoubleLE(arrivedAt, 24);
  bytes.writeUInt32LE(crc32(stored), 32);
  bytes.writeUInt32LE(0, 36);
  let at = HEADER;
  const put = (column: Uint8Array | Uint16Array | Uint32Array | Float64Array) => {
    bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at);
    at += column.byteLength;
  };
  put(Float64Array.from(organisations));
  put(index.starts);
  put(index.ends);
  if (kindByte === 2) put(index.eventTypes);
  if (organisations.length > 1) put(wide ? new Uint32Array(index.ordinals) : new Uint16Array(index.ordinals));
  if (kindByte === 2) put(index.alerts);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, indexLength)), 36);
  bytes.set(stored, at);
  // A chunk larger than the pool that Node.js takes small ones from is this compression's alone.
  if (codec === 1 && chunkSize > Buffer.poolSize && stored.buffer.byteLength === chunkSize)
    giveBack(new Uint8Array(stored.buffer));
  return bytes;
}

/** The block of an index and a payload that are in memory already; nothing is copied or checked. */
export function blockInMemory(index: RecordIndex, payload: Uint8Array, arrivedAt: number): Block {
  const kindByte = index.kind === 'usage' ? 1 : 2;
  const columns = columnsLength(kindByte, 1, index.count, index.organisations.length);
  const heldBytes = payload.length + columns;
  return { ...index, arrivedAt, payloadLength: payload.length, heldBytes, payload: () => payload };
}

/**
 * Reads a block. The index is copied out of `bytes`, the payload is not: keep `bytes` unchanged while the block is used.
 * @throws BlockFault when the bytes are cut short, damaged, or of another version
 */
export function decodeBlock(source: Uint8Array): Block {
  const bytes = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  if (bytes.length < HEADER)
    throw new BlockFault(`a block of ${bytes.length} bytes is shorter than its header`);
  if (bytes.readUInt32LE(0) !== MAGIC) throw new BlockFault('the bytes do not start like a block');
  if (bytes[4] !== VERSION) throw new BlockFault(`block version ${bytes[4]} is not known to this program`);
  const kindByte = bytes[5] as number;
  const codec = bytes[6] as number;
  const wide = bytes[7] as number;
  const count = bytes.readUInt32LE(8);
  const organisationCount = bytes.readUInt32LE(12);
  const payloadLength = bytes.readUInt32LE(16);
  const storedLength = bytes.readUInt32LE(20);
  if (
    kindByte < 1 ||
    kindByte > 2 ||
    codec > 1 ||
    wide > 1 ||
    count > MOST_RECORDS ||
    organisationCount > MOST_RECORDS
  ) {
    throw new BlockFault('the header of the block is damaged');
  }
  const indexLength = HEADER + columnsLength(kindByte, wide, count, organisationCount);
  if (bytes.length !== indexLength + storedLength || payloadLength > LARGEST_PAYLOAD) {
    throw new BlockFault(
      `the block has ${bytes.length} bytes where its header says ${indexLength + storedLength}`,
    );
  }
  // A copy that starts on a boundary of 8 lets the columns be views instead of loops over bytes.
  const index = new Uint8Array(indexLength);
  index.set(bytes.subarray(0, indexLength));
  const indexCrc = bytes.readUInt32LE(36);
  index.fill(0, 36, 40);
  if (crc32(index) !== indexCrc) throw new BlockFault('the index of the block does not match its checksum');
  let at = HEADER;
  const take = (width: number, length: number) => {
    const from = at;
    at += width * length;
    return from;
  };
  const events = kindByte === 2 ? count : 0;
  const many = organisationCount > 1 ? count : 0;
  const organisations = new Float64Array(index.buffer, take(8, organisationCount), organisationCount);
  const starts = new Uint32Array(index.buffer, take(4, count), count);
  const ends = new Uint32Array(index.buffer, take(4, count), count);
  const eventTypes = new Uint32Array(index.buffer, take(4, events), events);
  const ordinals = wide
    ? new Uint32Array(index.buffer, take(4, many), many)
    : new Uint16Array(index.buffer, take(2, many), many);
  const alerts = new Uint8Array(index.buffer, take(1, events), events);
  const arrivedAt = bytes.readDoubleLE(24);
  const payloadCrc = bytes.readUInt32LE(32);
  const stored = bytes.subarray(indexLength);
  let payload: Uint8Array | undefined;
  return {
    kind: kindByte === 1 ? 'usage' : 'event',
    count,
    organisations,
    starts,
    ends,
    ordinals,
    eventTypes,
    alerts,
    arrivedAt,
    payloadLength,
    heldBytes: indexLength + bytes.length,
    payload: () => {
      if (payload) return payload;
      payload = unpack(stored, codec, payloadLength, payloadCrc);
      (organisationCount > 1 ? UNPACKED.mixed : UNPACKED.whole).add(codec === 0 ? 0 : payloadLength, () => {
        payload = undefined;
      });
      return payload;
    },
  };
}

function unpack(stored: Uint8Array, codec: number, length: number, crc: number): Uint8Array {
  if (crc32(stored) !== crc) throw new BlockFault('the payload of the block does not match its checksum');
  if (codec === 0) {
    if (stored.length !== length) throw new BlockFault('the payload of the block has the wrong length');
    return stored;
  }
  const payload = decompress(stored, length);
  if (payload.length !== length) throw new BlockFault('the payload of the block has the wrong length');
  return payload;
}

function decompress(stored: Uint8Array, length: number): Uint8Array {
  try {
    // In one chunk: to gather many costs as much again as to decompress. A byte more, or Node.js makes room for a second.
    const chunkSize = Math.max(SMALLEST_CHUNK, length + 1);
    return zstdDecompressSync(stored, { maxOutputLength: Math.max(1, length), chunkSize });
  } catch (error) {
    throw new BlockFault(`the payload of the block cannot be decompressed: ${(error as Error).message}`);
  }
}

/** The bytes of one record of a block, as they came in; a view, not a copy. */
export function recordBytes(block: Block, index: number): Uint8Array {
  return block.payload().subarray(block.starts[index], block.ends[index]);
}

/** The organisation of one record of a block. */
export function organisationOf(block: RecordIndex, index: number): number {
  const ordinal = block.organisations.length > 1 ? (block.ordinals[index] as number) : 0;
  return block.organisations[ordinal] as number;
}
