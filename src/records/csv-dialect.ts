import { recordTime } from './record-time.ts';

/** The forms of texts and times in CSV files: readers of CSV accept different forms. */
export interface CsvDialect {
  /**
   * `standard`: RFC 4180. `single_line`: a line end in a text becomes a space, so that each row is one line. `athena`: the
   * same, with every backslash doubled, as OpenCSVSerDe reads it.
   */
  readonly texts: (typeof CSV_TEXTS)[number];
  /** `iso`: as the producer sent them. `sql`: `2026-01-31 08:15:00` in UTC. `sql_ms`: the same with three decimals. */
  readonly times: (typeof CSV_TIMES)[number];
  /** Whether an apostrophe goes in front of a text that a spreadsheet would run as a formula. */
  readonly defuse: boolean;
}

export const CSV_TEXTS = ['standard', 'single_line', 'athena'] as const;
export const CSV_TIMES = ['iso', 'sql', 'sql_ms'] as const;
export const STANDARD_CSV: CsvDialect = { texts: 'standard', times: 'iso', defuse: false };

const EQUALS = 0x3d;
const PLUS = 0x2b;
const MINUS = 0x2d;
const AT = 0x40;
const TAB = 0x09;
const RETURN = 0x0d;

/** Whether a spreadsheet would take a text that begins with this byte for a formula (the list of OWASP). */
export function beginsFormula(byte: number | undefined): boolean {
  return byte === EQUALS || byte === PLUS || byte === MINUS || byte === AT || byte === TAB || byte === RETURN;
}

/** The content of a text's cell, before its quotes are doubled. Drops NUL, because PostgreSQL would refuse the file. */
export function textOfCell(text: string, { texts, defuse }: CsvDialect): string {
  let cell = text.includes('\0') ? text.replaceAll('\0', '') : text;
  if (defuse && beginsFormula(cell.charCodeAt(0))) cell = `'${cell}`;
  if (texts === 'standard') return cell;
  cell = cell.replace(/\r\n|[\r\n]/g, ' ');
  return texts === 'athena' ? cell.replaceAll('\\', '\\\\') : cell;
}

/** A time in the form of SQL. A text that is not a time stays unchanged. */
export function timeOfCell(text: string, { times }: CsvDialect): string {
  const time = times === 'iso' ? undefined : recordTime(text);
  if (time === undefined) return text;
  const iso = new Date(time).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, times === 'sql' ? 19 : 23)}`;
}
