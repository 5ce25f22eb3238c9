import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';

export type ContentEncoding = 'identity' | 'gzip' | 'zstd';

type Decoded =
  | { readonly type: 'decoded'; readonly body: Uint8Array }
  | { readonly type: 'too-large' }
  | { readonly type: 'damaged'; readonly cause: string };

const decoders = { gzip: promisify(gunzip), zstd: promisify(zstdDecompress) };

/** The smallest chunk size that zlib accepts. */
const SMALLEST_CHUNK = 64;

/**
 * Unpacks a body. A body that unpacks to more than `limit` bytes is `too-large`; never more than `limit` bytes are unpacked.
 * @param expected the length to expect: one buffer of this length saves copies
 */
export async function decodeBody(
  encoding: 'gzip' | 'zstd',
  body: Uint8Array,
  limit: number,
  expected: number,
): Promise<Decoded> {
  const chunkSize = Math.max(SMALLEST_CHUNK, Math.min(limit, expected) + 1);
  try {
    const decoded: Buffer = await decoders[encoding](body, { maxOutputLength: limit, chunkSize });
    return { type: 'decoded', body: inItsOwnMemory(decoded) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') return { type: 'too-large' };
    return { type: 'damaged', cause: message };
  }
}

/**
 * The bytes, copied if they are a small part of a larger buffer: records stay in memory for a while, and would keep the
 * whole buffer.
 */
export function inItsOwnMemory(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength > bytes.length * 1.25 ? new Uint8Array(bytes) : bytes;
}

/** Compressed JSON records are seldom smaller than a 16th. */
const USUAL_RATIO = 16;
const LEAST_EXPECTED = 64 * 1024;

/**
 * The length that a compressed body announces, or a guess if it announces none. The announcement may be wrong: a stream can
 * have several parts, and a client can write any number.
 */
export function expectedLength(encoding: 'gzip' | 'zstd', body: Uint8Array): number {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const said = encoding === 'gzip' ? gzipLength(bytes) : zstdLength(bytes);
  return said ?? Math.max(LEAST_EXPECTED, body.length * USUAL_RATIO);
}

/** RFC 1952: the last four bytes are the length modulo 2^32. */
function gzipLength(bytes: Buffer): number | undefined {
  return bytes.length < 18 ? undefined : bytes.readUInt32LE(bytes.length - 4);
}

const ZSTD_MAGIC = 0xfd2fb528;

/**
 * RFC 8878, 3.1.1: magic:u32 · descriptor:u8 (bits 7-6 size of the content size field, 5 single segment, 1-0 size of the
 * dictionary id) · [window:u8] · [dictionary id:0,1,2,4] · [content size:0,1,2,4,8].
 */
function zstdLength(bytes: Buffer): number | undefined {
  if (bytes.length < 18 || bytes.readUInt32LE(0) !== ZSTD_MAGIC) return undefined;
  const descriptor = bytes[4] as number;
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] as number;
  const at = 5 + (singleSegment ? 0 : 1) + dictionary;
  switch (descriptor >> 6) {
    case 0:
      return singleSegment ? (bytes[at] as number) : undefined;
    case 1:
      return bytes.readUInt16LE(at) + 256;
    case 2:
      return bytes.readUInt32LE(at);
    default:
      return Number(bytes.readBigUInt64LE(at));
  }
}
