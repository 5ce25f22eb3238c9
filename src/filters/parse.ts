import type { FieldFault } from '../errors.ts';
import type { RecordKind } from '../records/block.ts';
import type { Json } from '../registry/registry.ts';
import { ConditionReader } from './condition.ts';
import { Faults, type Read } from './faults.ts';
import type { FilterElement, TopElement } from './syntax.ts';

type ParsedFilters =
  | {
      readonly type: 'valid';
      /** As they were sent, without labels: the form in a stream's document. */
      readonly filters: Json[];
      /** The same in the form of syntax.ts, for evaluation. */
      readonly meaning: readonly TopElement[];
    }
  | { readonly type: 'invalid'; readonly faults: FieldFault[] };

/** Groups inside groups; deeper than a person can read, and shallow enough for a stack. */
export const DEEPEST_GROUP = 8;
/** Elements and groups of one stream together. */
export const MOST_ELEMENTS = 200;
const GROUPS = ['all', 'any', 'not', 'or'] as const;
/**
 * An unknown member was probably meant to change the filter, and a stream must not deliver more or fewer records than
 * intended.
 */
const MEMBERS: readonly string[] = ['field', 'op', 'value', ...GROUPS];
/** Members that clients keep with a filter for themselves. They are dropped. */
const LABELS: readonly string[] = ['id', 'name', 'description'];

/**
 * Reads `filters` of a request's body, leniently where the meaning is plain: integers or their digits, a scalar or an
 * array, booleans or `"true"` and `"false"`, a null for a missing member. Never throws.
 * @returns the filters, or the faults with JSON pointers into the body (`/filters/0/value/1`)
 */
export function parseFilters(raw: unknown, kind: RecordKind): ParsedFilters {
  if (raw === undefined || raw === null) return { type: 'valid', filters: [], meaning: [] };
  const reader = new FilterReader(kind);
  const { faults } = reader;
  if (!Array.isArray(raw)) {
    faults.add('InvalidFormat', '/filters', 'must be an array of filters');
  } else {
    const elements = faults.list(raw, '/filters', (item, path) => reader.element(item, path, 0));
    if (faults.found.length === 0) {
      return { type: 'valid', filters: elements.map(sentOf), meaning: elements.map(meaningOf) };
    }
  }
  return { type: 'invalid', faults: faults.found };
}

const sentOf = ({ sent }: Read<unknown>): Json => sent;
const meaningOf = <Meaning>({ meaning }: Read<Meaning>): Meaning => meaning;

class FilterReader {
  readonly faults = new Faults();
  readonly #conditions: ConditionReader;
  #elements = 0;

  constructor(kind: RecordKind) {
    this.#conditions = new ConditionReader(kind, this.faults);
  }

  /** @param depth the number of groups around the element */
  element(raw: unknown, path: string, depth: number): Read<TopElement> | undefined {
    const { faults } = this;
    if (++this.#elements > MOST_ELEMENTS) {
      // One fault is enough, however many elements are to come.
      if (this.#elements > MOST_ELEMENTS + 1) return undefined;
      return faults.add('OutOfRange', path, `a stream may have up to ${MOST_ELEMENTS} filters and groups`);
    }
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
      return faults.add('InvalidFormat', path, 'must be an object such as {"field": "alert", "value": true}');
    }
    const object = raw as Readonly<Record<string, unknown>>;
    const given = (name: string) => Object.hasOwn(object, name) && object[name] != null;
    const groups = GROUPS.filter(given);
    const other = Object.keys(object).find(
      (name) => !MEMBERS.includes(name) && !LABELS.includes(name) && object[name] != null,
    );
    if (other !== undefined) {
      return faults.add('NotAllowed', `${path}/${other}`, `is unknown; a filter has ${MEMBERS.join(', ')}`);
    }
    const [group] = groups;
    if (group === undefined) return this.#conditions.read(object, path);
    if (groups.length > 1 || given('field')) {
      const names = [...groups, ...(given('field') ? ['field'] : [])].join(' and ');
      return faults.add('NotAllowed', path, `has ${names}, which have no meaning together; use one of them`);
    }
    return this.#group(group, object[group], `${path}/${group}`, depth);
  }

  #group(
    group: (typeof GROUPS)[number],
    raw: unknown,
    path: string,
    depth: number,
  ): Read<TopElement> | undefined {
    const { faults } = this;
    if (group === 'or' && depth > 0) {
      return faults.add(
        'NotAllowed',
        path,
        '"or" is allowed only at the top of the list; inside a group use "any"',
      );
    }
    if (depth >= DEEPEST_GROUP) {
      return faults.add('OutOfRange', path, `groups may be nested ${DEEPEST_GROUP} deep`);
    }
    const member = (item: unknown, at: string) =>
      this.element(item, at, depth + 1) as Read<FilterElement> | undefined;
    if (group === 'not') {
      const inner = member(raw, path);
      return inner && { sent: { not: inner.sent }, meaning: { not: inner.meaning } };
    }
    // A single element where a list is meant is as clear as a list of one.
    const items = Array.isArray(raw) ? raw : [raw];
    if (items.length === 0) return faults.add('OutOfRange', path, 'must have at least one filter');
    const read = faults.list(items, path, member);
    const sent = Array.isArray(raw) ? read.map(sentOf) : (read[0]?.sent ?? null);
    const elements = read.map(meaningOf);
    if (group === 'all') return { sent: { all: sent }, meaning: { all: elements } };
    if (group === 'any') return { sent: { any: sent }, meaning: { any: elements } };
    return { sent: { or: sent }, meaning: { or: elements } };
  }
}
