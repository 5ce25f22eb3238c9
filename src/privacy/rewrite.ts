import { BACKSLASH, COMMA, LOWER_N, OPEN_BRACE, OPEN_BRACKET, QUOTE } from '../records/scalars.ts';
import type { RecordPrivacy } from '../registry/data-stream.ts';
import type { FieldHash } from './field-hash.ts';

/**
 * Removes and hashes fields in the bytes of a record, in one pass and without decoding it. The record is well-formed JSON: it
 * was checked when it was stored. All other bytes stay as they are.
 *
 *  P1  Every occurrence of a name counts, not only the last one: a receiver may read an earlier one.
 *  P2  Names are compared after their escapes are decoded.
 *  P3  Where a path meets an array, it goes on in each of the array's elements.
 *  P4  Of an object or an array that is hashed, each value inside is. A null stays null: it says nothing.
 *  P5  The time is linear in the length of the record.
 */
export class RecordRewriter {
  readonly #root: Branch;
  readonly #hash: FieldHash;
  #bytes: Uint8Array = EMPTY;
  #to = 0;
  /** The source up to here is in the output, or left out. */
  #done = 0;
  #output = Buffer.allocUnsafe(FIRST_OUTPUT);
  #length = 0;

  constructor({ drop, hash }: RecordPrivacy, fieldHash: FieldHash) {
    this.#root = newBranch('');
    for (const path of drop) branchOf(this.#root, path).drop = true;
    for (const path of hash) branchOf(this.#root, path).hash = true;
    this.#hash = fieldHash;
  }

  /** The bytes that were appended since the last call of this: a copy. */
  take(): Buffer {
    const taken = Buffer.from(this.#output.subarray(0, this.#length));
    this.#length = 0;
    return taken;
  }

  /** The same, into `target`, which has `length` bytes. */
  takeInto(target: Uint8Array): void {
    target.set(this.#output.subarray(0, this.#length));
    this.#length = 0;
  }

  /** Bytes that were appended since they were taken last. */
  get length(): number {
    return this.#length;
  }

  comma(): void {
    this.#room(1)[this.#length++] = COMMA;
  }

  /** Appends the record from `from` (included) to `to` (excluded), without private fields. */
  append(bytes: Uint8Array, from: number, to: number): void {
    this.#bytes = bytes;
    this.#to = to;
    this.#done = from;
    this.#value(this.#root, false, this.#space(from));
    this.#flush(to);
    // The payload of a block must not stay in memory for this.
    this.#bytes = EMPTY;
  }

  /** @param hash a name above it is hashed @returns the place behind the value */
  #value(branch: Branch | undefined, hash: boolean, from: number): number {
    const first = this.#bytes[from] as number;
    const inside = hash || (branch !== undefined && branch.branches.length > 0);
    if (first === OPEN_BRACE && inside) return this.#object(branch, hash, from);
    if (first === OPEN_BRACKET && inside) return this.#array(branch, hash, from);
    const end = this.#skip(from);
    if (hash && first !== LOWER_N) {
      this.#flush(from);
      this.#quote(this.#hash.of(this.#bytes, from, end));
      this.#done = end;
    }
    return end;
  }

  #array(branch: Branch | undefined, hash: boolean, from: number): number {
    let at = this.#space(from + 1);
    while (at < this.#to && this.#bytes[at] !== CLOSE_BRACKET) {
      at = this.#space(this.#value(branch, hash, at));
      if (this.#bytes[at] === COMMA) at = this.#space(at + 1);
    }
    return at + 1;
  }

  #object(branch: Branch | undefined, hash: boolean, from: number): number {
    const bytes = this.#bytes;
    /** Behind the last member that stays; -1: none does so far. */
    let kept = -1;
    let at = this.#space(from + 1);
    while (at < this.#to && bytes[at] === QUOTE) {
      const behindName = this.#string(at + 1);
      const child = branch && childOf(branch, bytes, at + 1, behindName - 1);
      at = this.#space(this.#space(behindName) + 1);
      if (child?.drop) {
        const end = this.#skip(at);
        // A comma stays between two members that stay: the one behind, or for the first members none.
        this.#flush(kept < 0 ? from + 1 : kept);
        at = this.#space(end);
        if (bytes[at] === COMMA) at = this.#space(at + 1);
        this.#done = kept < 0 ? at : end;
        continue;
      }
      kept = this.#value(child, hash || child?.hash === true, at);
      at = this.#space(kept);
      if (bytes[at] === COMMA) at = this.#space(at + 1);
    }
    return at + 1;
  }

  /** Copies the source up to a place, unless it is done already. */
  #flush(to: number): void {
    const length = to - this.#done;
    if (length <= 0) return;
    this.#room(length).set(this.#bytes.subarray(this.#done, to), this.#length);
    this.#length += length;
    this.#done = to;
  }

  #quote(text: string): void {
    this.#length += this.#room(text.length + 2).write(`"${text}"`, this.#length, 'latin1');
  }

