import { createHash } from 'node:crypto';
import { DateTime } from 'luxon';
import type { FieldType } from '../../records/schema.ts';
import { isTimestampAt } from '../../records/timestamp.ts';
import type { FromSource, Source } from './document.ts';
import {
  add,
  type Decimal,
  Exact,
  multiply,
  readDecimal,
  scalarText,
  type Value,
  writeDecimal,
  ZERO,
} from './exact.ts';
import { UNITS } from './units.ts';

/** A record of another platform, as it was read from CSV or JSON. */
export type Input = { readonly [name: string]: Value };

/** The result of a source for a record: a value, nothing (undefined), or a fault in words. */
export type Made = { readonly value: Value | undefined } | { readonly fault: string };
export type Maker = (input: Input) => Made;

const NOTHING: Made = { value: undefined };
/** Characters of a value that a message repeats. */
const QUOTED = 60;

interface MakerOptions {
  /** Type of the field; undefined: an unknown field, which gets the value as it is. */
  readonly type: FieldType | undefined;
  readonly decimalComma: boolean;
  /** The table of a `lookup` that names a file. */
  table(file: string): ReadonlyMap<string, Value>;
}

/** Makes a source ready for records. Sums of other fields are made later, see map-record.ts. */
export function makerOf(
  source: Exclude<Source, { sum: unknown }> | FromSource,
  options: MakerOptions,
): Maker {
  if ('value' in source) {
    const made: Made = { value: source.value as Value };
    return () => made;
  }
  if ('hash' in source) return (input) => hashed(source.hash, input);
  return fromMaker(source, options);
}

/** The value at a path: a name as a whole, or names and places in lists with dots between them. */
export function valueAt(input: Input, path: string): Value | undefined {
  if (Object.hasOwn(input, path)) return input[path];
  let value: Value | undefined = input;
  for (const name of path.split('.')) {
    if (Array.isArray(value)) value = (value as readonly Value[])[Number(name)];
    else if (
      typeof value === 'object' &&
      value !== null &&
      !(value instanceof Exact) &&
      Object.hasOwn(value, name)
    )
      value = (value as { readonly [name: string]: Value })[name];
    else return undefined;
  }
  return value;
}

function fromMaker(source: FromSource, { type, decimalComma, table }: MakerOptions): Maker {
  const paths = [source.from].flat();
  const fallback = 'default' in source ? { value: source.default as Value } : undefined;
  const lookup = tableOf(source.lookup, table);
  const convert = converterOf(source, type, decimalComma);
  return (input) => {
    let path = '';
    let value: Value = null;
    for (const each of paths) {
      const found = valueAt(input, each);
      if (!isThere(found)) continue;
      path = each;
      value = found as Value;
      break;
    }
    if (path === '') return fallback ?? NOTHING;
    const text = scalarText(value);
    const fault = (message: string): Made => ({
      fault: `${path}${text === undefined ? '' : ` is ${JSON.stringify(text.slice(0, QUOTED))}`}: ${message}`,
    });
    if (lookup) {
      const found = text === undefined ? undefined : lookup.get(text);
      if (found !== undefined) return { value: found };
      return fallback ?? fault('it is not in the lookup, which has no default');
    }
    const made = convert(source.slice && text !== undefined ? text.slice(...source.slice) : value);
    return typeof made === 'string' ? fault(made) : made;
  };
}

const isThere = (value: Value | undefined): boolean =>
  value !== undefined && value !== null && !(typeof value === 'string' && value.trim() === '');

function tableOf(
  lookup: FromSource['lookup'],
  table: MakerOptions['table'],
): ReadonlyMap<string, Value> | undefined {
  if (lookup === undefined) return undefined;
  return typeof lookup === 'string' ? table(lookup) : new Map(Object.entries(lookup) as [string, Value][]);
}

/** @returns the converted value of a present value; a text names its fault */
type Converter = (value: Value) => { readonly value: Value } | string;

function converterOf(source: FromSource, type: FieldType | undefined, decimalComma: boolean): Converter {
  const measured = source.unit !== undefined || source.times !== undefined;
  const timed = source.time !== undefined || source.zone !== undefined;
  if (type === 'decimal' || (type === undefined && measured)) return decimalOf(source, decimalComma);
  if (type === 'timestamp' || (type === undefined && timed)) return timeOf(source);
  switch (type) {
    case 'record id':
      return scalar((text) =>
        isId(text)
          ? { value: new Exact(text) }
          : 'it is not an integer from 0 to 2^64-1; for ids of other forms use hash',
      );
    case 'organisation id':
    case 'type id':
    case 'integer':
      return scalar((text) =>
        /^-?(0|[1-9]\d{0,18})$/.test(text) ? { value: new Exact(text) } : 'it is not an integer',
      );
    case 'flag':
      return scalar((text) => {
        if (/^(true|1|yes)$/i.test(text)) return { value: true };
        return /^(false|0|no)$/i.test(text) ? { value: false } : 'it is neither true nor false';
      });
    case 'text':
      return scalar((text) => ({ value: text }));
    default:
      return (value) => ({ value });
  }
}

