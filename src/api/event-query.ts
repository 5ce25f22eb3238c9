import { ApiError, type FieldFault } from '../errors.ts';
import { parseFilters } from '../filters/parse.ts';
import { parseTime } from '../lib/time.ts';
import type { Json } from '../registry/registry.ts';
import { parseJson } from './body.ts';

/** The events that a call asks for, beside the organisation. */
interface EventCriteria {
  /** In the form of a data stream's filters. */
  readonly filters: readonly Json[];
  /** ms since the epoch: from (included) to until (excluded). */
  readonly from?: number;
  readonly until?: number;
}

/** As many values as emnify takes for one field. */
const MOST_VALUES = 6;
/** Longer than any criteria that a person writes. */
export const LONGEST_Q = 4_000;

type Condition = (values: readonly string[]) => Json;

const among =
  (field: string): Condition =>
  (values) => ({ field, value: [...values] });
const containing =
  (field: string): Condition =>
  (values) => ({ field, op: 'contains', value: [...values] });
/** A value of digits is an id, any other is a name. */
const named =
  (id: string, name: string, forms: (name: string) => string[] = (text) => [text]): Condition =>
  (values) => {
    const ids = values.filter((value) => /^\d+$/.test(value));
    const names = values.filter((value) => !/^\d+$/.test(value)).flatMap(forms);
    const conditions = [
      ...(ids.length > 0 ? [{ field: id, value: ids }] : []),
      ...(names.length > 0 ? [{ field: name, value: names }] : []),
    ];
    return { any: conditions };
  };
/** Severities come as `Warn` and as `WARN`. */
const anyCase = (text: string) => [
  text,
  text.toUpperCase(),
  text.charAt(0).toUpperCase() + text.slice(1).toLowerCase(),
];

/** The fields of emnify's `q`, and what each means in a record. */
const FIELDS: ReadonlyMap<string, Condition> = new Map<string, Condition>([
  ['type', named('event_type_id', 'event_type.description')],
  ['severity', named('event_severity.id', 'event_severity.description', anyCase)],
  ['source', named('event_source.id', 'event_source.description')],
  [
    'alert',
    (values) => ({ field: 'alert', value: values.map((value) => value === 'true' || value === '1') }),
  ],
  ['description', containing('description')],
  ['organisation', named('organisation.id', 'organisation.name')],
  ['user', named('user.id', 'user.username')],
  ['endpoint', named('endpoint.id', 'endpoint.name')],
  ['tags', containing('endpoint.tags')],
  ['ip_address', among('endpoint.ip_address')],
  ['imei', among('endpoint.imei')],
  ['iccid', among('sim.iccid')],
  // Records have the ICCID with its check digit or without it.
  [
    'iccid_with_luhn',
    (values) => ({ field: 'sim.iccid', value: values.flatMap((value) => [value, value.slice(0, -1)]) }),
  ],
  ['imsi', among('imsi.imsi')],
  ['network', named('detail.id', 'detail.name')],
  ['rat', among('detail.pdp_context.rat_type')],
  ['country', named('detail.country.id', 'detail.country.name')],
]);
const TIMES = ['from', 'until'] as const;
export const Q_FIELDS = [...TIMES, ...FIELDS.keys()];

/**
 * Reads emnify's `q` (`type:3|5,alert:true,from:2026-01-31T00:00:00Z,until:…`) and `filters` (JSON, as of a data stream).
 * All of them together must hold.
 * @throws ApiError InvalidQueryCriteria
 */
export function readEventCriteria({
  q = '',
  filters = '',
}: {
  readonly q?: string;
  readonly filters?: string;
}): EventCriteria {
  const times: { from?: number; until?: number } = {};
  const conditions: Json[] = [];
  const names: string[] = [];
  for (const part of q.split(',').filter((text) => text.trim() !== '')) {
    const [field, values] = fieldOf(part);
    if (field === 'from' || field === 'until') times[field] = timeOf(field, values);
    else {
      conditions.push((FIELDS.get(field) as Condition)(valuesOf(field, values)));
      names.push(field);
    }
  }
  if (times.from !== undefined && times.until !== undefined && times.from >= times.until)
    throw wrong('q: from must lie before until');
  const given = filters.trim() === '' ? [] : parseJson(Buffer.from(filters), 'filters');
  const parsed = parseFilters(given, 'event');
  const own = parseFilters(conditions, 'event');
  if (parsed.type === 'invalid') throw wrong(messageOf(parsed.faults));
  if (own.type === 'invalid') {
    const [fault] = own.faults;
    throw wrong(`q: ${names[Number(fault?.path.split('/')[2])] ?? 'the conditions'} ${fault?.message}`);
  }
  // A top-level `or` of the filters must not let events pass by `q`.
  return { filters: [...conditions, ...grouped(parsed.filters)], ...times };
}

/** The filters as one condition: joined as a data stream joins them. */
function grouped(filters: readonly Json[]): Json[] {
  if (filters.length === 0) return [];
  const elements = filters as readonly { readonly [name: string]: Json }[];
  const rest = elements.filter((element) => !('or' in element));
  const alternatives = elements.flatMap((element) => ('or' in element ? [element.or].flat() : [])) as Json[];
  if (alternatives.length === 0) return [...rest];
  return [{ any: [...alternatives, ...(rest.length > 0 ? [{ all: [...rest] }] : [])] }];
}

function fieldOf(part: string): [string, string] {
  const colon = part.indexOf(':');
  const field = part.slice(0, Math.max(0, colon)).trim();
  if (colon < 0) throw wrong(`q: ${quoted(part)} has no colon; a condition is field:value`);
  if (!Q_FIELDS.includes(field)) {
    throw wrong(`q: ${quoted(field)} is not a field; the fields are ${Q_FIELDS.join(', ')}`);
  }
  return [field, part.slice(colon + 1).trim()];
}

function valuesOf(field: string, text: string): readonly string[] {
  const values = text.split('|').map((value) => value.trim());
  if (values.includes('')) throw wrong(`q: ${field} has an empty value`);
  if (values.length > MOST_VALUES)
    throw wrong(`q: ${field} has ${values.length} values; up to ${MOST_VALUES} are allowed`);
  if (field === 'alert' && values.some((value) => !/^(true|false|0|1)$/.test(value)))
    throw wrong('q: alert must be true or false');
  return values;
}

function timeOf(field: string, text: string): number {
  const time = parseTime(text);
  if (time === undefined) throw wrong(`q: ${field} must be a date and time, e.g. 2026-01-31T08:00:00Z`);
  return time;
}

const messageOf = ([fault]: readonly FieldFault[]) => `${fault?.path.slice(1)}: ${fault?.message}`;
const quoted = (text: string) => JSON.stringify(text.slice(0, 100));
const wrong = (message: string) => new ApiError('InvalidQueryCriteria', message);
