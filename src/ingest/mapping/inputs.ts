import { pipeline, Readable } from 'node:stream';
import { parse } from 'csv-parse';
import { jsonSlip } from '../../lib/json-slip.ts';
import { nextSlice } from '../../lib/slices.ts';
import { parseExact, type Value, writeExact } from './exact.ts';
import { JsonElements } from './json-elements.ts';
import type { Mapping } from './map-record.ts';
import { type Input, valueAt } from './source.ts';

/**
 * A record of another platform with the line on which it begins (of CSV, on which it ends); or the reason why it is
 * not a record, with its own text: a document may have thousands of these.
 */
type Read = { readonly line: number } & (
  | { readonly input: Input }
  | { readonly fault: string; readonly text: string }
);

/** The document as a whole cannot be read: the records after this place are not known. */
export class UnreadableInput extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UnreadableInput';
  }
}

/** More than the largest record that ingest takes; no record of another platform is as large. */
export const LARGEST_INPUT = 2 ** 20;
/** A document that has its records inside is read as one: about 30 ms. */
const LARGEST_ENVELOPE = 2 * 2 ** 20;

/** Bytes of a document that are read before other work gets its turn: some milliseconds of CSV. */
const PART = 32 * 1024;

/** A document that is in memory, in parts between which other work gets its turn. */
export async function* partsOf(document: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < document.length; at += PART) {
    yield document.subarray(at, at + PART);
    await nextSlice();
  }
}

type Form = Pick<Mapping, 'format' | 'csv' | 'records'>;

/**
 * Reads the records of CSV, or of JSON: a list, one record, or one record a line. Memory does not grow with the document.
 * @param chunks of the document, in UTF-8
 * @throws UnreadableInput
 */
export function readInputs(form: Form, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Read> {
  return form.format === 'csv' ? readCsv(form.csv, chunks) : readJson(form.records, chunks);
}

async function* readCsv(
  { delimiter = ',', columns }: Form['csv'],
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Read> {
  const parser = parse({
    bom: true,
    delimiter,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: LARGEST_INPUT,
  });
  // The iteration below gets the error of the source too.
  pipeline(Readable.from(inUtf8(chunks), { objectMode: false }), parser, () => undefined);
  let names = columns;
  try {
    for await (const { record, info } of parser as AsyncIterable<{
      record: string[];
      info: { lines: number };
    }>) {
      if (!names) {
        names = headerOf(record);
        continue;
      }
      const line = info.lines;
      if (record.length !== names.length) {
        const fault = `the line has ${record.length} values where there are ${names.length} columns`;
        yield { line, fault, text: lineOf(record, delimiter) };
        continue;
      }
      yield { line, input: Object.fromEntries(names.map((name, at) => [name, record[at] as string])) };
    }
  } catch (error) {
    throw isCsvError(error) ? new UnreadableInput(`it is not CSV: ${error.message}`) : error;
  }
}

/**
 * The same chunks.
 * @throws UnreadableInput for another coding: read as UTF-8, its letters would be wrong
 */
async function* inUtf8(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const check = (chunk?: Uint8Array) => {
    try {
      decoder.decode(chunk, { stream: chunk !== undefined });
    } catch {
      throw new UnreadableInput('it is not UTF-8: save it as UTF-8, or convert it');
    }
  };
  for await (const chunk of chunks) {
    check(chunk);
    yield chunk;
  }
  check();
}

/** A record as a line of CSV. */
function lineOf(record: readonly string[], delimiter: string): string {
  const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;
  return record
    .map((value) => (value.includes(delimiter) || /["\r\n]/.test(value) ? quoted(value) : value))
    .join(delimiter);
}

function headerOf(record: readonly string[]): string[] {
  const names = record.map((name) => name.trim());
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined)
    throw new UnreadableInput(`the header names the column ${JSON.stringify(twice)} twice`);
  return names;
}

const isCsvError = (error: unknown): error is Error =>
  error instanceof Error && String((error as { code?: unknown }).code).startsWith('CSV_');

async function* readJson(
  records: string | undefined,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Read> {
  const elements = new JsonElements(records === undefined ? LARGEST_INPUT : LARGEST_ENVELOPE);
  for await (const chunk of chunks) {
    for (const { bytes, line } of elements.add(chunk)) yield* readElement(records, bytes, line);
    if (elements.fault !== undefined) throw new UnreadableInput(elements.fault);
  }
  elements.end();
  if (elements.fault !== undefined) throw new UnreadableInput(elements.fault);
}

function* readElement(records: string | undefined, bytes: Uint8Array, line: number): Generator<Read> {
  const parsed = parseElement(bytes);
  if ('fault' in parsed) {
    yield { line, fault: parsed.fault, text: Buffer.from(bytes).toString('utf8') };
    return;
  }
  if (records === undefined) {
    yield { line, input: parsed.value };
    return;
  }
  const list = valueAt(parsed.value, records);
  const items = Array.isArray(list) ? (list as readonly Value[]) : [list];
  for (const item of items) {
    if (typeof item === 'object' && item !== null && !Array.isArray(item))
      yield { line, input: item as Input };
    else
      yield {
        line,
        fault: `${records}: it is not a list of objects`,
        text: item === undefined ? parsed.text : writeExact(item),
      };
  }
}

/** @param bytes of an object, as JsonElements found it */
export function parseElement(
  bytes: Uint8Array,
): { readonly value: Input; readonly text: string } | { readonly fault: string } {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return { fault: 'it is not UTF-8' };
  }
  try {
    return { value: parseExact(text) as Input, text };
  } catch (error) {
    const place = /at position \d+/.exec((error as SyntaxError).message)?.[0];
    return {
      fault: `it is not valid JSON${place ? `, ${place} of the record` : ''}${jsonSlip(text) ? `: ${jsonSlip(text)}` : ''}`,
    };
  }
}
