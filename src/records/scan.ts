import { isUtf8 } from 'node:buffer';
import { nextSlice } from '../lib/slices.ts';
import { examineRecord } from './examine.ts';
import { RecordIndexBuilder } from './record-index.ts';
import type { RecordReader } from './record-reader.ts';
import { COMMA, OPEN_BRACE, OPEN_BRACKET, SPACE, SPACE_IN_LINE } from './scalars.ts';
import { LineCounter, syntaxFault } from './syntax-fault.ts';

/**
 * Reads a request body: finds its records, validates them, and builds the index of a block.
 *
 *   array   = [ BOM ] ws ( "[" [ record *( "," record ) ] "]" | record ) ws       a single record is accepted too
 *   ndjson  = [ BOM ] *( [ record ] *( space | tab | CR ) LF )                    the last LF may be missing
 *
 * Each line is well formed or not on its own. In an array, a syntax fault makes everything after it unreadable, so the
 * whole body is at fault.
 */
export type BodyFormat = 'array' | 'ndjson';

/** One invalid record. `index` counts the records of the body from 0, without blank lines. */
export interface RecordFault {
  readonly index: number;
  /** A JSON pointer into the record, for example `/organisation/id`; empty for the whole record. */
  readonly path: string;
  readonly message: string;
}

export interface ScannedBody {
  /** The valid records, as places in the body. */
  readonly columns: RecordIndexBuilder;
  /** Indexes in `columns`, ascending, of the records that follow an invalid one; the last may be `columns.count`. */
  readonly breaks: readonly number[];
  /** The number of invalid records, and the first MOST_FAULTS of them. */
  readonly invalid: number;
  readonly faults: readonly RecordFault[];
  /** Indexes of the invalid records, the first MOST_REJECTED of them. */
  readonly rejected: readonly number[];
  /** Whether the body itself is at fault: none of it may be used. The last fault gives the reason. */
  readonly unreadable: boolean;
}

export const MOST_FAULTS = 20;
/**
 * An answer names at most this many invalid records one by one, and has at most a megabyte. A body with more of them
 * is probably not a list of records at all.
 */
export const MOST_REJECTED = 100_000;
/** 256 KiB a record, as the API promises. */
export const LARGEST_RECORD = 256 * 1024;

/**
 * A body is read in slices of this size, some milliseconds each. Of all bodies one slice is read in a turn of the event loop. No single
 * record and no run of white space is read any further either.
 */
export const SLICE = 2 ** 20;
/** A fault of a value that was cut may stand at its beginning: of a number, or a word such as `false`. */
const LONGEST_TOKEN = LARGEST_RECORD;
/** Records of a slice that are tiny, such as `{}`: for each of them a thousand bytes could be read. */
const SLICE_RECORDS = 10_000;
/** Records are seldom shorter than this; if they are, the columns grow. */
const USUAL_RECORD = 512;

