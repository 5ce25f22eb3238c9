/**
 * Decimal numbers in the text form of JSON, compared exactly: ids of 64 bits and costs of ten decimals do not fit a double.
 *
 * A number is sign × 0.d₁d₂d₃… × 10^exponent, where d₁ and the last digit are not 0. So equal numbers have equal parts,
 * however they are written: 1.50, 15e-1 and 1.5 are one number.
 */
export interface Decimal {
  bytes: Uint8Array;
  /** -1, 0 or 1. */
  sign: number;
  /** Places of the first digit and behind the last one; a point may lie between them. */
  first: number;
  last: number;
  exponent: number;
}

const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_E = 0x65;
/** The exponent of a record is cut off here: `numberText` allows none near it, so the order stays right. */
const LARGEST_EXPONENT = 1e12;

/**
 * The most digits of a volume or a cost before the point, and behind it. No real amount comes near. The ledger counts each
 * digit, so an exponent must not make numbers of any length.
 */
export const MOST_AMOUNT_DIGITS = 64;

/** Whether a well-formed JSON number can be a volume or a cost. */
export function isAmountAt(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  while (at < to && ((bytes[at] as number) | 0x20) !== LOWER_E) at++;
  // Nearly all are short and have no exponent.
  if (at === to && to - from <= MOST_AMOUNT_DIGITS) return true;
  readDecimal(bytes, from, to, amount);
  return isAmount(amount);
}

export function isAmount(decimal: Decimal): boolean {
  const decimals = digitsOf(decimal).length - decimal.exponent;
  return decimal.exponent <= MOST_AMOUNT_DIGITS && decimals <= MOST_AMOUNT_DIGITS;
}

/** The digits from the first to the last one that is not 0; none of zero. */
export function digitsOf({ bytes, sign, first, last }: Decimal): string {
  if (sign === 0) return '';
  return Buffer.from(bytes.buffer, bytes.byteOffset + first, last - first)
    .toString('latin1')
    .replace('.', '');
}

export function newDecimal(): Decimal {
  return { bytes: new Uint8Array(), sign: 0, first: 0, last: 0, exponent: 0 };
}

/** Belongs to the amount that is being checked. */
const amount = newDecimal();

/** The number that a text writes in the form of JSON; undefined if it writes none, or one of absurd size. */
export function numberText(text: string): Decimal | undefined {
  if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,6})?$/.test(text)) return undefined;
  const decimal = newDecimal();
  const bytes = Buffer.from(text);
  readDecimal(bytes, 0, bytes.length, decimal);
  return decimal;
}

/** Reads a well-formed JSON number. */
export function readDecimal(bytes: Uint8Array, from: number, to: number, into: Decimal): void {
  let at = from;
  const negative = bytes[at] === MINUS;
  if (negative) at++;
  /** Digits before the point that count: all of them, less the zeros in front. */
  let whole = 0;
  let first = -1;
  let last = -1;
  let fraction = false;
  for (; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte === POINT) {
      fraction = true;
      continue;
    }
    if (byte < ZERO || byte > NINE) break;
    if (first < 0) {
      if (byte === ZERO) {
        if (fraction) whole--;
        continue;
      }
      first = at;
    }
    if (!fraction) whole++;
    if (byte !== ZERO) last = at + 1;
  }
  into.bytes = bytes;
  into.sign = first < 0 ? 0 : negative ? -1 : 1;
  into.first = first;
  into.last = last;
  into.exponent = first < 0 ? 0 : whole + exponentAt(bytes, at + 1, to);
}

function exponentAt(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  if (at >= to) return 0;
  const sign = bytes[at] as number;
  if (sign === MINUS || sign === PLUS) at++;
  let exponent = 0;
  for (; at < to && exponent < LARGEST_EXPONENT; at++)
    exponent = exponent * 10 + (bytes[at] as number) - ZERO;
  return sign === MINUS ? -exponent : exponent;
}

/** @returns less than 0 if `one` is less than `other`, 0 if they are equal */
export function compareDecimals(one: Decimal, other: Decimal): number {
  if (one.sign !== other.sign) return one.sign - other.sign;
  if (one.sign === 0) return 0;
  if (one.exponent !== other.exponent) return (one.exponent - other.exponent) * one.sign;
  let a = one.first;
  let b = other.first;
  for (; a < one.last && b < other.last; a++, b++) {
    if (one.bytes[a] === POINT) a++;
    if (other.bytes[b] === POINT) b++;
    const difference = (one.bytes[a] as number) - (other.bytes[b] as number);
    if (difference !== 0) return difference * one.sign;
  }
  // The last digit is not 0, so the number with digits left is the larger one.
  const left = (a < one.last ? 1 : 0) - (b < other.last ? 1 : 0);
  return left * one.sign;
}
