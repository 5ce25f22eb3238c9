/**
 * Timestamps of records, all in UTC:
 *
 *   timestamp = date ( "T" time [ "." 1*9digit ] ( "Z" | "+0000" | "+00:00" ) | " " time )
 *   date      = yyyy-MM-dd         time = HH:mm:ss
 *
 * which covers the four forms that emnify's sources show (`…Z`, `….SSSZ`, `….000+0000`, `yyyy-MM-dd HH:mm:ss`).
 * @returns whether the bytes are one of them, with a day that there is
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
  // A pair that is not two digits is above all limits.
  if (century > 99 || year > 99 || month < 1 || month > 12 || day < 1) return false;
  if (day > 28 && day > daysOf(century * 100 + year, month)) return false;
  if (two(bytes, from + 11) > 23 || two(bytes, from + 14) > 59 || two(bytes, from + 17) > 59) return false;
  const separator = bytes[from + 10];
  if (separator === SPACE) return length === 19;
  return separator === UPPER_T && isZone(bytes, from + 19, to);
}

const SPACE = 0x20;
const PLUS = 0x2b;
const DASH = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const UPPER_T = 0x54;
const UPPER_Z = 0x5a;
const NEVER = 1000;

/** What stands behind the seconds. */
function isZone(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  if (bytes[at] === POINT && at < to) {
    at++;
    const digits = at;
    while (at < to && isDigit(bytes[at] as number)) at++;
    if (at === digits || at - digits > 9) return false;
  }
  const length = to - at;
  if (length === 1) return bytes[at] === UPPER_Z;
  if (bytes[at] !== PLUS) return false;
  if (length === 5) return two(bytes, at + 1) === 0 && two(bytes, at + 3) === 0;
  return length === 6 && two(bytes, at + 1) === 0 && bytes[at + 3] === COLON && two(bytes, at + 4) === 0;
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
