import { type Block, recordBytes } from '../../records/block.ts';
import { csvTable, type ExtraColumn } from '../../records/csv.ts';
import type { CsvDialect } from '../../records/csv-dialect.ts';
import type { Format, RecordFile } from '../contract.ts';
import { prefixOf } from './key-prefix.ts';

/** The form of the records in a file. */
export interface FileForm {
  readonly format: Format;
  readonly gzip: boolean;
  /** Csv only. */
  readonly extraColumns: readonly ExtraColumn[];
  /** Csv only. */
  readonly dialect: CsvDialect;
  /** The beginning of file names, with its placeholders (key-prefix.ts). */
  readonly prefix: string;
}

export const CONTENT_TYPES = { Csv: 'text/csv; charset=utf-8', Json: 'application/x-ndjson' } as const;
const EXTENSIONS = { Csv: '.csv', Json: '.ndjson' } as const;

/** Bytes of records per conversion step: memory and the pauses of the event loop stay small. */
const PIECE = 256 * 1024;

const LINE_END = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;

/**
 * The key of a file's object, a function of the file's first record alone, so that a file that is stored again overwrites
 * itself. Names of one stream sort by time of arrival, and within a second by position.
 *
 *   key   = prefix ("events" | "cdr") "_" YYYYMMDD "_" HHmmss "_" stream id ["_replay-" replay id] "_" place (".csv" | ".ndjson") [".gz"]
 *   place = sequence "-" index / "test"                                     (a test record has no place)
 */
export function keyOf(file: RecordFile, { format, gzip, prefix }: FileForm): string {
  const time = new Date(file.firstArrivedAt).toISOString().replace(/[-:]/g, '');
  const kind = file.kind === 'usage' ? 'cdr' : 'events';
  const sequence = String(file.first.sequence).padStart(12, '0');
  const index = String(file.first.index).padStart(6, '0');
  const place = file.test ? 'test' : `${sequence}-${index}`;
  const name = [kind, time.slice(0, 8), time.slice(9, 15), ...streamAndReplay(file), place].join('_');
  return `${prefixOf(prefix, file)}${name}${EXTENSIONS[format]}${gzip ? '.gz' : ''}`;
}

/** A replay overwrites no file of the live flow: with filters of its own it may hold less than that. */
function streamAndReplay({ streamId, replay }: RecordFile): string[] {
  return replay === undefined ? [streamId] : [streamId, `replay-${replay}`];
}

/** The bytes of a file, piece by piece, before compression. */
export async function* fileBytes(file: RecordFile, form: FileForm): AsyncGenerator<Uint8Array> {
  const table = form.format === 'Csv' ? csvTable(file.kind, form.extraColumns, form.dialect) : undefined;
  if (table) yield table.header;
  for await (const { block, from, to } of file.segments()) {
    for (let next = from; next < to; ) {
      const end = endOfPiece(block, next, to);
      yield table ? table.rows(block, next, end) : lines(block, next, end);
      next = end;
    }
  }
}

/** The number of records in the next piece from `from` on; at least one. */
function endOfPiece(block: Block, from: number, to: number): number {
  const limit = (block.starts[from] as number) + PIECE;
  let end = from + 1;
  while (end < to && (block.ends[end] as number) <= limit) end++;
  return end;
}

/** Records as lines of JSON, as they came in; only a line end between two tokens, which would cut the line, is made a space. */
function lines(block: Block, from: number, to: number): Uint8Array {
  const room = (block.ends[to - 1] as number) - (block.starts[from] as number) + to - from;
  const output = Buffer.allocUnsafe(room);
  let at = 0;
  for (let index = from; index < to; index++) {
    const record = recordBytes(block, index);
    output.set(record, at);
    if (record.includes(LINE_END) || record.includes(RETURN)) joinLines(output, at, at + record.length);
    at += record.length;
    output[at++] = LINE_END;
  }
  return output.subarray(0, at);
}

function joinLines(bytes: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to; at++) if (bytes[at] === LINE_END || bytes[at] === RETURN) bytes[at] = SPACE;
}
