import { MOST_AMOUNT_DIGITS } from './decimal.ts';

/**
 * Reads single values from a record's bytes, for connectors that need them.
 *
 * A value is the place of its literal in the bytes, never a JavaScript number: ids have 64 bits and costs ten decimals. One
 * pass over a record finds all wanted fields and skips the others. For the 34 columns of a usage record this takes half
 * the time of `JSON.parse`, and a tenth of `JSON.parse` with a reviver that keeps the literals (2.1, 4.2 and 20.6 µs for a
 * record of 850 bytes).
 *
 * The bytes must be a JSON object in UTF-8. Ingest has checked that.
 */
interface FieldReader {
  /**
   * Finds the fields in the record from `from` (included) to `to` (excluded).
   * @returns for field i the start of its literal at `2 * i` and its end at `2 * i + 1`; the start is -1 if the record
   *   lacks the field. If a name appears twice, the last one counts, as in `JSON.parse`. Valid until the next call.
   */
  read(bytes: Uint8Array, from: number, to: number): Int32Array;
}

interface Node {
  readonly name: string;
  /** The name's bytes, if the name needs no escape in JSON. */
  readonly key: Uint8Array;
  /** The field's index; -1 for an object that only leads to fields. */
  slot: number;
  readonly children: Node[];
  /** The child after the one found last: a producer writes its keys in one order. */
  expected: number;
  /** Whether the current record has already shown this field. */
  seen: boolean;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const SPACE = 0x20;

/** @param paths names joined by dots, e.g. `endpoint.id`; one may be inside another */
export function compileFields(paths: readonly string[]): FieldReader {
  const root = newNode('');
  for (const [slot, path] of paths.entries()) {
    let node = root;
    for (const name of path.split('.')) {
      let child = node.children.find((one) => one.name === name);
      if (!child) {
        child = newNode(name);
        node.children.push(child);
      }
      node = child;
    }
    if (node.slot >= 0) throw new Error(`the field ${path} is wanted twice`);
    node.slot = slot;
  }
  const walker = new Walker(paths.length);
  return { read: (bytes, from, to) => walker.walk(root, bytes, from, to) };
}

function newNode(name: string): Node {
  return { name, key: Buffer.from(name), slot: -1, children: [], expected: 0, seen: false };
}

class Walker {
  readonly #places: Int32Array;
  #bytes: Uint8Array = new Uint8Array(0);
  #to = 0;

  constructor(fields: number) {
    this.#places = new Int32Array(fields * 2);
  }

  walk(root: Node, bytes: Uint8Array, from: number, to: number): Int32Array {
    this.#bytes = bytes;
    this.#to = to;
    this.#places.fill(-1);
    const at = skipSpace(bytes, from);
    if (bytes[at] === OPEN_BRACE) this.#object(root, at + 1);
    // This reader must not keep the last record in memory.
    this.#bytes = root.key;
    return this.#places;
  }

  /** Reads an object from after its opening brace; returns the place after it. */
  #object(node: Node, from: number): number {
    const bytes = this.#bytes;
    const to = this.#to;
    for (const child of node.children) child.seen = false;
    let at = skipSpace(bytes, from);
    while (bytes[at] === QUOTE && at < to) {
      const keyEnd = endOfString(bytes, at, to);
      const child = childAt(node, bytes, at + 1, keyEnd - 1);
      at = skipSpace(bytes, keyEnd) + 1;
      at = skipSpace(bytes, at);
      if (at >= to) break;
      at = skipSpace(bytes, child ? this.#value(child, at) : endOfValue(bytes, at, to));
      if (bytes[at] !== COMMA) break;
      at = skipSpace(bytes, at + 1);
    }
    return at + 1;
  }

  #value(node: Node, from: number): number {
    if (node.seen) this.#forget(node);
    node.seen = true;
    const inside = node.children.length > 0 && this.#bytes[from] === OPEN_BRACE;
    const end = inside ? this.#object(node, from + 1) : endOfValue(this.#bytes, from, this.#to);
    if (node.slot >= 0) {
      this.#places[node.slot * 2] = from;
      this.#places[node.slot * 2 + 1] = end;
    }
    return end;
  }

  #forget(node: Node): void {
    if (node.slot >= 0) this.#places[node.slot * 2] = -1;
    for (const child of node.children) this.#forget(child);
  }
}

function childAt(node: Node, bytes: Uint8Array, from: number, to: number): Node | undefined {
  const { children } = node;
  let position = node.expected;
  for (let tries = children.length; tries > 0; tries--) {
    if (position >= children.length) position = 0;
    const child = children[position] as Node;
    position++;
    if (hasBytes(child.key, bytes, from, to)) {
      node.expected = position;
      return child;
    }
  }
  for (let at = from; at < to; at++) {
    if (bytes[at] !== BACKSLASH) continue;
    const name = decodeString(bytes, from - 1, to + 1);
    return children.find((child) => child.name === name);
  }
  return undefined;
}

function hasBytes(key: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (key.length !== to - from) return false;
  for (let at = 0; at < key.length; at++) if (key[at] !== bytes[from + at]) return false;
  return true;
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while ((bytes[at] as number) <= SPACE) at++;
  return at;
}

