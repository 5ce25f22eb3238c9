/** Reads integers of records from their bytes: ids have 64 bits and do not fit a JavaScript number. */

const LARGEST_ID = Buffer.from('18446744073709551615');

/** Whether the JSON number is an unsigned 64-bit integer without fraction and exponent. */
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
  // 16 digits are at most 10^16 - 1: above 2^53, but close enough for this comparison.
  if (to - from > 16) return -1;
  let value = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (!isDigit(byte)) return -1;
    value = value * 10 + (byte - 0x30);
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

/** A 64-bit integer as two numbers of 32 bits each. */
export interface Halves {
  low: number;
  high: number;
}

/** The most digits that a double always holds exactly. */
const MOST_EXACT_DIGITS = 15;

/**
 * Reads an unsigned 64-bit integer, without fraction and exponent.
 * @returns whether it is one; `into` is 0 if it is not
 */
export function unsigned64At(bytes: Uint8Array, from: number, to: number, into: Halves): boolean {
  into.low = 0;
  into.high = 0;
  if (to <= from || !isRecordId(bytes, from, to)) return false;
  const exactTo = Math.min(to, from + MOST_EXACT_DIGITS);
  let value = 0;
  for (let at = from; at < exactTo; at++) value = value * 10 + (bytes[at] as number) - 0x30;
  let high = Math.floor(value / 2 ** 32);
  let low = value - high * 2 ** 32;
  for (let at = exactTo; at < to; at++) {
    const product = low * 10 + (bytes[at] as number) - 0x30;
    const carry = Math.floor(product / 2 ** 32);
    low = product - carry * 2 ** 32;
    high = high * 10 + carry;
  }
  into.low = low;
  into.high = high;
  return true;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
