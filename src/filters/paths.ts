import { BACKSLASH, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from '../records/scalars.ts';
import { compareText, newText, readText } from './text.ts';

/**
 * Finds the values of a few paths in the bytes of a record, in one pass, without decoding it. The record is well-formed
 * JSON: it was checked when it was stored.
 *
 *  P1  If a name appears twice in an object, the last one counts, as in `JSON.parse`.
 *  P2  Where a path meets an array, it goes on in each of the array's elements.
 *  P3  The time is linear in the length of the record.
 */

/** Values of one path: the places of their first byte and of the byte behind them. An object is a value too. */
export class PathValues {
  count = 0;
  starts = new Int32Array(4);
  ends = new Int32Array(4);

  add(start: number, end: number): void {
    if (this.count === this.starts.length) {
      this.starts = larger(this.starts);
      this.ends = larger(this.ends);
    }
    this.starts[this.count] = start;
    this.ends[this.count++] = end;
  }
}

function larger(places: Int32Array): Int32Array<ArrayBuffer> {
  const more = new Int32Array(places.length * 2);
  more.set(places);
  return more;
}

/** A name of a path, with the names below it. */
interface Branch {
  readonly name: Uint8Array;
  readonly branches: Branch[];
  /** The values, if a path ends here. */
  values: PathValues | undefined;
  /** The values of all paths that begin with this one. */
  readonly all: PathValues[];
  /** The object in which the name was last seen, and how many values each of `all` had before it. */
  seenIn: number;
  readonly marks: number[];
}

const QUOTED = 1;
const OPENS = 2;
const CLOSES = 3;
/** The effect of a byte outside of strings when a value is skipped. */
const ROLE = new Uint8Array(256);
ROLE[QUOTE] = QUOTED;
for (const byte of Buffer.from('{[')) ROLE[byte] = OPENS;
for (const byte of Buffer.from('}]')) ROLE[byte] = CLOSES;
/** Bytes of a string that mean themselves. */
const PLAIN = new Uint8Array(256).fill(1);
PLAIN[QUOTE] = 0;
PLAIN[BACKSLASH] = 0;
/** No smaller byte than a space stands between the parts of an object. */
const SPACE = 0x20;
/** Bytes that end a number or a literal. */
const ENDS_SCALAR = new Uint8Array(256);
for (const byte of Buffer.from(' \t\r\n,]}')) ENDS_SCALAR[byte] = 1;

const text = newText();

export class PathReader {
  readonly #root = branchOf('');
  readonly #found: PathValues[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #objects = 0;

  /** Adds a path of names; the values that it returns are filled by each `read`. */
  add(names: readonly string[]): PathValues {
    const way: Branch[] = [];
    let branch = this.#root;
    for (const name of names) {
      const bytes = Buffer.from(name);
      let next = branch.branches.find((each) => bytes.equals(each.name));
      if (!next) {
        next = branchOf(name);
        branch.branches.push(next);
      }
      branch = next;
      way.push(branch);
    }
    if (branch.values) return branch.values;
    const values = new PathValues();
    branch.values = values;
    this.#found.push(values);
    for (const each of way) each.all.push(values);
    return values;
  }

  /** @param from the place of the first byte of a record, or of white space before it */
  read(bytes: Buffer, from: number): void {
    for (const values of this.#found) values.count = 0;
    this.#bytes = bytes;
    this.#value(this.#root, this.#space(from));
  }

  #value(branch: Branch, from: number): number {
    const first = this.#bytes[from] as number;
    if (first === OPEN_BRACKET) {
      let at = this.#space(from + 1);
      while (at < this.#bytes.length && this.#bytes[at] !== OPEN_BRACKET + 2) {
        at = this.#space(this.#value(branch, at));
        if (this.#bytes[at] === COMMA) at = this.#space(at + 1);
      }
      return at + 1;
    }
    const to =
      first === OPEN_BRACE && branch.branches.length > 0 ? this.#object(branch, from) : this.#skip(from);
    branch.values?.add(from, to);
    return to;
  }

  #object(branch: Branch, from: number): number {
    const bytes = this.#bytes;
    const object = ++this.#objects;
    let at = this.#space(from + 1);
    while (bytes[at] === QUOTE) {
      let end = at + 1;
      while (PLAIN[bytes[end] as number] === 1) end++;
      const escaped = bytes[end] !== QUOTE;
      if (escaped) end = afterString(bytes, end) - 1;
      const next = nextBranch(branch.branches, bytes, at + 1, end, escaped);
      at = this.#space(this.#space(end + 1) + 1);
      if (next) {
        // P1: values of an earlier occurrence in the same object do not count.
        if (next.seenIn === object) forget(next);
        else {
          remember(next);
          next.seenIn = object;
        }
        at = this.#value(next, at);
      } else at = this.#skip(at);
      if ((bytes[at] as number) <= SPACE) at = this.#space(at);
      if (bytes[at] === COMMA) at = this.#space(at + 1);
    }
    return at + 1;
  }

  /** The place behind a value. */
  #skip(from: number): number {
    const bytes = this.#bytes;
    const first = bytes[from] as number;
    if (first === QUOTE) return afterString(bytes, from + 1);
    let at = from + 1;
    if (first !== OPEN_BRACE && first !== OPEN_BRACKET) {
      while (at < bytes.length && ENDS_SCALAR[bytes[at] as number] === 0) at++;
      return at;
    }
    for (let depth = 1; depth > 0 && at < bytes.length; ) {
      const role = ROLE[bytes[at++] as number];
      if (role === 0) continue;
      if (role === QUOTED) {
        while (PLAIN[bytes[at] as number] === 1) at++;
        at = bytes[at] === QUOTE ? at + 1 : afterString(bytes, at);
      } else depth += role === OPENS ? 1 : -1;
    }
    return at;
  }

  /** The place of the next byte that is not white space. */
  #space(from: number): number {
    let at = from;
    while ((this.#bytes[at] as number) <= SPACE) at++;
    return at;
  }
}

function branchOf(name: string): Branch {
  return { name: Buffer.from(name), branches: [], values: undefined, all: [], seenIn: 0, marks: [] };
}

function remember({ all, marks }: Branch): void {
  for (let at = 0; at < all.length; at++) marks[at] = (all[at] as PathValues).count;
}

function forget({ all, marks }: Branch): void {
  for (let at = 0; at < all.length; at++) (all[at] as PathValues).count = marks[at] as number;
}

/** The branch of a name; `from` and `to` are within its quotes. */
function nextBranch(
  branches: readonly Branch[],
  bytes: Buffer,
  from: number,
  to: number,
  escaped: boolean,
): Branch | undefined {
  if (escaped) {
    readText(bytes, from, to, text);
    return branches.find(({ name }) => compareText(text, name) === 0);
  }
  for (const branch of branches) if (same(bytes, from, to, branch.name)) return branch;
  return undefined;
}

function same(bytes: Uint8Array, from: number, to: number, name: Uint8Array): boolean {
  if (to - from !== name.length) return false;
  for (let at = 0; at < name.length; at++) if (bytes[from + at] !== name[at]) return false;
  return true;
}

/** @param from the place behind the opening quote @returns the place behind the closing one */
function afterString(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length) {
    const byte = bytes[at++];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at++;
  }
  return at;
}
