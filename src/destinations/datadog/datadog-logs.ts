import { compileFields, textAt } from '../../records/fields.ts';
import { recordTime } from '../../records/record-time.ts';
import type { Cause } from '../contract.ts';

/** The log entry of one event, or its fault. */
type LogReading =
  | { readonly type: 'entry'; readonly entry: LogEntry }
  | { readonly type: 'rejected'; readonly cause: Cause };

/** The JSON of a log entry in two parts; a brace must close it. */
export interface LogEntry {
  /** The attributes and the record, without the brace that ends it: a copy, because the record lies in memory that others use next. */
  readonly bytes: Buffer;
}

/**
 * The logs intake accepts entries of the last 18 hours. This limit is half a minute shorter, the longest time of a request: a
 * quarantined entry can be sent again, an entry that Datadog drops is lost.
 */
const OLDEST_ENTRY = 18 * 3_600_000 - 30_000;

const FIELDS = [
  'timestamp',
  'id',
  'description',
  'event_type.id',
  'event_type.description',
  'event_severity.id',
  'event_severity.description',
  'alert',
  'organisation.id',
  'endpoint.id',
  'sim.iccid',
] as const;
type Field = (typeof FIELDS)[number];
const SLOT = Object.fromEntries(FIELDS.map((field, slot) => [field, slot])) as Record<Field, number>;

const reader = compileFields(FIELDS);

/** emnify's severities as Datadog's log statuses, by id and by the texts of both forms of the record. */
const STATUS: Readonly<Record<string, string>> = {
  '0': 'info',
  '1': 'warning',
  '2': 'error',
  info: 'info',
  warn: 'warning',
  critical: 'error',
};

/**
 * Reads an event as a log entry: Datadog's reserved attributes from its fields, and under `event` the record's own bytes.
 * @param now milliseconds since the epoch
 */
export function readEvent(record: Uint8Array, now: number): LogReading {
  const places = reader.read(record, 0, record.length);
  const field = (name: Field) => {
    const slot = SLOT[name];
    return textAt(record, places[slot * 2] as number, places[slot * 2 + 1] as number);
  };
  const time = recordTime(field('timestamp'));
  if (time === undefined) return { type: 'rejected', cause: NO_TIME };
  if (time < now - OLDEST_ENTRY) return { type: 'rejected', cause: TOO_OLD };
  const type = field('event_type.id');
  const severity = field('event_severity.id') ?? field('event_severity.description')?.toLowerCase() ?? '';
  const alert = field('alert');
  const tags = [
    tag('org', field('organisation.id')),
    tag('event_type', type),
    tag('alert', alert === '1' ? 'true' : alert === '0' ? 'false' : alert),
    tag('endpoint', field('endpoint.id')),
    tag('iccid', field('sim.iccid')),
  ].filter((one) => one !== undefined);
  const attributes = {
    ddsource: 'simstream',
    service: 'simstream',
    status: STATUS[severity] ?? 'info',
    timestamp: new Date(time).toISOString(),
    ddtags: tags.join(','),
    message: field('description') ?? field('event_type.description') ?? `Event ${type}`,
    // As text: Datadog keeps numbers as doubles, and ids have 64 bits. It is what tells a duplicate.
    record_id: field('id'),
    // Entries of one event type belong together, as events with this key do in Datadog's event stream.
    aggregation_key: `event_type:${type}`,
  };
  const head = `${JSON.stringify(attributes).slice(0, -1)},"event":`;
  return { type: 'entry', entry: { bytes: Buffer.concat([Buffer.from(head), record]) } };
}

const OPEN = Buffer.from('[');
const NEXT = Buffer.from('},');
const CLOSE = Buffer.from('}]');

/** Bytes of an entry in a body. */
export function logBytes({ bytes }: LogEntry): number {
  return bytes.length + NEXT.length;
}

/** The body of a call of the logs intake. */
export function logsBody(entries: readonly LogEntry[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const { bytes } of entries) parts.push(parts.length > 0 ? NEXT : OPEN, bytes);
  return Buffer.concat([...parts, CLOSE]);
}

/** A comma would end the tag. */
function tag(name: string, value: string | undefined): string | undefined {
  return value ? `${name}:${value.replaceAll(',', '_')}` : undefined;
}

const NO_TIME: Cause = {
  code: 'no_timestamp',
  message: 'The event has no readable timestamp, and Datadog needs the time of the event.',
};
const TOO_OLD: Cause = {
  code: 'entry_too_old',
  message: 'The event is more than 18 hours old; the logs intake of Datadog does not accept such entries.',
};
