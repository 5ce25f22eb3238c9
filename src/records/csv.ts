import type { Block, RecordKind } from './block.ts';
import { type Column, CSV_COLUMNS, CSV_EXTRAS, EXTRA_COLUMNS, type ExtraColumn } from './csv-columns.ts';
import { beginsFormula, type CsvDialect, STANDARD_CSV, textOfCell, timeOfCell } from './csv-dialect.ts';
import { compileFields, decimal, textAt } from './fields.ts';

/**
 * Records as CSV, in the columns of csv-columns.ts.
 *
 *   file   = header row …
 *   header = cell ("," cell) … "\n"
 *   row    = [cell] ("," [cell]) … "\n"      a null or missing field leaves nothing between the commas
 *   cell   = '"' text '"'                    with each '"' in the text doubled; so an empty text differs from null
 *
 * A number is the record's literal in plain notation. It never becomes a binary floating-point number. Volumes have at
 * least 6 decimals and costs at least 10; further digits stay. Booleans are `true` and `false`. Timestamps stay as the
 * producer sent them. A dialect (csv-dialect.ts) changes how texts and times are written. Every dialect drops NUL.
 */
interface CsvTable {
  /** The names of the columns, in order. */
  readonly columns: readonly string[];
  /** The header, once at the top of each file. */
  readonly header: Uint8Array;
  /** The rows of the records `from` (included) to `to` (excluded) of a block, each with its line end. */
  rows(block: Block, from: number, to: number): Uint8Array;
}

/** @param extra columns to append; a column that the kind already has is not repeated */
export function csvTable(
  kind: RecordKind,
  extra: readonly ExtraColumn[] = [],
  dialect: CsvDialect = STANDARD_CSV,
): CsvTable {
  const wanted = EXTRA_COLUMNS.filter((name) => extra.includes(name)).map((name) => CSV_EXTRAS[kind][name]);
  const columns = [...CSV_COLUMNS[kind], ...wanted.filter((one) => one !== undefined)];
  const names = columns.map(({ name }) => name);
  return {
    columns: names,
    header: Buffer.from(`${names.map((name) => `"${name}"`).join(',')}\n`),
    rows: rowWriter(columns, dialect),
  };
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const LINE_END = 0x0a;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
const LETTER_N = 0x6e;
const LETTER_U = 0x75;
const ZERO = 0x30;
const SPACE = 0x20;

/** The most bytes of a cell beyond twice its literal: quotes, comma, and zeros that decimals and exponents add. */
const ROOM_OF_CELL = 160;
/** Rows are shorter than their records: a block's rows rarely need more than the size of its payload plus this. */
const SPARE = 64 * 1024;

interface Cell extends Column {
  /** Indexes of the column's paths among the fields of the reader. */
  readonly slots: readonly number[];
}

function rowWriter(columns: readonly Column[], dialect: CsvDialect): CsvTable['rows'] {
  const paths = columns.flatMap((one) => one.paths);
  const reader = compileFields(paths);
  let next = 0;
  const cells: Cell[] = columns.map((one) => ({ ...one, slots: one.paths.map(() => next++) }));
  return (block, from, to) => {
    const payload = block.payload();
    const output = new Output(
      from < to ? (block.ends[to - 1] as number) - (block.starts[from] as number) : 0,
    );
    for (let index = from; index < to; index++) {
      const start = block.starts[index] as number;
      const end = block.ends[index] as number;
      output.reserve((end - start) * 2 + cells.length * ROOM_OF_CELL);
      const places = reader.read(payload, start, end);
      for (const cell of cells) writeCell(output, cell, payload, places, dialect);
      output.endRow();
    }
    return output.bytes();
  };
}

function writeCell(
  output: Output,
  cell: Cell,
  payload: Uint8Array,
  places: Int32Array,
  dialect: CsvDialect,
): void {
  for (const slot of cell.slots) {
    const from = places[slot * 2] as number;
    const to = places[slot * 2 + 1] as number;
    if (from < 0 || payload[from] === LETTER_N) continue;
    const first = payload[from];
    if (cell.decimals !== undefined) {
      output.text(decimal(textAt(payload, from, to) as string, cell.decimals));
    } else if (cell.json || first === OPEN_BRACE || first === OPEN_BRACKET) {
      output.json(payload, from, to, dialect.texts === 'athena');
    } else if (cell.time && dialect.times !== 'iso') {
      output.text(textOfCell(timeOfCell(textAt(payload, from, to) as string, dialect), dialect));
    } else if (first === QUOTE) {
      // A text without a backslash needs no change, except for a formula.
      if (has(payload, from, to, BACKSLASH) || (dialect.defuse && beginsFormula(payload[from + 1]))) {
        output.text(textOfCell(textAt(payload, from, to) as string, dialect));
      } else output.copy(payload, from + 1, to - 1);
    } else if (has(payload, from, to, 0x65) || has(payload, from, to, 0x45)) {
      // `true`, `false`, or a number with an exponent.
      output.text(textAt(payload, from, to) as string);
    } else {
      output.copy(payload, from, to);
    }
    break;
  }
  output.comma();
}

/** Whether the escape at this place is that of NUL. */
function isNul(bytes: Uint8Array, at: number): boolean {
  if (bytes[at + 1] !== LETTER_U) return false;
  for (let digit = at + 2; digit < at + 6; digit++) if (bytes[digit] !== ZERO) return false;
  return true;
}

function has(bytes: Uint8Array, from: number, to: number, byte: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] === byte) return true;
  return false;
}

