import { isAmountAt, MOST_AMOUNT_DIGITS } from './decimal.ts';
import { endpointAt } from './endpoints.ts';
import { byKind, type RecordKind } from './kinds.ts';
import type { RecordFacts } from './record-index.ts';
import { LARGEST_TYPE_ID } from './required-fields.ts';
import { type FieldType, RECORD_FIELDS, type RecordField } from './schema.ts';
import { isTimestampAt } from './timestamp.ts';
import { type Halves, isRecordId, unsignedAt } from './unsigned.ts';

/** The fault of one field of a record. `path` is a JSON pointer into the record; empty for the record itself. */
interface RecordFieldFault {
  readonly path: string;
  readonly message: string;
}

type Examined =
  | ({ readonly type: 'valid' } & Required<Omit<RecordFacts, 'endpoint'>> & { readonly endpoint: Halves })
  | { readonly type: 'invalid'; readonly fault: RecordFieldFault };

/** A number as the record writes it: ids do not fit a JavaScript number. */
class NumberLiteral {
  readonly bytes: Uint8Array;
  constructor(source: string) {
    this.bytes = Buffer.from(source);
  }
}

interface Check {
  /** Completes "must be …". */
  readonly wanted: string;
  /** The allowed numbers, for values that are numbers. */
  readonly numbers?: string;
  readonly holds: (value: unknown) => boolean;
}

/** The check of each type of field that is checked. */
const CHECKS: Partial<Record<FieldType, Check>> = {
  'record id': {
    wanted: 'an integer from 0 to 18446744073709551615',
    holds: (value) => value instanceof NumberLiteral && isRecordId(value.bytes, 0, value.bytes.length),
  },
  'organisation id': {
    wanted: `an integer from 1 to ${Number.MAX_SAFE_INTEGER}`,
    holds: (value) => unsigned(value) >= 1,
  },
  'type id': {
    wanted: `an integer from 0 to ${LARGEST_TYPE_ID}`,
    holds: (value) => unsigned(value) >= 0 && unsigned(value) <= LARGEST_TYPE_ID,
  },
  timestamp: {
    wanted: 'a timestamp such as 2025-03-17T06:02:48Z or 2025-03-17T08:02:48.118+02:00',
    holds: (value) => {
      if (typeof value !== 'string') return false;
      const bytes = Buffer.from(value);
      return isTimestampAt(bytes, 0, bytes.length);
    },
  },
  decimal: {
    wanted: 'a number',
    numbers: `with up to ${MOST_AMOUNT_DIGITS} digits before the point and as many behind it`,
    holds: (value) => value instanceof NumberLiteral && isAmountAt(value.bytes, 0, value.bytes.length),
  },
  flag: {
    wanted: 'true, false, 1 or 0',
    holds: (value) => typeof value === 'boolean' || [0, 1].includes(unsigned(value)),
  },
};

interface Rule extends Check, Pick<RecordField, 'path' | 'mandatory' | 'nullable'> {}

const RULES = byKind<readonly Rule[]>(rulesOf);

/** Mandatory fields, and alert, which filters use. */
function rulesOf(kind: RecordKind): Rule[] {
  return RECORD_FIELDS[kind].flatMap((field) => {
    const check = CHECKS[field.type];
    if (!field.mandatory && field.type !== 'flag') return [];
    if (!check) throw new Error(`no check exists for the type of ${field.path}`);
    return [{ ...check, ...field }];
  });
}

function unsigned(value: unknown): number {
  return value instanceof NumberLiteral ? unsignedAt(value.bytes, 0, value.bytes.length) : -1;
}

/**
 * Answers two questions that `RecordReader` cannot: which field is at fault, and whether a record with an escape in a
 * name or a timestamp is valid. It parses the whole record, so use it for few records only.
 * @param bytes a well-formed JSON value
 */
export function examineRecord(kind: RecordKind, bytes: Uint8Array): Examined {
  const record = parse(bytes);
  if (!isObject(record)) return { type: 'invalid', fault: { path: '', message: 'must be a JSON object' } };
  const faults = RULES[kind].flatMap((rule) => check(rule, record));
  const [fault, ...others] = faults;
  if (fault) {
    const also = others.length > 0 ? `; also faulty: ${others.map((other) => other.path).join(', ')}` : '';
    return { type: 'invalid', fault: { path: fault.path, message: fault.message + also } };
  }
  const alert = valueAt(record, 'alert');
  return {
    type: 'valid',
    organisation: unsigned(valueAt(record, 'organisation.id')),
    eventType: kind === 'event' ? unsigned(valueAt(record, 'event_type.id')) : 0,
    alert: kind === 'event' && (alert === true || unsigned(alert) === 1) ? 1 : 0,
    endpoint: endpointOf(valueAt(record, 'endpoint.id')),
  };
}

function endpointOf(value: unknown): Halves {
  const endpoint: Halves = { low: 0, high: 0 };
  const bytes = typeof value === 'string' ? Buffer.from(value) : undefined;
  if (value instanceof NumberLiteral) endpointAt(value.bytes, 0, value.bytes.length, endpoint);
  else if (bytes) endpointAt(bytes, 0, bytes.length, endpoint);
  return endpoint;
}

function check(rule: Rule, record: object): RecordFieldFault[] {
  const value = valueAt(record, rule.path);
  const which = rule.numbers && value instanceof NumberLiteral ? ` ${rule.numbers}` : '';
  const orNull = rule.nullable && rule.mandatory ? ', or null' : '';
  const wanted = `${rule.wanted}${which}${orNull}`;
  if (value === undefined || value === null) {
    if (value === null ? rule.nullable : !rule.mandatory) return [];
    const what = value === undefined ? 'is missing' : 'is null';
    return [{ path: pointer(rule.path), message: `${what}; it must be ${wanted}` }];
  }
  return rule.holds(value)
    ? []
    : [{ path: pointer(rule.path), message: `must be ${wanted}, not ${shown(value)}` }];
}

/** Field names contain no slash and no tilde. */
function pointer(path: string): string {
  return `/${path.replaceAll('.', '/')}`;
}

function valueAt(record: object, path: string): unknown {
  let value: unknown = record;
  for (const name of path.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function isObject(value: unknown): value is object {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof NumberLiteral)
  );
}

type Reviver = (key: string, value: unknown, context: { source: string }) => unknown;

function parse(bytes: Uint8Array): unknown {
  const keepNumbers: Reviver = (_key, value, { source }) =>
    typeof value === 'number' ? new NumberLiteral(source) : value;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  return JSON.parse(text, keepNumbers as (key: string, value: unknown) => unknown);
}

const LONGEST_SHOWN = 40;

/** The value at fault, for an error message. An object or array appears by its kind only. */
function shown(value: unknown): string {
  if (value instanceof NumberLiteral) return shorten(Buffer.from(value.bytes).toString());
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  return shorten(JSON.stringify(value));
}

function shorten(text: string): string {
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}
