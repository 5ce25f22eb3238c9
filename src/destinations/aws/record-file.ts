import type { Block } from '../../records/block.ts';
import { csvTable } from '../../records/csv.ts';
import type { ExtraColumn } from '../../records/csv-columns.ts';
import type { CsvDialect } from '../../records/csv-dialect.ts';
import { KINDS } from '../../records/kinds.ts';
import { VERSION } from '../../version.ts';
import type { Format, RecordFile } from '../contract.ts';
import { recordLines } from '../record-lines.ts';
import { prefixOf } from './key-prefix.ts';

/** The form of the records in a file. */
export interface FileForm {
  readonly format: FileFormat;
  readonly gzip: boolean;
  /** Csv only. */
  readonly extraColumns: readonly ExtraColumn[];
  /** Csv only. */
  readonly dialect: CsvDialect;
  /** The beginning of file names, with its placeholders (key-prefix.ts). */
  readonly prefix: string;
}

export type FileFormat = Exclude<Format, 'CloudEvents'>;
const LINES = 'application/x-ndjson';
export const CONTENT_TYPES: Readonly<Record<FileFormat, string>> = {
  Csv: 'text/csv; charset=utf-8',
  Json: LINES,
  NdJson: LINES,
  Parquet: 'application/vnd.apache.parquet',
};
const EXTENSIONS: Readonly<Record<FileFormat, string>> = {
  Csv: '.csv',
  Json: '.ndjson',
  NdJson: '.ndjson',
  Parquet: '.parquet',
};

/** Bytes of records per conversion step: memory and the pauses of the event loop stay small. */
const PIECE = 256 * 1024;

/**
 * The key of a file's object, a function of the file's first record alone, so that a file that is stored again overwrites
 * itself. Names of one stream sort by time of arrival, and within a second by position.
 *
 *   key   = prefix ("events" / "cdr" / "sms") "_" YYYYMMDD "_" HHmmss "_" stream id ["_replay-" replay id] "_" place (".csv" | ".ndjson" | ".parquet") [".gz"]
 *   place = sequence "-" index / "test"                                     (a test record has no place)
 */
export function keyOf(file: RecordFile, { format, gzip, prefix }: FileForm): string {
  const time = new Date(file.firstArrivedAt).toISOString().replace(/[-:]/g, '');
  const sequence = String(file.first.sequence).padStart(12, '0');
  const index = String(file.first.index).padStart(6, '0');
  const place = file.test ? 'test' : `${sequence}-${index}`;
  const name = [
    KINDS[file.kind].file,
    time.slice(0, 8),
    time.slice(9, 15),
    ...streamAndReplay(file),
    place,
  ].join('_');
  return `${prefixOf(prefix, file)}${name}${EXTENSIONS[format]}${gzip ? '.gz' : ''}`;
}

/** A replay overwrites no file of the live flow: with filters of its own it may hold less than that. */
function streamAndReplay({ streamId, replay }: RecordFile): string[] {
  return replay === undefined ? [streamId] : [streamId, `replay-${replay}`];
}

/** The bytes of a file, piece by piece, before compression. */
export async function* fileBytes(file: RecordFile, form: FileForm): AsyncGenerator<Uint8Array> {
  if (form.format === 'Parquet') {
    // Few streams write Parquet: the others do not load its writer.
    const { parquetFile } = await import('../parquet.ts');
    yield* parquetFile(file, `simstream ${VERSION}`);
    return;
  }
  const table = form.format === 'Csv' ? csvTable(file.kind, form.extraColumns, form.dialect) : undefined;
  if (table) yield table.header;
  for await (const { block, from, to } of file.segments()) {
    for (let next = from; next < to; ) {
      const end = endOfPiece(block, next, to);
      yield table ? table.rows(block, next, end) : recordLines(block, next, end);
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
