/** Integers in records, read from their bytes: ids are 64-bit and do not fit a JavaScript number. */

const LARGEST_ID = Buffer.from('18446744073709551615');

/** Whether the JSON number is an unsigned 64-bit integer, without fraction and exponent. */
export function isRecordId(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from > LARGEST_ID.length) return false;
  for (let at = from; at < to; at++) if (!isDigit(bytes[at] as number)) return false;
  if (to - from < LARGEST_ID.length) return true;
  for (let i = 0; i < LARGEST_ID.length; i++) {
    const difference = (bytes[from + i] as number) - (LARGEST_ID[i] as number);
    if (difference !== 0) return difference < 0;
  }
  return true;
}

/** The value of a JSON number if it is an integer from 0 to 2^53 - 1, without fraction and exponent; else -1. */
export function unsignedAt(bytes: Uint8Array, from: number, to: number): number {
  // 16 digits are at most 10^16 - 1: above 2^53, but near enough to compare.
  if (to - from > 16) return -1;
  let value = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (!isDigit(byte)) return -1;
    value = value * 10 + (byte - 0x30);
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
