/**
 * Timestamps of records:
 *
 *   timestamp = date ( "T" time zone | " " time [ zone ] )          without a zone it is UTC
 *   date      = yyyy-MM-dd
 *   time      = HH:mm:ss [ "." 1*9digit ]
 *   zone      = "Z" | ( "+" | "-" ) HH [ [ ":" ] mm ]
 *
 * This covers the four forms of emnify's sources (`…Z`, `….SSSZ`, `….000+0000`, `yyyy-MM-dd HH:mm:ss`) and the forms of
 * other platforms and databases (`…+02:00`, `…-0500`, `yyyy-MM-dd HH:mm:ss.SSS+02`). `T` and `Z` may be lower case, as
 * RFC 3339 allows. recordTime in record-time.ts reads the same forms; a test compares both.
 * @returns whether the bytes are a timestamp with a day that exists
 */
export function isTimestampAt(bytes: Uint8Array, from: number, to: number): boolean {
  const length = to - from;
  if (length < 19 || length > 35) return false;
  if (bytes[from + 4] !== DASH || bytes[from + 7] !== DASH) return false;
  if (bytes[from + 13] !== COLON || bytes[from + 16] !== COLON) return false;
  const century = two(bytes, from);
  const year = two(bytes, from + 2);
  const month = two(bytes, from + 5);
  const day = two(bytes, from + 8);
  // A pair of bytes that are not digits exceeds every limit.
  if (century > 99 || year > 99 || month < 1 || month > 12 || day < 1) return false;
  if (day > 28 && day > daysOf(century * 100 + year, month)) return false;
  if (two(bytes, from + 11) > 23 || two(bytes, from + 14) > 59 || two(bytes, from + 17) > 59) return false;
  const separator = bytes[from + 10] as number;
  const zone = behindFraction(bytes, from + 19, to);
  if (zone < 0) return false;
  if (separator === SPACE) return zone === to || isZone(bytes, zone, to);
  return (separator | SMALL) === LOWER_T && isZone(bytes, zone, to);
}

const SPACE = 0x20;
const PLUS = 0x2b;
const DASH = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
/** The bit that makes a letter lower case. */
const SMALL = 0x20;
const LOWER_T = 0x74;
const LOWER_Z = 0x7a;
const NEVER = 1000;

/** The place after an optional fraction of a second; -1 if the fraction has no digits, or more than nine. */
function behindFraction(bytes: Uint8Array, from: number, to: number): number {
  if (from >= to || bytes[from] !== POINT) return from;
  let at = from + 1;
  while (at < to && isDigit(bytes[at] as number)) at++;
  const digits = at - from - 1;
  return digits === 0 || digits > 9 ? -1 : at;
}

function isZone(bytes: Uint8Array, from: number, to: number): boolean {
  const length = to - from;
  const first = bytes[from] as number;
  if (length === 1) return (first | SMALL) === LOWER_Z;
  if ((first !== PLUS && first !== DASH) || length < 3 || two(bytes, from + 1) > 23) return false;
  if (length === 3) return true;
  const minutes = bytes[from + 3] === COLON ? from + 4 : from + 3;
  return minutes + 2 === to && two(bytes, minutes) <= 59;
}

function two(bytes: Uint8Array, at: number): number {
  const tens = bytes[at] as number;
  const ones = bytes[at + 1] as number;
  return isDigit(tens) && isDigit(ones) ? (tens - ZERO) * 10 + ones - ZERO : NEVER;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function daysOf(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