  #room(bytes: number): Buffer {
    if (this.#output.length - this.#length < bytes) {
      const larger = Buffer.allocUnsafe((this.#length + bytes) * 2);
      larger.set(this.#output.subarray(0, this.#length));
      this.#output = larger;
    }
    return this.#output;
  }

  /** The place behind a value. */
  #skip(from: number): number {
    const bytes = this.#bytes;
    const first = bytes[from] as number;
    if (first === QUOTE) return this.#string(from + 1);
    let at = from;
    if (first !== OPEN_BRACE && first !== OPEN_BRACKET) {
      while (at < this.#to && ENDS_SCALAR[bytes[at] as number] === 0) at++;
      return at;
    }
    let depth = 0;
    while (at < this.#to) {
      const byte = bytes[at++] as number;
      if (byte === QUOTE) at = this.#string(at);
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
      else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) return at;
    }
    return at;
  }

  /** @param from the place behind the opening quote @returns the place behind the closing one */
  #string(from: number): number {
    const bytes = this.#bytes;
    let at = from;
    while (at < this.#to) {
      const byte = bytes[at++];
      if (byte === QUOTE) return at;
      if (byte === BACKSLASH) at++;
    }
    return this.#to;
  }

  /** The place of the next byte that is not white space. */
  #space(from: number): number {
    let at = from;
    while (at < this.#to && (this.#bytes[at] as number) <= SPACE) at++;
    return at;
  }
}

/** A name of a path, with the names behind it. */
interface Branch {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly branches: Branch[];
  drop: boolean;
  hash: boolean;
}

const EMPTY = new Uint8Array(0);
/** Room for some dozens of records; it grows. */
const FIRST_OUTPUT = 64 * 1024;
const CLOSE_BRACE = 0x7d;
const CLOSE_BRACKET = 0x5d;
/** No smaller byte than a space stands between the parts of an object. */
const SPACE = 0x20;
/** Bytes that end a number or a literal. */
const ENDS_SCALAR = new Uint8Array(256);
for (const byte of Buffer.from(' \t\r\n,]}')) ENDS_SCALAR[byte] = 1;

function newBranch(name: string): Branch {
  return { name, bytes: Buffer.from(name), branches: [], drop: false, hash: false };
}

function branchOf(root: Branch, path: string): Branch {
  let branch = root;
  for (const name of path.split('.')) {
    let next = branch.branches.find((each) => each.name === name);
    if (!next) {
      next = newBranch(name);
      branch.branches.push(next);
    }
    branch = next;
  }
  return branch;
}

/** The branch of a name; `from` and `to` are within its quotes. P2 */
function childOf(branch: Branch, bytes: Uint8Array, from: number, to: number): Branch | undefined {
  for (const each of branch.branches) if (isSame(bytes, from, to, each.bytes)) return each;
  let at = from;
  while (at < to && bytes[at] !== BACKSLASH) at++;
  if (at === to) return undefined;
  const name = JSON.parse(Buffer.from(bytes.subarray(from - 1, to + 1)).toString('utf8')) as string;
  return branch.branches.find((each) => each.name === name);
}

function isSame(bytes: Uint8Array, from: number, to: number, name: Uint8Array): boolean {
  if (to - from !== name.length) return false;
  for (let at = 0; at < name.length; at++) if (bytes[from + at] !== name[at]) return false;
  return true;
}
