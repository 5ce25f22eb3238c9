import { isUtf8 } from 'node:buffer';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { examineRecord } from './examine.ts';
import { RecordIndexBuilder } from './record-index.ts';
import type { RecordReader } from './record-reader.ts';
import { COMMA, OPEN_BRACE, OPEN_BRACKET, SPACE, SPACE_IN_LINE } from './scalars.ts';
import { LineCounter, syntaxFault } from './syntax-fault.ts';

/**
 * Reads a request body: finds its records, validates them, and makes the index that a block needs.
 *
 *   array   = [ BOM ] ws ( "[" [ record *( "," record ) ] "]" | record ) ws       one record alone is taken too
 *   ndjson  = [ BOM ] *( [ record ] *( space | tab | CR ) LF )                    the last LF may be missing
 *
 * A line is well formed or not by itself. In an array a syntax fault makes everything behind it unreadable, so there the
 * whole body is at fault.
 */
export type BodyFormat = 'array' | 'ndjson';

/** One invalid record. `index` counts the records of the body from 0, blank lines not. */
export interface RecordFault {
  readonly index: number;
  /** A JSON pointer into the record, e.g. `/organisation/id`; empty for the record as a whole. */
  readonly path: string;
  readonly message: string;
}

export interface ScannedBody {
  /** The valid records, by their places in the body. */
  readonly columns: RecordIndexBuilder;
  /** Indexes in `columns`, ascending, of records with invalid ones right before them; the last may be `columns.count`. */
  readonly breaks: readonly number[];
  /** How many records are invalid, and the first MOST_FAULTS of them. */
  readonly invalid: number;
  readonly faults: readonly RecordFault[];
  /** Indexes of the invalid records, the first MOST_REJECTED of them. */
  readonly rejected: readonly number[];
  /** Whether the body itself is at fault, so that nothing of it should be used. The last fault says how. */
  readonly unreadable: boolean;
}

export const MOST_FAULTS = 20;
/**
 * So many invalid records can be named one by one: an answer then has a megabyte at most. A body with more of them is no
 * list of records with some mistakes, but something else.
 */
export const MOST_REJECTED = 100_000;
/** 256 KiB a record, as the API promises. */
export const LARGEST_RECORD = 256 * 1024;

/** A body is read in slices of this, some milliseconds each, and others get their turn in between. */
const SLICE = 2 ** 20;
/** Records are seldom shorter than this; the columns grow if they are. */
const USUAL_RECORD = 512;

