import { Type } from 'typebox';
import type { DestinationType } from '../../destinations/contract.ts';
import { EVENT_TYPES } from '../../records/event-types.ts';
import { RECORD_EXAMPLES } from '../../records/examples.ts';
import { RECORD_KINDS, STREAM_TYPES, TYPES_IN_WORDS } from '../../records/kinds.ts';
import { sampleEvent } from '../../records/sample-event.ts';
import { RECORD_FIELDS } from '../../records/schema.ts';
import { STATUS_DESCRIPTIONS, STATUS_IDS, type StreamState } from '../../registry/data-stream.ts';
import { anyRecordSchema } from '../operator/record-schemas.ts';
import { defineRoute, type Route } from '../route.ts';
import { credentialsSchema } from './destination-schema.ts';
import { nullable } from './schema.ts';

const Entry = Type.Object(
  { id: Type.Integer(), description: Type.String() },
  { 'x-component': 'LookupEntry' },
);
const EventTypeEntry = Type.Object(
  {
    id: Type.Integer(),
    description: Type.String({ description: 'Its name.' }),
    meaning: Type.String({ description: 'When such an event occurs; backticks mark code.' }),
    severity: nullable(Type.String({ description: 'The usual one, `Info` or `Warn`; null: not known.' })),
    source: nullable(Type.String({ description: '`Network`, `Policy Control` or `API`.' })),
    alert: nullable(Type.Boolean()),
  },
  { 'x-component': 'EventType' },
);
const ConnectionType = Type.Object(
  {
    id: Type.String({ description: 'The value of `destination.connection_type`.' }),
    description: Type.String({ description: 'The name of the service.' }),
    summary: Type.String({ description: 'Its use, in one line.' }),
    icon: Type.String({ description: 'The path of a line drawing in a box of 24 by 24, as in SVG’s `d`.' }),
    setup: Type.Array(
      Type.Object({
        text: Type.String({ description: 'Two asterisks around a text mark names, backticks mark code.' }),
        copy: Type.Optional(
          Type.Object(
            { label: Type.String(), text: Type.String() },
            {
              description:
                'A text to copy. `{aws_principal}`, `{aws_external_id}` and `{google_service_account}` stand for the members of the platform lookup.',
            },
          ),
        ),
      }),
      { description: 'Steps at the destination before a stream can deliver to it, in order.' },
    ),
    formats: Type.Array(Type.String(), {
      description: 'The values of `destination.format`; the first is the default.',
    }),
    schema: Type.Unsafe<unknown>({
      type: 'object',
      description:
        'JSON Schema of `destination.credentials`, with titles, help, defaults and ranges. A property with `x-secret` is secret: `all` of it, the values of `headers`, the key in a `connectionString`, or the values of the query and long path segments of a `url`.',
    }),
  },
  { 'x-component': 'ConnectionType' },
);

const FilterField = Type.Object(
  {
    id: Type.String({ description: 'The value of `field`. Any other path of a record may be used too.' }),
    description: Type.String(),
    data_stream_types: Type.Array(Type.Integer(), {
      description: `The types of streams that have it: ${TYPES_IN_WORDS}.`,
    }),
  },
  { 'x-component': 'FilterField' },
);

/** emnify's two fields first, then every field that records have by name. */
const FILTER_FIELDS = [
  { id: 'event_type_id', description: 'Filter by event type id', data_stream_types: [2] },
  { id: 'alert', description: 'Filter by alert', data_stream_types: [2] },
  ...fieldsOfRecords(),
];

function fieldsOfRecords() {
  const fields = new Map<string, { id: string; description: string; data_stream_types: number[] }>();
  for (const kind of RECORD_KINDS) {
    for (const { path, meaning } of RECORD_FIELDS[kind]) {
      if (path === 'alert') continue;
      const field = fields.get(path) ?? { id: path, description: meaning, data_stream_types: [] };
      field.data_stream_types.push(STREAM_TYPES[kind].id);
      fields.set(path, field);
    }
  }
  return [...fields.values()];
}

