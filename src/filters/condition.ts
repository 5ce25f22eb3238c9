import { KINDS, type RecordKind } from '../records/kinds.ts';
import type { Json } from '../registry/registry.ts';
import type { Faults, Read } from './faults.ts';
import { isSentNumber } from './sent-number.ts';
import type { PathElement, PlainElement, Scalar, TypeElement } from './syntax.ts';

/** Values of one stream together: several times the number of event types. */
export const MOST_VALUES = 1000;
/** Different paths of one stream: each record is searched for all of them. */
export const MOST_PATHS = 50;
/** Names in one path, and characters in it; records are not nested as deep. */
export const DEEPEST_PATH = 8;
export const LONGEST_PATH = 200;
/** Characters of a text that fields are compared with. */
export const LONGEST_VALUE = 1000;
/** The largest event type id that a block's index can hold. */
const LARGEST_EVENT_TYPE = 2 ** 32 - 1;

/** The comparison of each `op`, and whether the `op` holds where the comparison does not. */
const OPS: Readonly<
  Record<string, { readonly op: PathElement['op']; readonly not?: true; readonly texts?: true }>
> = {
  in: { op: 'in' },
  not_in: { op: 'in', not: true },
  eq: { op: 'in' },
  ne: { op: 'in', not: true },
  lt: { op: 'lt' },
  lte: { op: 'lte' },
  gt: { op: 'gt' },
  gte: { op: 'gte' },
  exists: { op: 'exists' },
  prefix: { op: 'prefix', texts: true },
  contains: { op: 'contains', texts: true },
};
const OP_NAMES = Object.keys(OPS).join(', ');

type FilterObject = Readonly<Record<string, unknown>>;

/** Reads single conditions: `field`, `op` and `value`. */
export class ConditionReader {
  readonly #kind: RecordKind;
  readonly #faults: Faults;
  readonly #paths = new Set<string>();
  #values = 0;

  constructor(kind: RecordKind, faults: Faults) {
    this.#kind = kind;
    this.#faults = faults;
  }

  read(object: FilterObject, path: string): Read<PlainElement> | undefined {
    const { field, op } = object;
    if (field == null) {
      const message =
        'is missing: a path such as endpoint.id, event_type_id, alert, or a group all, any, not';
      return this.#faults.add('Required', `${path}/field`, message);
    }
    if (op != null && !(typeof op === 'string' && Object.hasOwn(OPS, op))) {
      return this.#faults.add('NotAllowed', `${path}/op`, `must be one of ${OP_NAMES}`);
    }
    if (field === 'event_type_id' || field === 'alert') return this.#named(field, object, path);
    return this.#path(field, object, path);
  }

