import { NONE, type RecordScan, takeScalar } from './required-fields.ts';
import { afterScalar } from './scalars.ts';
import { MOST_PLACES, type Places } from './scan-value.ts';

/**
 * The shapes of earlier records. A producer prints its records in few ways: the same names in the same order with the same
 * white space, only the values differ. So the bytes between two values (for example `,"end_timestamp":`) are known in
 * advance. Comparing them four at a time takes half the time of reading them.
 *
 *   shape   = segment *( scalar segment )          the last segment closes the record
 *
 * Shapes form a tree: a node is a segment; its children are the segments that followed its scalar in earlier records. At
 * most one child fits a record: the path from the root determines the objects and arrays around the place, and a scalar
 * must follow each segment. If the tree has all segments of a record and its scalars are well formed, then the record is
 * well formed and has the same names in the same places. Only the values of the required fields remain to be checked.
 * `scanValue` reads any other record; if it is valid, the tree learns its shape.
 */
export class Shapes {
  readonly #pool = new DataView(new ArrayBuffer(POOL));
  #pooled = 0;
  /** The nodes, WIDTH numbers each. Node 0 is the root, which has only children. */
  readonly #nodes = new Int32Array(NODES * WIDTH);
  #used = WIDTH;
  /** Records without a known shape since the tree was last cleared. */
  #missed = 0;
  /** The count of such records at which the next one is learnt. */
  #learnAt = 0;
  #rest = 1;

  /**
   * Reads a record if its shape is known.
   * @returns the place after it, with the index's values in `scan`; -1 if `scanValue` must read it
   */
  match(scan: RecordScan, bytes: Uint8Array, view: DataView, from: number, to: number): number {
    const nodes = this.#nodes;
    const pool = this.#pool;
    let at = from;
    let node = 0;
    scan.clearOptional();
    for (;;) {
      node = nodes[node + CHILD] as number;
      for (;;) {
        if (node === 0) return -1;
        const length = nodes[node + LENGTH] as number;
        const behind = at + length;
        if (behind <= to && sameBytes(view, at, pool, nodes[node + START] as number, length)) {
          const field = nodes[node + FIELD] as number;
          if (field === CLOSES) {
            scan.valid = true;
            scan.unusual = false;
            return behind;
          }
          const end = behind < to ? afterScalar(bytes, view, behind, to) : -1;
          if (end >= 0) {
            if (field !== NONE && !takeScalar(scan, field, bytes, behind, end)) return -1;
            at = end;
            break;
          }
        }
        node = nodes[node + NEXT] as number;
      }
    }
  }

  /** Learns the shape of the valid record from `from` to `to`, whose scalars are at `places`. */
  learn(view: DataView, places: Places, from: number, to: number): void {
    this.#missed++;
    if (this.#missed < this.#learnAt) return;
    const learnt = this.#add(view, places, from, to);
    // If records share no shape, or have more shapes than fit, learning must stay cheap.
    this.#rest = learnt ? 1 : Math.min(this.#rest * 2, LONGEST_REST);
    this.#learnAt = this.#missed + this.#rest;
  }

  #add(view: DataView, places: Places, from: number, to: number): boolean {
    const { values, count } = places;
    if (count > MOST_PLACES) return false;
    let node = 0;
    let at = from;
    for (let place = 0; place < count * 3; place += 3) {
      const field = values[place + 2] as number;
      node = this.#childOf(node, view, at, values[place] as number, field);
      if (node === 0) return false;
      at = values[place + 1] as number;
    }
    return this.#childOf(node, view, at, to, CLOSES) !== 0;
  }

  /** The node for the segment from `from` to `to` after a node; creates it if necessary. 0 if the tree is full. */
  #childOf(parent: number, view: DataView, from: number, to: number, field: number): number {
    const nodes = this.#nodes;
    const length = to - from;
    let siblings = 0;
    let slot = parent + CHILD;
    for (; nodes[slot] !== 0; slot = (nodes[slot] as number) + NEXT) {
      const node = nodes[slot] as number;
      const start = nodes[node + START] as number;
      if (nodes[node + LENGTH] === length && sameBytes(view, from, this.#pool, start, length)) return node;
      siblings++;
    }
    if (siblings === MOST_SIBLINGS) return 0;
    if (this.#used === nodes.length || this.#pooled + length > POOL) {
      this.#clear();
      return 0;
    }
    for (let i = 0; i < length; i++) {
      const byte = view.getUint8(from + i);
      // If line feeds end a record, a shape with a line feed must not match; so no shape contains one.
      if (byte === LINE_FEED) return 0;
      this.#pool.setUint8(this.#pooled + i, byte);
    }
    const node = this.#used;
    nodes[node + START] = this.#pooled;
    nodes[node + LENGTH] = length;
    nodes[node + FIELD] = field;
    nodes[node + CHILD] = 0;
    nodes[node + NEXT] = 0;
    nodes[slot] = node;
    this.#used += WIDTH;
    this.#pooled += length;
    return node;
  }

  /** Clears the tree after old shapes have kept new ones out for long enough. */
  #clear(): void {
    if (this.#missed < CLEAR_AFTER) return;
    this.#nodes.fill(0, 0, WIDTH);
    this.#used = WIDTH;
    this.#pooled = 0;
    this.#missed = 0;
    this.#learnAt = 0;
  }
}

const START = 0;
const LENGTH = 1;
const FIELD = 2;
const CHILD = 3;
const NEXT = 4;
const WIDTH = 5;
/** Replaces a field: the segment closes the record. */
const CLOSES = -1;

/** Room for some hundred shapes that share most of their segments. 40 KiB and 64 KiB fit the processor's cache. */
const NODES = 2048;
const POOL = 64 * 1024;
/** Names that are data (`{"<uuid>": …}`) would make a long list, which every record would search. */
const MOST_SIBLINGS = 16;
/** Records without a known shape before a full tree is cleared: so rare that clearing costs nothing. */
const CLEAR_AFTER = 50_000;
/** Learning costs about two readings; once in 256 records that is under one percent. */
const LONGEST_REST = 256;
const LINE_FEED = 0x0a;

function sameBytes(a: DataView, atA: number, b: DataView, atB: number, length: number): boolean {
  const last = length - 4;
  if (last < 0) {
    for (let i = 0; i < length; i++) if (a.getUint8(atA + i) !== b.getUint8(atB + i)) return false;
    return true;
  }
  for (let i = 0; i < last; i += 4) if (a.getInt32(atA + i, true) !== b.getInt32(atB + i, true)) return false;
  // The last four bytes; some of them may have been compared before.
  return a.getInt32(atA + last, true) === b.getInt32(atB + last, true);
}