/** The lists of values that the fields of a data stream can have; each word is in the place of an id. */
export function dataStreamLookupRoutes(types: ReadonlyMap<string, DestinationType>): Route[] {
  const statuses = (Object.keys(STATUS_IDS) as StreamState[]).map((state) => ({
    id: STATUS_IDS[state],
    description: STATUS_DESCRIPTIONS[state],
  }));
  const connectionTypes = [...types.values()].map((type) => {
    const { 'x-component': _, ...schema } = credentialsSchema(type) as { 'x-component'?: string };
    const { connectionType, title, summary, icon, setup, formats } = type;
    return { id: connectionType, description: title, summary, icon, setup, formats, schema };
  });
  return [
    lookup('status', 'GetDataStreamerStatuses', 'The statuses of a data stream', Entry, statuses),
    lookup(
      'type',
      'GetDataStreamerDataStreamType',
      'The types of data streams',
      Entry,
      Object.values(STREAM_TYPES),
    ),
    lookup(
      'connection_type',
      'GetDataStreamerConnectionType',
      'The connection types, each with the schema of its credentials',
      ConnectionType,
      connectionTypes,
    ),
    lookup(
      'filter_field_type',
      'GetDataStreamerEnumFilterFieldType',
      'The fields that records can be filtered by',
      FilterField,
      FILTER_FIELDS,
    ),
  ];
}

function lookup(
  word: string,
  operationId: string,
  summary: string,
  entry: typeof Entry | typeof FilterField | typeof ConnectionType,
  entries: readonly object[],
): Route {
  return defineRoute({
    method: 'GET',
    path: `/api/v2/data_stream/${word}`,
    operationId,
    tags: ['Data Streamer'],
    summary,
    access: 'read',
    responses: { 200: { description: 'All of them.', schema: Type.Array(entry) } },
    handler: () => ({ status: 200, body: entries }),
  });
}

/** `GET /api/v1/event/type`. */
export function eventTypeRoutes(): Route[] {
  const entries = [...EVENT_TYPES.values()].map(({ id, name, meaning, usual }) => ({
    id,
    description: name,
    meaning,
    severity: usual?.severity ?? null,
    source: usual?.source ?? null,
    alert: usual?.alert ?? null,
  }));
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/event/type',
      operationId: 'GetEventTypes',
      tags: ['Event'],
      summary: 'List the event types with a name',
      description: 'The set is open: events of other types are delivered, too, and filters accept any id.',
      access: 'read',
      responses: { 200: { description: 'All of them.', schema: Type.Array(EventTypeEntry) } },
      handler: () => ({ status: 200, body: entries }),
    }),
  ];
}

/** `GET /api/v2/data_stream/sample_record`. */
export function sampleRecordRoute(): Route {
  return defineRoute({
    method: 'GET',
    path: '/api/v2/data_stream/sample_record',
    operationId: 'GetDataStreamSampleRecord',
    tags: ['Data Streamer'],
    summary: 'A sample of the records that a data stream delivers',
    description: 'For building a receiver before the first record comes. It belongs to no real device.',
    access: 'read',
    query: Type.Object({
      data_stream_type: Type.Integer({
        enum: Object.values(STREAM_TYPES).map(({ id }) => id),
        description: `${TYPES_IN_WORDS}.`,
        examples: [2],
      }),
      event_type_id: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: LARGEST_EVENT_TYPE,
          default: 3,
          description: 'Of events: the type. `detail` is filled only for type 3.',
          examples: [3],
        }),
      ),
    }),
    responses: {
      200: {
        description: 'The record in the form of a webhook.',
        schema: anyRecordSchema(),
        contentType: 'application/json',
      },
    },
    handler: ({ query: { data_stream_type, event_type_id = 3 } }) => ({
      status: 200,
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: sampleOf(data_stream_type, event_type_id),
    }),
  });
}

function sampleOf(typeId: number, eventType: number): string {
  const kind = RECORD_KINDS.find((each) => STREAM_TYPES[each].id === typeId) ?? 'event';
  return kind === 'event' ? sampleEvent(eventType) : RECORD_EXAMPLES[kind];
}

/** Ids of types have 32 bits. */
const LARGEST_EVENT_TYPE = 2 ** 32 - 1;