/** @param body is only read; it must not change until the promise resolves */
export async function scanBody(
  reader: RecordReader,
  body: Uint8Array,
  format: BodyFormat,
): Promise<ScannedBody> {
  const scan = new BodyScan(reader, body);
  const step = (until: number) => (format === 'ndjson' ? scan.lines(until) : scan.elements(until));
  while (!step(scan.at + SLICE)) await nextTurn();
  return scan;
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
const CLOSE_BRACKET = 0x5d;
const LINE_FEED = 0x0a;

class BodyScan implements ScannedBody {
  readonly columns: RecordIndexBuilder;
  readonly breaks: number[] = [];
  readonly faults: RecordFault[] = [];
  readonly rejected: number[] = [];
  invalid = 0;
  unreadable = false;

  at: number;
  readonly #reader: RecordReader;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #length: number;
  readonly #utf8: boolean;
  readonly #lineCounter: LineCounter;
  #started = false;

  constructor(reader: RecordReader, body: Uint8Array) {
    this.#reader = reader;
    this.#bytes = body;
    this.#view = new DataView(body.buffer, body.byteOffset, body.length);
    this.#length = body.length;
    this.#utf8 = isUtf8(body);
    this.#lineCounter = new LineCounter(body);
    this.columns = new RecordIndexBuilder(reader.kind, Math.ceil(body.length / USUAL_RECORD));
    this.at = BYTE_ORDER_MARK.every((byte, i) => body[i] === byte) ? BYTE_ORDER_MARK.length : 0;
  }

  /** Reads the elements of an array that start before `until`. Returns whether the end was reached. */
  elements(until: number): boolean {
    const bytes = this.#bytes;
    const end = this.#length;
    if (!this.#started) {
      this.#started = true;
      const first = this.#skip(SPACE);
      if (first === OPEN_BRACE) {
        if (this.#element()) this.#finish();
        return true;
      }
      if (first !== OPEN_BRACKET)
        return this.#stop('the body must be a JSON array of records, or one record');
      this.at++;
      if (this.#skip(SPACE) === CLOSE_BRACKET) {
        this.at++;
        return this.#finish();
      }
    }
    while (this.at < until) {
      if (!this.#element()) return true;
      const next = this.#skip(SPACE);
      if (next !== COMMA && next !== CLOSE_BRACKET) return this.#stop();
      this.at++;
      if (next === CLOSE_BRACKET) return this.#finish();
      while (this.at < end && SPACE[bytes[this.at] as number] === 1) this.at++;
    }
    return false;
  }

  /** Reads the lines that start before `until`. Returns whether the end was reached. */
  lines(until: number): boolean {
    const end = this.#length;
    while (this.at < until) {
      this.#skip(SPACE);
      if (this.at >= end) return true;
      const start = this.at;
      const behind = this.#reader.read(this.#bytes, this.#view, start, end, false);
      if (behind < 0) {
        const { faultAt, tooDeep } = this.#reader.scan;
        this.#reject(() => this.#syntax(faultAt, tooDeep, 'line'));
        this.#toNextLine(faultAt);
        continue;
      }
      this.at = behind;
      const next = this.#skip(SPACE_IN_LINE);
      if (this.at < end && next !== LINE_FEED) {
        const { at } = this;
        this.#reject(() => this.#syntax(at, false, 'line'));
        this.#toNextLine(at);
        continue;
      }
      this.#take(start, behind);
      this.at++;
    }
    return this.at >= end;
  }

  /** Reads one element of an array; false if the body cannot be read on. */
  #element(): boolean {
    const start = this.at;
    const behind = this.#reader.read(this.#bytes, this.#view, start, this.#length, true);
    if (behind < 0) {
      const { faultAt, tooDeep } = this.#reader.scan;
      this.at = faultAt;
      this.#stop(this.#syntax(faultAt, tooDeep, 'body').message);
      return false;
    }
    this.#take(start, behind);
    this.at = behind;
    return true;
  }

  /** Decides on a well-formed value. */
  #take(start: number, end: number): void {
    const { scan, kind } = this.#reader;
    const { columns } = this;
    if (end - start > LARGEST_RECORD) {
      const message = `the record has ${end - start} bytes; the limit is ${LARGEST_RECORD}`;
      this.#reject(() => ({ path: '', message }));
    } else if (!this.#utf8 && !isUtf8(this.#bytes.subarray(start, end))) {
      this.#reject(() => ({ path: '', message: 'the record is not valid UTF-8' }));
    } else if (scan.valid) {
      const { low, high } = scan.endpoint;
      columns.add(start, end, scan.organisation, scan.eventType, scan.alert, low, high);
    } else if (scan.unusual) {
      const examined = examineRecord(kind, this.#bytes.subarray(start, end));
      if (examined.type === 'invalid') this.#reject(() => examined.fault);
      else {
        const { organisation, eventType, alert, endpoint } = examined;
        columns.add(start, end, organisation, eventType, alert, endpoint.low, endpoint.high);
      }
    } else {
      this.#reject(() => {
        const examined = examineRecord(kind, this.#bytes.subarray(start, end));
        if (examined.type === 'invalid') return examined.fault;
        throw new Error(`two readings of the record at byte ${start} differ`);
      });
    }
  }

  #reject(describe: () => { path: string; message: string }): void {
    const { columns, breaks, faults } = this;
    // What stands before the first valid record is between no two.
    if (columns.count > 0 && breaks.at(-1) !== columns.count) breaks.push(columns.count);
    if (faults.length < MOST_FAULTS) faults.push({ index: this.#index, ...describe() });
    if (this.rejected.length < MOST_REJECTED) this.rejected.push(this.#index);
    this.invalid++;
  }

  get #index(): number {
    return this.columns.count + this.invalid;
  }

  /** Gives the body up at the present place. */
  #stop(message = this.#syntax(this.at, false, 'body').message): true {
    this.unreadable = true;
    if (this.faults.length === MOST_FAULTS) this.faults.pop();
    this.faults.push({ index: this.#index, path: '', message });
    this.invalid++;
    return true;
  }

  /** Nothing but white space may follow. */
  #finish(): true {
    this.#skip(SPACE);
    return this.at < this.#length ? this.#stop() : true;
  }

  /** Steps over white space; returns the byte behind it, 0 at the end. */
  #skip(space: Uint8Array): number {
    const bytes = this.#bytes;
    let { at } = this;
    while (at < this.#length && space[bytes[at] as number] === 1) at++;
    this.at = at;
    return at < this.#length ? (bytes[at] as number) : 0;
  }

  #toNextLine(from: number): void {
    const lineFeed = this.#bytes.indexOf(LINE_FEED, from);
    this.at = lineFeed < 0 ? this.#length : lineFeed + 1;
  }

  #syntax(at: number, tooDeep: boolean, unit: 'line' | 'body'): { path: string; message: string } {
    return { path: '', message: syntaxFault(this.#bytes, at, tooDeep, unit, this.#lineCounter) };
  }
}
