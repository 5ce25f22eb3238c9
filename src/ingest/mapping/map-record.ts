import type { RecordKind } from '../../records/block.ts';
import { recordTime } from '../../records/record-time.ts';
import { RECORD_FIELDS } from '../../records/schema.ts';
import type { MappingDocument, MatchDocument, Source } from './document.ts';
import { type Decimal, readDecimal, scalarText, type Value, writeExact } from './exact.ts';
import type { SessionCounters } from './sessions.ts';
import { type Input, type Made, type Maker, makerOf, sumOf, valueAt } from './source.ts';

/** A mapping that is ready for records. */
export interface Mapping {
  readonly name: string;
  readonly kind: RecordKind;
  readonly format: MappingDocument['format'];
  readonly csv: NonNullable<MappingDocument['csv']>;
  /** The place of the records in a document; undefined: the document is a record or a list of them. */
  readonly records: string | undefined;
  /** Whether the records are the increments of reports to the counters of their sessions. */
  readonly cumulative: boolean;
  /** The session of a report, if the mapping is cumulative; undefined: the report is left out, or is invalid. */
  sessionOf(input: Input): string | undefined;
  /** @param sessions needed if the mapping is cumulative */
  map(input: Input, sessions?: SessionCounters): Mapped;
}

export type Mapped =
  | { readonly type: 'record'; readonly text: string }
  /** The mapping leaves it out, or it adds nothing. */
  | { readonly type: 'left out' }
  /** `path` is a JSON pointer into the intended record. */
  | { readonly type: 'fault'; readonly path: string; readonly message: string };

const LEFT_OUT: Mapped = { type: 'left out' };

type SumSource = Extract<Source, { sum: unknown }>;
const sumsFields = (source: Source): source is SumSource =>
  'sum' in source && source.sum.some((part) => typeof part === 'string');

/** @param table gives the lookup in a file that the document names */
export function compileMapping(
  name: string,
  document: MappingDocument,
  kind: RecordKind,
  table: (file: string) => ReadonlyMap<string, Value>,
): Mapping {
  const types = new Map(RECORD_FIELDS[kind].map(({ path, type }) => [path, type]));
  const decimalComma = document.csv?.decimal_comma === true;
  const fields: (readonly [string, Maker])[] = [];
  const sums: (readonly [string, readonly (string | Maker)[]])[] = [];
  for (const [path, source] of Object.entries(document.fields)) {
    const options = { type: types.get(path), decimalComma, table };
    if (!('sum' in source)) fields.push([path, makerOf(source, options)]);
    else {
      const parts = source.sum.map((part) =>
        typeof part === 'string' ? part : makerOf(part, { ...options, type: 'decimal' }),
      );
      if (sumsFields(source)) sums.push([path, parts]);
      else fields.push([path, summed(parts as Maker[])]);
    }
  }
  // Null and missing differ for these: a record must say that it does not know.
  for (const { path, mandatory, nullable } of RECORD_FIELDS[kind]) {
    if (mandatory && nullable && !(path in document.fields)) fields.push([path, () => ({ value: null })]);
  }
  const nulls = new Set(
    RECORD_FIELDS[kind].filter(({ mandatory, nullable }) => mandatory && nullable).map(({ path }) => path),
  );
  const { cumulative } = document;
  // A session begins with a report that has no counters yet.
  const mandatory = new Map(
    RECORD_FIELDS[kind]
      .filter((field) => field.mandatory && !field.nullable && !cumulative?.counters.includes(field.path))
      .map(({ path }) => [path, sourcesOf(document.fields[path])]),
  );
  const rules = { nulls, mandatory };
  const names = new Map([...fields, ...sums].map(([path]) => [path, path.split('.')]));
  const only = (document.only ?? []).map(matcherOf);
  const ends = cumulative?.ends && matcherOf(cumulative.ends);

  const wanted = (input: Input) => only.every((matches) => matches(input));
  const map = (input: Input, sessions?: SessionCounters): Mapped => {
    if (!wanted(input)) return LEFT_OUT;
    const made = new Map<string, Value>();
    for (const [path, make] of fields) {
      const fault = put(made, path, make(input), rules);
      if (fault) return fault;
    }
    if (cumulative) {
      const changed = toSlice(cumulative, made, input, sessions as SessionCounters, ends?.(input) === true);
      if (changed) return changed;
    }
    for (const [path, parts] of sums) {
      const values: (Value | undefined)[] = [];
      for (const part of parts) {
        if (typeof part === 'string') values.push(made.get(part));
        else {
          const one = part(input);
          if ('fault' in one) return { type: 'fault', path: pointer(path), message: one.fault };
          values.push(one.value);
        }
      }
      const fault = put(made, path, sumOf(values), rules);
      if (fault) return fault;
    }
    return { type: 'record', text: textOf(made, names) };
  };
  return {
    name,
    kind,
    format: document.format,
    csv: document.csv ?? {},
    records: document.records,
    cumulative: cumulative !== undefined,
    sessionOf: (input) => (cumulative && wanted(input) ? keyOf(cumulative.key, input) : undefined),
    map,
  };
}

