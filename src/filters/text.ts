import { BACKSLASH } from '../records/scalars.ts';

/**
 * Texts of JSON as UTF-8 without escapes. The order of UTF-8 bytes is the order of code points. A surrogate without its
 * other half becomes three bytes of its own, so that it differs from every other text.
 */
export interface Text {
  bytes: Buffer;
  from: number;
  to: number;
}

export function newText(): Text {
  return { bytes: scratch, from: 0, to: 0 };
}

const MEANINGS: Readonly<Record<string, number>> = { b: 8, f: 12, n: 10, r: 13, t: 9 };
let scratch = Buffer.alloc(1024);

/**
 * Reads a well-formed JSON string.
 * @param from the place behind the opening quote
 * @param to the place of the closing quote
 * @param into valid until the next text with an escape is read
 */
export function readText(bytes: Buffer, from: number, to: number, into: Text): void {
  for (let at = from; at < to; at++) {
    if (bytes[at] === BACKSLASH) {
      decode(bytes, from, to, into);
      return;
    }
  }
  into.bytes = bytes;
  into.from = from;
  into.to = to;
}

function decode(bytes: Buffer, from: number, to: number, into: Text): void {
  // No escape is shorter than the bytes that it stands for.
  if (scratch.length < to - from) scratch = Buffer.alloc((to - from) * 2);
  let length = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte !== BACKSLASH) {
      scratch[length++] = byte;
      continue;
    }
    const name = String.fromCharCode(bytes[++at] as number);
    if (name !== 'u') {
      scratch[length++] = MEANINGS[name] ?? (bytes[at] as number);
      continue;
    }
    let code = hexAt(bytes, at + 1);
    at += 4;
    if (code >= 0xd800 && code < 0xdc00 && bytes[at + 1] === BACKSLASH && bytes[at + 2] === 0x75) {
      const low = hexAt(bytes, at + 3);
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
      }
    }
    length = putCode(code, length);
  }
  into.bytes = scratch;
  into.from = 0;
  into.to = length;
}

function hexAt(bytes: Uint8Array, from: number): number {
  let value = 0;
  for (let at = from; at < from + 4; at++) {
    const byte = bytes[at] as number;
    value = value * 16 + (byte < 0x40 ? byte - 0x30 : (byte & 0xdf) - 0x37);
  }
  return value;
}

/** @returns the length of `scratch` with the code point */
function putCode(code: number, length: number): number {
  let at = length;
  if (code < 0x80) scratch[at++] = code;
  else if (code < 0x800) {
    scratch[at++] = 0xc0 | (code >> 6);
    scratch[at++] = 0x80 | (code & 0x3f);
  } else {
    if (code < 0x10000) scratch[at++] = 0xe0 | (code >> 12);
    else {
      scratch[at++] = 0xf0 | (code >> 18);
      scratch[at++] = 0x80 | ((code >> 12) & 0x3f);
    }
    scratch[at++] = 0x80 | ((code >> 6) & 0x3f);
    scratch[at++] = 0x80 | (code & 0x3f);
  }
  return at;
}

/** Compares by code points. @returns less than 0 if the text comes before the other */
export function compareText({ bytes, from, to }: Text, other: Uint8Array): number {
  const length = Math.min(to - from, other.length);
  for (let at = 0; at < length; at++) {
    const difference = (bytes[from + at] as number) - (other[at] as number);
    if (difference !== 0) return difference;
  }
  return to - from - other.length;
}