const scalar =
  (read: (text: string) => { readonly value: Value } | string): Converter =>
  (value) => {
    const text = scalarText(value);
    return text === undefined ? 'it is a list or an object, where a single value is needed' : read(text);
  };

const LARGEST_ID = 2n ** 64n - 1n;
const isId = (text: string): boolean => /^(0|[1-9]\d{0,19})$/.test(text) && BigInt(text) <= LARGEST_ID;

function decimalOf({ unit, times }: FromSource, decimalComma: boolean): Converter {
  const factor = multiply(unit === undefined ? { digits: 1n, scale: 0 } : (UNITS[unit] as Decimal), {
    digits: BigInt(times ?? 1),
    scale: 0,
  });
  return scalar((text) => {
    const number = readDecimal(decimalComma ? text.replaceAll('.', '').replace(',', '.') : text);
    return number ? { value: writeDecimal(multiply(number, factor)) } : 'it is not a number';
  });
}

/** The years in which a moment may lie; a count of seconds that is one of milliseconds lies far outside. */
const EARLIEST = Date.UTC(1980, 0);
const LATEST = Date.UTC(2200, 0);

function timeOf({ time = 'iso', zone }: FromSource): Converter {
  if (time === 'unix' || time === 'unix_ms') {
    return scalar((text) => {
      const number = /^\d{1,16}(\.\d+)?$/.test(text)
        ? Number(text) * (time === 'unix' ? 1000 : 1)
        : Number.NaN;
      return instant(
        Math.round(number),
        `it is not a count of ${time === 'unix' ? 'seconds' : 'milliseconds'} since 1970 of our time`,
      );
    });
  }
  if (time !== 'iso') {
    return scalar((text) => {
      const parsed = DateTime.fromFormat(text, time, { zone: zone ?? 'utc', locale: 'en' });
      return instant(parsed.toMillis(), `it is not a time of the form ${time}`);
    });
  }
  return scalar((text) => {
    const bytes = Buffer.from(text);
    // A valid time passes unchanged, unless it has no zone and the mapping knows the zone.
    const hasZone = /(Z|[+-]\d{2}(:?\d{2})?)$/i.test(text.slice(10));
    if (isTimestampAt(bytes, 0, bytes.length) && (zone === undefined || hasZone)) return { value: text };
    const parsed = DateTime.fromISO(text.replace(' ', 'T'), { zone: zone ?? 'utc' });
    return instant(parsed.toMillis(), 'it is not a date and time of ISO 8601; give its form with time');
  });
}

function instant(milliseconds: number, message: string): { readonly value: Value } | string {
  if (!(milliseconds >= EARLIEST && milliseconds < LATEST)) return message;
  return { value: new Date(milliseconds).toISOString().replace('.000Z', 'Z') };
}

/**
 * An id from the texts of a record: the first 63 bits of the SHA-256 of their list. It is the same on every node and for
 * ever, and small enough for programs whose integers have a sign. Among a billion records two share an id with a chance of
 * 5 %; then they are still told apart by their content.
 */
function hashed(paths: readonly string[], input: Input): Made {
  const texts = paths.map((path) => scalarText(valueAt(input, path)) ?? null);
  if (texts.every((text) => text === null))
    return { fault: `${paths.join(', ')}: none has a value, so no id can be derived` };
  return { value: new Exact(hashOf(texts)) };
}

/** @returns a decimal integer below 2^63 */
export function hashOf(texts: readonly (string | null)[]): string {
  const digest = createHash('sha256').update(JSON.stringify(texts)).digest();
  return (digest.readBigUInt64BE(0) >> 1n).toString();
}

/** The sum of values that are numbers; a value that is missing counts as 0, unless all are. */
export function sumOf(values: readonly (Value | undefined)[]): Made {
  const there = values.filter((value) => value !== undefined && value !== null) as Value[];
  if (there.length === 0) return NOTHING;
  let sum = ZERO;
  for (const value of there) {
    const number = readDecimal(scalarText(value) ?? '');
    if (!number) return { fault: 'a value of the sum is not a number' };
    sum = add(sum, number);
  }
  return { value: writeDecimal(sum) };
}
