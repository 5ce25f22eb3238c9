/**
 * Text of one character a byte: what `latin1` makes of the UTF-8. Where a request is put together as text, V8 then keeps a
 * byte a character however many umlauts there are, its length is its length in bytes, and nothing is decoded on the way.
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
