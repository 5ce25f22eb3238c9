import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { fileFault } from '../../lib/file-fault.ts';
import { readMappingDocument } from './document.ts';
import { Exact, parseExact, type Value } from './exact.ts';
import { compileMapping, type Mapping } from './map-record.ts';

/** A mapping is a file of this name; its lookups lie beside it. */
const SUFFIX = '.mapping.json';
/** It is part of a content type. */
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

type Loaded =
  | { readonly type: 'loaded'; readonly mapping: Mapping }
  /** In words, each with the name of the file. */
  | { readonly type: 'invalid'; readonly faults: readonly string[] };

/** Reads a mapping and the lookups that it names. */
export function loadMapping(file: string): Loaded {
  const name = basename(file)
    .replace(SUFFIX, '')
    .replace(/\.json$/, '');
  const invalid = (...faults: readonly string[]): Loaded => ({
    type: 'invalid',
    faults: faults.map((fault) => `${file}: ${fault}`),
  });
  let value: unknown;
  try {
    value = parseExact(textOf(file));
  } catch (error) {
    return invalid(fileFault(error));
  }
  const read = readMappingDocument(value);
  if (read.type === 'invalid')
    return invalid(...read.faults.map(({ path, message }) => `${path || 'the mapping'} ${message}`));
  const faults: string[] = [];
  const table = (lookup: string): ReadonlyMap<string, Value> => {
    try {
      return readTable(join(dirname(file), lookup));
    } catch (error) {
      faults.push(`the lookup ${lookup}: ${fileFault(error)}`);
      return new Map();
    }
  };
  const mapping = compileMapping(name, read.document, read.kind, table);
  return faults.length > 0 ? invalid(...faults) : { type: 'loaded', mapping };
}

/** The mappings of a directory, by name; and the faults of any of them, in words. */
export function loadMappings(directory: string): {
  readonly mappings: ReadonlyMap<string, Mapping>;
  readonly faults: readonly string[];
} {
  const mappings = new Map<string, Mapping>();
  const faults: string[] = [];
  let files: string[] = [];
  try {
    files = readdirSync(directory)
      .filter((file) => file.endsWith(SUFFIX))
      .sort();
  } catch (error) {
    return { mappings, faults: [fileFault(error)] };
  }
  for (const file of files) {
    const name = file.slice(0, -SUFFIX.length);
    if (!NAME.test(name)) {
      faults.push(`${join(directory, file)}: the name of a mapping has small letters, digits and hyphens`);
      continue;
    }
    const loaded = loadMapping(join(directory, file));
    if (loaded.type === 'invalid') faults.push(...loaded.faults);
    else mappings.set(name, loaded.mapping);
  }
  return { mappings, faults };
}

/** A lookup in a file: an object of JSON, or CSV with two columns, a text and its meaning, without a header. */
function readTable(file: string): ReadonlyMap<string, Value> {
  const text = textOf(file);
  if (!file.endsWith('.csv')) {
    const value = parseExact(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new Error('it is not an object');
    return new Map(Object.entries(value as { readonly [name: string]: Value }));
  }
  const rows = parse(text, { bom: true, trim: true, skip_empty_lines: true }) as string[][];
  return new Map(
    rows.map(([key = '', value = ''], at) => {
      if (rows[at]?.length !== 2)
        throw new Error(`line ${at + 1} has ${rows[at]?.length} values and not two`);
      return [key, /^(0|[1-9]\d*)$/.test(value) ? new Exact(value) : value];
    }),
  );
}

/** Without the byte order mark that editors of Windows write. */
const textOf = (file: string): string => readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
