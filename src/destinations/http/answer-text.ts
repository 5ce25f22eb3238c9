import { brotliDecompressSync, constants, gunzipSync, inflateSync } from 'node:zlib';

/** A short answer may unpack to this many bytes at most: the answer to 10,000 records is smaller. */
const MOST_UNPACKED = 4 * 2 ** 20;
/** An answer's body may be cut: what is there of it counts. */
const CUT = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MOST_UNPACKED };
const CUT_BROTLI = { ...CUT, finishFlush: constants.BROTLI_OPERATION_FLUSH };
const UNPACK: ReadonlyMap<string, (body: Uint8Array) => Buffer> = new Map([
  ['gzip', (body) => gunzipSync(body, CUT)],
  ['x-gzip', (body) => gunzipSync(body, CUT)],
  ['deflate', (body) => inflateSync(body, CUT)],
  ['br', (body) => brotliDecompressSync(body, CUT_BROTLI)],
]);

/**
 * The text of an answer's body. simstream asks for no compression, but who is not asked may compress: some proxies do.
 * @param encoding the value of `content-encoding`
 * @returns '' for a body that does not unpack
 */
export function answerText(body: Uint8Array | undefined, encoding: string | undefined): string {
  if (!body) return '';
  const unpack = encoding ? UNPACK.get(encoding.trim().toLowerCase()) : undefined;
  if (!unpack) return textOf(body);
  try {
    return textOf(unpack(body));
  } catch {
    return '';
  }
}

function textOf({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('utf8');
}