/** The handling of fields without a value. */
interface Rules {
  /** They are null. */
  readonly nulls: ReadonlySet<string>;
  /** The record is invalid; with the paths that were looked at. */
  readonly mandatory: ReadonlyMap<string, string>;
}

function put(
  made: Map<string, Value>,
  path: string,
  one: Made,
  { nulls, mandatory }: Rules,
): Mapped | undefined {
  if ('fault' in one) return { type: 'fault', path: pointer(path), message: one.fault };
  if (one.value !== undefined) made.set(path, one.value);
  else if (nulls.has(path)) made.set(path, null);
  else if (mandatory.has(path))
    return { type: 'fault', path: pointer(path), message: `${mandatory.get(path)}: it is missing` };
  return undefined;
}

function sourcesOf(source: Source | undefined): string {
  if (!source) return '';
  if ('hash' in source) return source.hash.join(', ');
  if ('sum' in source)
    return source.sum
      .map((part) => (typeof part === 'string' ? part : [part.from].flat().join(' or ')))
      .join(', ');
  return 'from' in source ? [source.from].flat().join(' or ') : 'value';
}

function summed(parts: readonly Maker[]): Maker {
  return (input) => {
    const values: (Value | undefined)[] = [];
    for (const part of parts) {
      const one = part(input);
      if ('fault' in one) return one;
      values.push(one.value);
    }
    return sumOf(values);
  };
}

function matcherOf({ from, is }: MatchDocument): (input: Input) => boolean {
  const wanted = new Set(is);
  return (input) => wanted.has(scalarText(valueAt(input, from)) ?? '');
}

function keyOf(key: readonly string[], input: Input): string | undefined {
  const texts = key.map((path) => scalarText(valueAt(input, path)));
  return texts.includes(undefined) ? undefined : JSON.stringify(texts);
}

/**
 * Replaces the totals of a report by its increments.
 * @returns undefined if it adds something
 */
function toSlice(
  { key, counters }: NonNullable<MappingDocument['cumulative']>,
  made: Map<string, Value>,
  input: Input,
  sessions: SessionCounters,
  last: boolean,
): Mapped | undefined {
  const fault = (path: string, message: string): Mapped => ({ type: 'fault', path: pointer(path), message });
  const session = keyOf(key, input);
  if (session === undefined) {
    const missing = key.find((path) => scalarText(valueAt(input, path)) === undefined);
    return fault('', `${missing}: it is missing, but identifies the session`);
  }
  const end = scalarText(made.get('end_timestamp')) ?? scalarText(made.get('start_timestamp'));
  const moment = recordTime(end);
  if (end === undefined || moment === undefined)
    return fault('end_timestamp', 'it is missing, but gives the order of the reports of a session');
  const totals: Record<string, Decimal> = {};
  for (const counter of counters) {
    const total = readDecimal(scalarText(made.get(counter)) ?? '0');
    if (!total) return fault(counter, 'it is not a number');
    totals[counter] = total;
  }
  const slice = sessions.report(session, { counters: totals, moment, end, last });
  if (!slice) return LEFT_OUT;
  for (const [counter, added] of Object.entries(slice.added)) made.set(counter, added);
  if (slice.since !== undefined) made.set('start_timestamp', slice.since);
  return undefined;
}

const pointer = (path: string): string =>
  path === ''
    ? ''
    : `/${path
        .split('.')
        .map((name) => name.replaceAll('~', '~0').replaceAll('/', '~1'))
        .join('/')}`;

/** An object that inherits nothing: a field may be called `constructor`. */
const emptyObject = (): Record<string, Value> => Object.create(null);

/** The record, with the objects that the dots of the paths say. */
function textOf(made: ReadonlyMap<string, Value>, namesOf: ReadonlyMap<string, readonly string[]>): string {
  const root = emptyObject();
  for (const [path, value] of made) {
    const names = namesOf.get(path) as readonly string[];
    let object = root;
    for (let at = 0; at < names.length - 1; at++) {
      object[names[at] as string] ??= emptyObject();
      object = object[names[at] as string] as Record<string, Value>;
    }
    object[names[names.length - 1] as string] = value;
  }
  return writeExact(root);
}
