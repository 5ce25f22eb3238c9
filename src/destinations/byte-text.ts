/**
 * Text with one character per byte: UTF-8 bytes read as `latin1`. If a request is composed as such text, V8 needs one byte per
 * character whatever the letters are, the text's length is its length in bytes, and nothing is decoded.
 */
export type ByteText = string;

/** The bytes of a record from `from` to `to`. */
export function byteText(bytes: Uint8Array, from = 0, to = bytes.length): ByteText {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString('latin1', from, to);
}

export function toByteText(text: string): ByteText {
  return Buffer.from(text).toString('latin1');
}

export function bytesOf(text: ByteText): Buffer {
  return Buffer.from(text, 'latin1');
}
