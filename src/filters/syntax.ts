import type { ErrorToken, FieldFault } from '../errors.ts';
import type { RecordKind } from '../records/block.ts';
import type { Json } from '../registry/registry.ts';

/**
 * The filters of a data stream, as they are evaluated:
 *
 *   filters  = [ (element | or) … ]                 accepts a record when all elements do, or any member of any `or` does
 *   or       = { "or": [ element … ] }              the documented form; only at the top of the list
 *   element  = plain | { "all": [ element … ] } | { "any": [ element … ] } | { "not": element }
 *   plain    = { "field": "event_type_id", "value": [ integer … ], op }
 *            | { "field": "alert", "value": boolean | [ boolean, boolean ], op }
 *   op       = "op": "in" | "not_in"                left out when it is "in": the record's value is among `value`
 *
 * A stream's document keeps them in the form in which they were sent, and answers show them so: a client whose types know
 * `value` as a list of strings sends `["1", "2"]` and must be able to read them again. `parseFilters` turns any accepted
 * form into this one.
 *
 * An empty list accepts everything. So the documented pair `[{event_type_id: [1,2,3]}, {"or": [{alert: true}]}]` means
 * "types 1, 2, 3, or any alert".
 */
export type FilterElement = PlainElement | AllElement | AnyElement | NotElement;
export type TopElement = FilterElement | OrElement;

export type PlainElement = (EventTypeElement | AlertElement) & { readonly op?: 'not_in' };
interface EventTypeElement {
  readonly field: 'event_type_id';
  readonly value: readonly number[];
}
interface AlertElement {
  readonly field: 'alert';
  readonly value: boolean | readonly boolean[];
}
// Types and not interfaces: only a type is a Json by its structure.
type AllElement = { readonly all: readonly FilterElement[] };
type AnyElement = { readonly any: readonly FilterElement[] };
type NotElement = { readonly not: FilterElement };
type OrElement = { readonly or: readonly FilterElement[] };

type ParsedFilters =
  | {
      readonly type: 'valid';
      /** As they were sent, without members that no filter has: what a stream's document keeps. */
      readonly filters: Json[];
      /** The same in the form above: what is evaluated. */
      readonly meaning: readonly TopElement[];
    }
  | { readonly type: 'invalid'; readonly faults: FieldFault[] };

/** Groups inside groups; deeper than a person can read, and shallow enough for a stack. */
export const DEEPEST_GROUP = 8;
/** Elements and groups of one stream together. */
export const MOST_ELEMENTS = 200;
/** Values of one stream together: several times the number of event types there are. */
export const MOST_VALUES = 1000;
/** The largest event type id that a block's index can hold. */
const LARGEST_EVENT_TYPE = 2 ** 32 - 1;
/** As many faults as one answer lists. */
const MOST_FAULTS = 20;
const GROUPS = ['all', 'any', 'not', 'or'] as const;

/**
 * Reads `filters` of a request's body, leniently where the meaning is plain: integers or their digits, a scalar or an
 * array, booleans or `"true"` and `"false"`, a null for what is not given. Never throws.
 * @returns the filters, or what is wrong with JSON pointers into the body (`/filters/0/value/1`)
 */
export function parseFilters(raw: unknown, kind: RecordKind): ParsedFilters {
  if (raw === undefined || raw === null) return { type: 'valid', filters: [], meaning: [] };
  const reader = new FilterReader();
  if (!Array.isArray(raw)) {
    reader.fault('InvalidFormat', '/filters', 'must be an array of filters');
  } else if (kind === 'usage' && raw.length > 0) {
    reader.fault('NotAllowed', '/filters', 'a stream of usage data cannot be filtered; send an empty array');
  } else {
    const elements = reader.list(raw, '/filters', (item, path) => reader.element(item, path, 0));
    if (reader.faults.length === 0) {
      return { type: 'valid', filters: elements.map(sentOf), meaning: elements.map(meaningOf) };
    }
  }
  return { type: 'invalid', faults: reader.faults };
}

/** Something of a filter that was read: how it was sent, and what it means. */
interface Read<Meaning> {
  readonly sent: Json;
  readonly meaning: Meaning;
}

const sentOf = ({ sent }: Read<unknown>): Json => sent;
const meaningOf = <Meaning>({ meaning }: Read<Meaning>): Meaning => meaning;

class FilterReader {
  readonly faults: FieldFault[] = [];
  #elements = 0;
  #values = 0;

  fault(token: ErrorToken, path: string, message: string): undefined {
    if (this.faults.length < MOST_FAULTS) this.faults.push({ token, path, message });
    return undefined;
  }

  /** What `read` makes of each item; stops early when there is no room for more faults. */
  list<T>(
    items: readonly unknown[],
    path: string,
    read: (item: unknown, path: string) => T | undefined,
  ): T[] {
    const result: T[] = [];
    for (const [index, item] of items.entries()) {
      if (this.faults.length >= MOST_FAULTS) break;
      const one = read(item, `${path}/${index}`);
      if (one !== undefined) result.push(one);
    }
    return result;
  }