class Output {
  #buffer: Buffer;
  #at = 0;

  constructor(expected: number) {
    this.#buffer = Buffer.allocUnsafe(expected + SPARE);
  }

  reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }

  /** A cell of bytes without a quote. */
  copy(bytes: Uint8Array, from: number, to: number): void {
    const buffer = this.#buffer;
    let at = this.#at;
    buffer[at++] = QUOTE;
    for (let next = from; next < to; next++) buffer[at++] = bytes[next] as number;
    buffer[at++] = QUOTE;
    this.#at = at;
  }

  text(text: string): void {
    this.#buffer[this.#at++] = QUOTE;
    this.#at += this.#buffer.write(text.includes('"') ? text.replaceAll('"', '""') : text, this.#at);
    this.#buffer[this.#at++] = QUOTE;
  }

  /**
   * A cell of JSON text. Drops the white space between tokens, so that a row is one line, and an escaped NUL.
   * @param doubled whether backslashes are doubled
   */
  json(bytes: Uint8Array, from: number, to: number, doubled: boolean): void {
    const buffer = this.#buffer;
    let at = this.#at;
    buffer[at++] = QUOTE;
    let inString = false;
    for (let next = from; next < to; next++) {
      const byte = bytes[next] as number;
      if (byte === BACKSLASH) {
        if (isNul(bytes, next)) {
          next += 5;
          continue;
        }
        // An escape is copied whole, so that its quote does not end the string.
        buffer[at++] = byte;
        if (doubled) buffer[at++] = byte;
        if (doubled && bytes[next + 1] === BACKSLASH) buffer[at++] = BACKSLASH;
        next++;
        if (bytes[next] === QUOTE) buffer[at++] = QUOTE;
        buffer[at++] = bytes[next] as number;
      } else if (byte === QUOTE) {
        inString = !inString;
        buffer[at++] = QUOTE;
        buffer[at++] = QUOTE;
      } else if (inString || byte > SPACE) {
        buffer[at++] = byte;
      }
    }
    buffer[at++] = QUOTE;
    this.#at = at;
  }

  comma(): void {
    this.#buffer[this.#at++] = COMMA;
  }

  /** Ends a row: the line feed replaces the comma after the last cell. */
  endRow(): void {
    this.#buffer[this.#at - 1] = LINE_END;
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#at);
  }
}