/** @param body must not change until the promise resolves */
export async function scanBody(
  reader: RecordReader,
  body: Uint8Array,
  format: BodyFormat,
): Promise<ScannedBody> {
  const scan = new BodyScan(reader, body);
  const step = (until: number) => (format === 'ndjson' ? scan.lines(until) : scan.elements(until));
  while (!step(scan.at + SLICE)) await nextSlice();
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
  #finished = false;

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

  /** Reads the elements of an array that start before `until`, but not too many. Returns whether the end was reached. */
  elements(until: number): boolean {
    if (this.#finished) return this.#finish();
    if (!this.#started) {
      this.#started = true;
      const first = this.#skip(SPACE);
      if (first === OPEN_BRACE) {
        return this.#element() ? this.#finish() : true;
      }
      if (first !== OPEN_BRACKET)
        return this.#stop('the body must be a JSON array of records, or one record');
      this.at++;
      if (this.#skip(SPACE) === CLOSE_BRACKET) {
        this.at++;
        return this.#finish();
      }
    }
    const last = this.#index + SLICE_RECORDS;
    while (this.at < until && this.#index < last) {
      if (!this.#element()) return true;
      const next = this.#skip(SPACE);
      if (next !== COMMA && next !== CLOSE_BRACKET) return this.#stop();
      this.at++;
      if (next === CLOSE_BRACKET) return this.#finish();
      this.#skip(SPACE);
    }
    return false;
  }

  /** Reads the lines that start before `until`, but not too many. Returns whether the end was reached. */
  lines(until: number): boolean {
    const end = this.#length;
    const last = this.#index + SLICE_RECORDS;
    while (this.at < until && this.#index < last) {
      this.#skip(SPACE);
      if (this.at >= end) return true;
      if (this.at >= until) return false;
      const start = this.at;
      const behind = this.#reader.read(this.#bytes, this.#view, start, Math.min(end, start + SLICE), false);
      if (behind < 0) {
        const { faultAt, tooDeep } = this.#reader.scan;
        if (start + SLICE < end) {
          this.#toNextLine(start);
          if (this.at - start > SLICE) {
            this.#tooLarge(this.at - start);
            continue;
          }
        }
        this.#reject(() => this.#syntax(faultAt, tooDeep, 'line'));
        this.#toNextLine(faultAt);
        continue;
      }
      this.at = behind;
      const next = this.#skip(SPACE_IN_LINE);
      if (this.at < end && next !== LINE_FEED) {
        const { at } = this;
        this.#reject(() => ({ path: '', message: this.#junk(at, 'line') }));
        this.#toNextLine(at);
        continue;
      }
      this.#take(start, behind);
      this.at++;
    }
    return this.at >= end;
  }

  /** Reads one element of an array; false if the rest of the body cannot be read. */
  #element(): boolean {
    const start = this.at;
    const most = start + SLICE;
    const behind = this.#reader.read(this.#bytes, this.#view, start, Math.min(this.#length, most), true);
    if (behind < 0) {
      const { faultAt, tooDeep } = this.#reader.scan;
      if (most < this.#length && faultAt >= most - LONGEST_TOKEN) {
        const message = `the record has more than ${SLICE} bytes; the limit is ${LARGEST_RECORD}. Records behind it are not read`;
        this.#stop(message);
        return false;
      }
      this.at = faultAt;
      this.#stop(this.#syntax(faultAt, tooDeep, 'body').message);
      return false;
    }
    this.#take(start, behind);
    this.at = behind;
    return true;
  }

  /** Accepts or rejects a well-formed value. */
  #take(start: number, end: number): void {
    const { scan, kind } = this.#reader;
    const { columns } = this;
    if (end - start > LARGEST_RECORD) this.#tooLarge(end - start);
    else if (!this.#utf8 && !isUtf8(this.#bytes.subarray(start, end))) {
      this.#reject(() => ({ path: '', message: 'the record is not valid UTF-8' }));
    } else if (scan.valid) {
      const { low, high } = scan.endpoint;
      columns.add(start, end, scan.organisation, scan.eventType, scan.alert, low, high);
      if (!scan.events) columns.addAmounts(scan.amounts);
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

  #tooLarge(bytes: number): void {
    const message = `the record has ${bytes} bytes; the limit is ${LARGEST_RECORD}`;
    this.#reject(() => ({ path: '', message }));
  }

  #reject(describe: () => { path: string; message: string }): void {
    const { columns, breaks, faults } = this;
    // Invalid records before the first valid one are not between two valid ones.
    if (columns.count > 0 && breaks.at(-1) !== columns.count) breaks.push(columns.count);
    if (faults.length < MOST_FAULTS) faults.push({ index: this.#index, ...describe() });
    if (this.rejected.length < MOST_REJECTED) this.rejected.push(this.#index);
    this.invalid++;
  }

  get #index(): number {
    return this.columns.count + this.invalid;
  }

  /** Stops reading the body at the current place. */
  #stop(message = this.#junk(this.at, 'body')): true {
    this.unreadable = true;
    if (this.faults.length === MOST_FAULTS) this.faults.pop();
    this.faults.push({ index: this.#index, path: '', message });
    this.invalid++;
    return true;
  }

  /** Only white space may follow, of any length. Returns whether the end was reached. */
  #finish(): boolean {
    this.#finished = true;
    const next = this.#skip(SPACE);
    if (this.at >= this.#length) return true;
    return SPACE[next] === 1 ? false : this.#stop();
  }

  /** Skips white space, a slice at most; returns the byte after it, 0 at the end. */
  #skip(space: Uint8Array): number {
    const bytes = this.#bytes;
    let { at } = this;
    const end = Math.min(this.#length, at + SLICE);
    while (at < end && space[bytes[at] as number] === 1) at++;
    this.at = at;
    return at < this.#length ? (bytes[at] as number) : 0;
  }

  #toNextLine(from: number): void {
    const lineFeed = this.#bytes.indexOf(LINE_FEED, from);
    this.at = lineFeed < 0 ? this.#length : lineFeed + 1;
  }

  /** Says what stands where a record or the end should be: white space, if it goes on for more than a slice. */
  #junk(at: number, unit: 'line' | 'body'): string {
    if (SPACE[this.#bytes[at] as number] === 1) return `more than ${SLICE} bytes of white space in a row`;
    return this.#syntax(at, false, unit).message;
  }

  #syntax(at: number, tooDeep: boolean, unit: 'line' | 'body'): { path: string; message: string } {
    return { path: '', message: syntaxFault(this.#bytes, at, tooDeep, unit, this.#lineCounter) };
  }
}