  /** @param depth the number of groups around the element */
  element(raw: unknown, path: string, depth: number): Read<TopElement> | undefined {
    if (++this.#elements > MOST_ELEMENTS) {
      // One fault is enough, however many elements are to come.
      if (this.#elements > MOST_ELEMENTS + 1) return undefined;
      return this.fault('OutOfRange', path, `a stream may have up to ${MOST_ELEMENTS} filters and groups`);
    }
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
      return this.fault('InvalidFormat', path, 'must be an object such as {"field": "alert", "value": true}');
    }
    const object = raw as Readonly<Record<string, unknown>>;
    const given = (name: string) => Object.hasOwn(object, name) && object[name] != null;
    const groups = GROUPS.filter(given);
    const [group] = groups;
    if (group === undefined) return this.#plain(object, path);
    if (groups.length > 1 || given('field')) {
      const names = [...groups, ...(given('field') ? ['field'] : [])].join(' and ');
      return this.fault(
        'NotAllowed',
        path,
        `has ${names}: what they mean together is not said; use one of them`,
      );
    }
    return this.#group(group, object[group], `${path}/${group}`, depth);
  }

  #group(
    group: (typeof GROUPS)[number],
    raw: unknown,
    path: string,
    depth: number,
  ): Read<TopElement> | undefined {
    if (group === 'or' && depth > 0) {
      return this.fault(
        'NotAllowed',
        path,
        '"or" stands only at the top of the list; inside a group use "any"',
      );
    }
    if (depth >= DEEPEST_GROUP) {
      return this.fault('OutOfRange', path, `groups may be nested ${DEEPEST_GROUP} deep`);
    }
    const member = (item: unknown, at: string) =>
      this.element(item, at, depth + 1) as Read<FilterElement> | undefined;
    if (group === 'not') {
      const inner = member(raw, path);
      return inner && { sent: { not: inner.sent }, meaning: { not: inner.meaning } };
    }
    // A single element where a list is meant is as clear as a list of one.
    const items = Array.isArray(raw) ? raw : [raw];
    if (items.length === 0) return this.fault('OutOfRange', path, 'must have at least one filter');
    const read = this.list(items, path, member);
    const sent = Array.isArray(raw) ? read.map(sentOf) : (read[0]?.sent ?? null);
    const elements = read.map(meaningOf);
    if (group === 'all') return { sent: { all: sent }, meaning: { all: elements } };
    if (group === 'any') return { sent: { any: sent }, meaning: { any: elements } };
    return { sent: { or: sent }, meaning: { or: elements } };
  }

  #plain(object: Readonly<Record<string, unknown>>, path: string): Read<PlainElement> | undefined {
    const { field, op } = object;
    if (field == null) {
      return this.fault(
        'Required',
        `${path}/field`,
        'is missing: event_type_id, alert, or a group all, any, not',
      );
    }
    if (op != null && op !== 'in' && op !== 'not_in') {
      this.fault('NotAllowed', `${path}/op`, 'must be "in" or "not_in"');
    }
    const not = op === 'not_in' ? ({ op } as const) : {};
    const sent = (value: Json): Json => ({
      field: String(field),
      value,
      ...(op == null ? {} : { op: String(op) }),
    });
    if (field === 'event_type_id') {
      const value = this.#value(
        object.value,
        `${path}/value`,
        readEventType,
        'an event type id: an integer from 0',
      );
      return value && { sent: sent(value.sent), meaning: { field, value: value.meaning, ...not } };
    }
    if (field === 'alert') {
      const value = this.#value(object.value, `${path}/value`, readAlert, 'true or false');
      if (!value) return undefined;
      const [first = false, ...others] = value.meaning;
      const meaning: PlainElement = { field, value: others.length === 0 ? first : value.meaning, ...not };
      return { sent: sent(value.sent), meaning };
    }
    return this.fault('NotAllowed', `${path}/field`, 'must be event_type_id or alert');
  }

  /** The values of one element; what they mean, each once. */
  #value<T>(
    raw: unknown,
    path: string,
    read: (item: unknown) => T | undefined,
    expected: string,
  ): Read<T[]> | undefined {
    if (raw === undefined || raw === null) return this.fault('Required', path, 'is missing');
    const items: readonly unknown[] = Array.isArray(raw) ? raw : [raw];
    if (items.length === 0) return this.fault('OutOfRange', path, 'must have at least one value');
    this.#values += items.length;
    if (this.#values > MOST_VALUES) {
      return this.fault(
        'OutOfRange',
        path,
        `the filters of a stream may have up to ${MOST_VALUES} values together`,
      );
    }
    const values = this.list(items, path, (item, at) => {
      const value = read(item);
      return value === undefined
        ? this.fault('InvalidFormat', Array.isArray(raw) ? at : path, `must be ${expected}`)
        : value;
    });
    // Whatever could be read is a number, a text or a boolean. A number becomes 0 where it is -0, as JSON would print it.
    const sent = items.map((item) => (typeof item === 'number' ? item + 0 : item)) as Json[];
    return { sent: Array.isArray(raw) ? sent : (sent[0] as Json), meaning: [...new Set(values)] };
  }
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