/** The place after the closing quote of the string whose opening quote is at `from`. */
function endOfString(bytes: Uint8Array, from: number, to: number): number {
  let at = from + 1;
  while (at < to) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) return at + 1;
    at += byte === BACKSLASH ? 2 : 1;
  }
  return to;
}

function endOfValue(bytes: Uint8Array, from: number, to: number): number {
  const first = bytes[from] as number;
  if (first === QUOTE) return endOfString(bytes, from, to);
  let at = from;
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) {
    while (at < to) {
      const byte = bytes[at] as number;
      if (byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || byte <= SPACE) return at;
      at++;
    }
    return to;
  }
  let depth = 0;
  while (at < to) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      at = endOfString(bytes, at, to);
      continue;
    }
    at++;
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
      if (depth === 0) return at;
    }
  }
  return to;
}

/** A part of a record as text. */
function sliceText(bytes: Uint8Array, from: number, to: number): string {
  // Payloads are always Buffers. To wrap one costs more than to read a short text.
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString('utf8', from, to);
}

/** The text of a JSON string, from its opening quote to after its closing one. */
function decodeString(bytes: Uint8Array, from: number, to: number): string {
  const text = sliceText(bytes, from, to);
  return text.includes('\\') ? (JSON.parse(text) as string) : text.slice(1, -1);
}

/**
 * A value as people write it: a string without its quotes, a number in plain notation, `true`, `false`, an object or an
 * array unchanged. undefined for null and for a missing field (`from` is -1).
 */
export function textAt(bytes: Uint8Array, from: number, to: number): string | undefined {
  if (from < 0) return undefined;
  const first = bytes[from] as number;
  if (first === QUOTE) return decodeString(bytes, from, to);
  const text = sliceText(bytes, from, to);
  if (text === 'null') return undefined;
  return first === OPEN_BRACE || first === OPEN_BRACKET ? text : plainNumber(text);
}

const readers = new Map<string, FieldReader>();

/** The value of one field of a record as `textAt` gives it. For several fields of a record use `compileFields`. */
export function fieldText(record: Uint8Array, path: string): string | undefined {
  let reader = readers.get(path);
  if (!reader) {
    reader = compileFields([path]);
    // Connectors name the paths, so the cache holds only a few.
    readers.set(path, reader);
  }
  const [from = -1, to = -1] = reader.read(record, 0, record.length);
  return textAt(record, from, to);
}

const NUMBER = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;
/** Numbers that would get more zeros than this keep their notation. No volume and no cost does: ingest refuses them. */
const MOST_ZEROS = MOST_AMOUNT_DIGITS;

/** A number's literal without exponent: `1.5e-7` is `0.00000015`. Other text stays unchanged. */
export function plainNumber(literal: string): string {
  return literal.includes('e') || literal.includes('E') ? decimal(literal, 0) : literal;
}

/**
 * A number's literal in plain notation with at least `places` decimals. Nothing is rounded: further digits stay, further
 * zeros do not. Other text stays unchanged.
 */
export function decimal(literal: string, places: number): string {
  const match = NUMBER.exec(literal);
  if (!match) return literal;
  const [, sign = '', whole = '', fraction = '', exponent] = match;
  // Zero is zero, whatever its exponent.
  const shift = /[1-9]/.test(whole + fraction) ? Number(exponent ?? 0) : 0;
  if (shift - fraction.length > MOST_ZEROS || -shift - whole.length > MOST_ZEROS) return literal;
  let digits = whole + fraction;
  let point = whole.length + shift;
  if (point < 1) {
    digits = '0'.repeat(1 - point) + digits;
    point = 1;
  }
  digits = digits.padEnd(point + places, '0');
  let end = digits.length;
  while (end > point + places && digits[end - 1] === '0') end--;
  let start = 0;
  while (start < point - 1 && digits[start] === '0') start++;
  const before = digits.slice(start, point);
  const after = digits.slice(point, end);
  return `${sign}${before}${after ? `.${after}` : ''}`;
}

/**
 * The exact sum of two literals: `0.1` and `0.2` make `0.3`. Both must be numbers without exponent; `decimal` makes such
 * literals.
 */
export function addDecimals(a: string, b: string): string {
  const places = Math.max(decimalsOf(a), decimalsOf(b));
  const scaled = (literal: string) =>
    BigInt(literal.replace('.', '') + '0'.repeat(places - decimalsOf(literal)));
  const sum = scaled(a) + scaled(b);
  const digits = (sum < 0n ? -sum : sum).toString().padStart(places + 1, '0');
  const whole = digits.slice(0, digits.length - places);
  const fraction = digits.slice(digits.length - places);
  return `${sum < 0n ? '-' : ''}${whole}${fraction ? `.${fraction}` : ''}`;
}

function decimalsOf(literal: string): number {
  const point = literal.indexOf('.');
  return point < 0 ? 0 : literal.length - point - 1;
}

/** Whether a value reads as a JSON number. */
export function isNumber(text: string): boolean {
  return NUMBER.test(text);
}