  /** The two fields that the index of a block knows by name. */
  #named(field: 'event_type_id' | 'alert', object: FilterObject, path: string) {
    const { op, not } = operation(object.op);
    if (this.#kind !== 'event') {
      const message = `is not a field of ${KINDS[this.#kind].words}: only events have ${field === 'alert' ? 'an alert' : 'a type'}`;
      return this.#faults.add('NotAllowed', `${path}/field`, message);
    }
    if (op !== 'in') {
      if (field === 'event_type_id' && op !== 'prefix' && op !== 'contains') {
        return this.#path('event_type.id', object, path, field);
      }
      const message = `must be in, not_in, eq or ne${field === 'alert' ? '' : ', lt, lte, gt, gte or exists'}: the field is not a text`;
      return this.#faults.add('NotAllowed', `${path}/op`, message);
    }
    const negated = not ? ({ op: 'not_in' } as const) : {};
    if (field === 'event_type_id') {
      const expected = 'an event type id: an integer from 0';
      const read = this.#value(object.value, `${path}/value`, readEventType, expected);
      const meaning = read && ({ field, value: distinct(read.meaning), ...negated } satisfies TypeElement);
      return meaning && { sent: sentForm(object, read.sent), meaning };
    }
    const read = this.#value(object.value, `${path}/value`, readAlert, 'true or false');
    if (!read) return undefined;
    const values = distinct(read.meaning);
    const [first = false, ...others] = values;
    const meaning: TypeElement = { field, value: others.length === 0 ? first : values, ...negated };
    return { sent: sentForm(object, read.sent), meaning };
  }

  #path(
    field: unknown,
    object: FilterObject,
    path: string,
    sentField = field,
  ): Read<PathElement> | undefined {
    const names = this.#names(field, `${path}/field`);
    const { op, not, texts } = operation(object.op);
    if (op === 'exists') {
      const given = object.value ?? true;
      const read = this.#value(given, `${path}/value`, readAlert, 'true or false');
      if (!read || !names) return undefined;
      if (read.meaning.length > 1) {
        return this.#faults.add('InvalidFormat', `${path}/value`, 'must be true or false');
      }
      const sent = sentForm({ ...object, field: sentField }, object.value == null ? undefined : read.sent);
      return {
        sent,
        meaning: { field: String(field), path: names, op, value: [], not: read.meaning[0] === false },
      };
    }
    const expected = texts
      ? `a text of 1 to ${LONGEST_VALUE} characters`
      : `a text of up to ${LONGEST_VALUE} characters, a number, true or false`;
    const read = this.#value(object.value, `${path}/value`, texts ? readText : readScalar, expected);
    if (!read || !names) return undefined;
    const sent = sentForm({ ...object, field: sentField }, read.sent);
    return {
      sent,
      meaning: { field: String(field), path: names, op, value: distinct(read.meaning), not: not === true },
    };
  }

  #names(field: unknown, at: string): readonly string[] | undefined {
    const names = typeof field === 'string' ? field.split('.') : [];
    if (typeof field !== 'string' || !field.isWellFormed() || names.includes('')) {
      const message = 'must be a path of names with dots between them, such as operator.country.mcc';
      return this.#faults.add('InvalidFormat', at, message);
    }
    if (names.length > DEEPEST_PATH || field.length > LONGEST_PATH) {
      const message = `may have up to ${DEEPEST_PATH} names and ${LONGEST_PATH} characters`;
      return this.#faults.add('OutOfRange', at, message);
    }
    this.#paths.add(field);
    if (this.#paths.size > MOST_PATHS) {
      const message = `is the ${this.#paths.size}th field: the filters of a stream may have up to ${MOST_PATHS} different ones`;
      return this.#faults.add('OutOfRange', at, message);
    }
    return names;
  }

  /** The values of one condition. */
  #value<T>(
    raw: unknown,
    path: string,
    read: (item: unknown) => T | undefined,
    expected: string,
  ): Read<T[]> | undefined {
    if (raw === undefined || raw === null) return this.#faults.add('Required', path, 'is missing');
    const items: readonly unknown[] = Array.isArray(raw) ? raw : [raw];
    if (items.length === 0) return this.#faults.add('OutOfRange', path, 'must have at least one value');
    this.#values += items.length;
    if (this.#values > MOST_VALUES) {
      const message = `the filters of a stream may have up to ${MOST_VALUES} values together`;
      return this.#faults.add('OutOfRange', path, message);
    }
    const values = this.#faults.list(items, path, (item, at) => {
      const value = read(item);
      return value === undefined
        ? this.#faults.add('InvalidFormat', Array.isArray(raw) ? at : path, `must be ${expected}`)
        : value;
    });
    // Every value that could be read is a number, a text or a boolean. -0 becomes 0, as JSON would print it.
    const sent = items.map((item) => (typeof item === 'number' ? item + 0 : item)) as Json[];
    return { sent: Array.isArray(raw) ? sent : (sent[0] as Json), meaning: values };
  }
}

function operation(op: unknown) {
  return OPS[op == null ? 'in' : String(op)] as (typeof OPS)[string];
}

/** The condition as it was sent, without unknown members. */
function sentForm({ field, op }: FilterObject, value: Json | undefined): Json {
  return {
    field: String(field),
    ...(value === undefined ? {} : { value }),
    ...(op == null ? {} : { op: String(op) }),
  };
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

function readScalar(raw: unknown): Scalar | undefined {
  if (typeof raw === 'number') return Number.isFinite(raw) ? raw + 0 : undefined;
  if (typeof raw === 'boolean' || isSentNumber(raw)) return raw;
  return typeof raw === 'string' && raw.length <= LONGEST_VALUE && raw.isWellFormed() ? raw : undefined;
}

/** An empty text would be part of every text: `exists` says that better. */
function readText(raw: unknown): string | undefined {
  return typeof raw === 'string' && raw !== '' ? (readScalar(raw) as string | undefined) : undefined;
}

function readEventType(raw: unknown): number | undefined {
  const id = typeof raw === 'string' && /^[0-9]{1,10}$/.test(raw) ? Number(raw) : raw;
  if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > LARGEST_EVENT_TYPE) return undefined;
  // -0 is an integer too, and would be shown as 0 but differ from it.
  return id + 0;
}

function readAlert(raw: unknown): boolean | undefined {
  if (typeof raw === 'boolean') return raw;
  if (raw === 'true') return true;
  return raw === 'false' ? false : undefined;
}
