/**
 * Scalars of JSON (RFC 8259) in bytes:
 *
 *   string  = %x22 *( plain | "\" one of "\/bfnrt and the quote | "\u" 4HEXDIG ) %x22        plain: from %x20 on
 *   number  = [ "-" ] ( "0" | digit1-9 *digit ) [ "." 1*digit ] [ ("e" | "E") [ "+" | "-" ] 1*digit ]
 *   literal = "true" | "false" | "null"
 *
 * Each function reads from `from` and looks at no byte from `to` on. It returns the place after the scalar, or the
 * complement (`~`) of the place of a fault, which is negative. Another check, once per body, makes sure that strings are
 * UTF-8.
 */

export const QUOTE = 0x22;
const PLUS = 0x2b;
export const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
export const COLON = 0x3a;
const UPPER_E = 0x45;
export const OPEN_BRACKET = 0x5b;
export const BACKSLASH = 0x5c;
const LOWER_E = 0x65;
const LOWER_F = 0x66;
export const LOWER_N = 0x6e;
export const LOWER_T = 0x74;
const LOWER_U = 0x75;
export const OPEN_BRACE = 0x7b;

/** Bytes of a string that mean themselves. */
const PLAIN = new Uint8Array(256).fill(1);
PLAIN.fill(0, 0, 0x20);
PLAIN[QUOTE] = 0;
PLAIN[BACKSLASH] = 0;
const DIGIT = tableOf('0123456789');
const HEXADECIMAL = tableOf('0123456789abcdefABCDEF');
const ESCAPED = tableOf('"\\/bfnrt');
const NUMBER_START = tableOf('-0123456789');
/** White space, with and without the line feed: the line feed ends a record if each record has its own line. */
export const SPACE = tableOf(' \t\r\n');
export const SPACE_IN_LINE = tableOf(' \t\r');

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

/** A table that is 1 at each byte of the text. */
function tableOf(text: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of Buffer.from(text)) table[byte] = 1;
  return table;
}

/** Reads any scalar; `from` is before `to`. */
export function afterScalar(bytes: Uint8Array, view: DataView, from: number, to: number): number {
  const first = bytes[from] as number;
  if (first === QUOTE) return afterString(view, from + 1, to);
  return NUMBER_START[first] === 1 ? afterNumber(bytes, from, to) : afterLiteral(bytes, from, to);
}

/** Reads a string from after its opening quote. */
export function afterString(view: DataView, from: number, to: number): number {
  let at = from;
  const lastWord = to - 4;
  for (;;) {
    // Four bytes at once: `special` gets the top bit of each byte that is a quote or a control character (both are at
    // most 0x20 once bit 1 is flipped) or a backslash; bytes above the lowest hit may be marked wrongly.
    while (at <= lastWord) {
      const word = view.getInt32(at, true);
      const low = word ^ 0x02020202;
      const slash = word ^ 0x5c5c5c5c;
      const special = (((low - 0x21212121) & ~low) | ((slash - 0x01010101) & ~slash)) & 0x80808080;
      if (special === 0) at += 4;
      else {
        at += (31 - Math.clz32(special & -special)) >> 3;
        break;
      }
    }
    while (at < to && PLAIN[view.getUint8(at)] === 1) at++;
    if (at >= to) return ~at;
    const c = view.getUint8(at);
    if (c === QUOTE) return at + 1;
    if (c !== BACKSLASH) return ~at;
    const escaped = at + 1 < to ? view.getUint8(at + 1) : 0;
    if (ESCAPED[escaped] === 1) at += 2;
    else if (escaped === LOWER_U) {
      for (let digit = at + 2; digit < at + 6; digit++) {
        if (digit >= to || HEXADECIMAL[view.getUint8(digit)] !== 1) return ~digit;
      }
      at += 6;
    } else return ~(at + 1);
  }
}

function afterNumber(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  if (bytes[at] === MINUS) at++;
  let c = at < to ? (bytes[at] as number) : 0;
  if (DIGIT[c] !== 1) return ~at;
  at++;
  if (c !== ZERO) while (at < to && DIGIT[bytes[at] as number] === 1) at++;
  c = at < to ? (bytes[at] as number) : 0;
  if (c === POINT) {
    const digits = ++at;
    while (at < to && DIGIT[bytes[at] as number] === 1) at++;
    if (at === digits) return ~at;
    c = at < to ? (bytes[at] as number) : 0;
  }
  if (c === LOWER_E || c === UPPER_E) {
    at++;
    c = at < to ? (bytes[at] as number) : 0;
    if (c === PLUS || c === MINUS) at++;
    const digits = at;
    while (at < to && DIGIT[bytes[at] as number] === 1) at++;
    if (at === digits) return ~at;
  }
  return at;
}

function afterLiteral(bytes: Uint8Array, from: number, to: number): number {
  const word = bytes[from] === LOWER_T ? TRUE : bytes[from] === LOWER_F ? FALSE : NULL;
  for (let i = 0; i < word.length; i++) if (from + i >= to || bytes[from + i] !== word[i]) return ~(from + i);
  return from + word.length;
}
