import { type TSchema, Type } from 'typebox';
import type { DestinationType } from '../../destinations/contract.ts';
import { TYPES_IN_WORDS } from '../../records/kinds.ts';
import type { DocumentKeywords } from '../openapi-components.ts';
import { destinationChangeSchema, destinationSchema, maskedCredentialsSchema } from './destination-schema.ts';

/** The schemas of a data stream in requests and answers. Names and values are emnify's; additions say so. */

/** Free text; long enough for any name, short enough for any list. */
export const LONGEST_NAME = 500;

export const RELATIONS = { 1: 'Own', 2: 'Children', 3: 'Both' } as const;

export const DataStreamParameters = Type.Object({
  id: Type.String({ description: 'Id of the data stream.', examples: ['5f3a9c1e'] }),
});

/** An id in a request: generated clients send 2, 2.0 or "2". Its value is checked where it is read. */
export const GivenId = (description: string, example: number) =>
  Type.Object({
    id: Type.Unsafe<number | string>({ type: ['number', 'string'], description, examples: [example] }),
    description: Type.Optional(Type.Unknown({ description: 'Ignored.' })),
  });

const ShownId = (description: string) =>
  Type.Object({ id: Type.Integer({ description }), description: Type.String() });

const Filter = Type.Object(
  {
    field: Type.Optional(
      Type.String({
        description:
          'A path of names in the record, such as `operator.country.mcc`, `volume.total` or `sim.iccid`; of events also `event_type_id` and `alert`.',
        examples: ['volume.total'],
      }),
    ),
    value: Type.Optional(
      Type.Unknown({
        description:
          'A text, a number, true or false; or a list of them, any of which matches. A text also equals the number that it writes: send numbers of more than 15 digits as text. For `exists` true (the default) or false.',
      }),
    ),
    op: Type.Optional(
      Type.String({
        description:
          '`in` (the default), `not_in`, `eq`, `ne`, `lt`, `lte`, `gt`, `gte`, `exists`, `prefix` or `contains`. A missing field passes only `not_in`, `ne` and `exists` with false.',
        examples: ['in'],
      }),
    ),
    or: Type.Optional(
      Type.Unknown({ description: 'Filters; joined to the rest of the list by OR. At the top only.' }),
    ),
    all: Type.Optional(Type.Unknown({ description: 'Filters that must all accept a record.' })),
    any: Type.Optional(Type.Unknown({ description: 'Filters of which one must accept a record.' })),
    not: Type.Optional(Type.Unknown({ description: 'A filter that must not accept a record.' })),
  },
  {
    'x-component': 'Filter',
    description:
      'Either `field` and `value`, or one group. The elements of the list are joined by AND, the values of one by OR.',
    examples: [{ field: 'event_type_id', value: [1, 2, 3] }],
  } satisfies DocumentKeywords,
);

export const Filters = Type.Array(Filter, {
  description: 'Filters for the records to deliver; empty: all.',
  examples: [[{ field: 'event_type_id', value: [3, 5] }, { or: [{ field: 'alert', value: true }] }]],
});

const most = (maximum: number, description: string) =>
  Type.Optional(
    Type.Integer({ minimum: 0, maximum, description: `${description} 0: no limit, as if it were left out.` }),
  );

export const Delivery = Type.Object(
  {
    ordering: Type.Optional(
      Type.Union([Type.Literal('stream'), Type.Literal('device')], {
        description:
          '`stream` (the default): one request at a time, in the order of arrival. `device`: in order per endpoint, and requests of different endpoints at the same time. Files are always in order.',
      }),
    ),
    max_in_flight: most(64, 'With `device`: the most requests at a time; 4 by default.'),
    max_records_per_second: most(1_000_000, 'The most records a second.'),
    max_requests_per_second: most(10_000, 'The most requests a second.'),
    min_records: most(
      100_000,
      'A request is sent when this many records wait, or the oldest has waited `max_wait_ms`.',
    ),
    max_wait_ms: most(3_600_000, 'The longest that a record waits for `min_records`; 10 s by default.'),
  },
  {
    'x-component': 'Delivery',
    description: 'Order and pace of the requests.',
    examples: [{ ordering: 'device', max_in_flight: 16 }],
  } satisfies DocumentKeywords,
);

const Paths = (description: string, examples: readonly string[]) =>
  Type.Optional(Type.Array(Type.String(), { description, examples: [examples] }));

const Privacy = Type.Object(
  {
    drop: Paths('Fields that are removed.', ['sim.msisdn', 'endpoint.imei']),
    hash: Paths(
      'Fields that are replaced by a keyed hash: HMAC-SHA-256 in hexadecimal, with a key of the organisation that never changes. In an object, each value is hashed.',
      ['imsi', 'sim.iccid'],
    ),
  },
  {
    'x-component': 'Privacy',
    description:
      'Fields that the receiver does not get. Filters see all fields. `id`, `organisation.id`, the types and the timestamps of a record stay.',
    examples: [{ drop: ['sim.msisdn'], hash: ['imsi', 'sim.iccid'] }],
  } satisfies DocumentKeywords,
);

const bodyFields = {
  name: Type.Optional(Type.String({ maxLength: LONGEST_NAME, description: 'Free text.' })),
  // The filter language checks filters itself; its errors are clearer.
  filters: Type.Optional(Type.Unsafe<unknown>({ 'x-any-of': [Filters] } satisfies DocumentKeywords)),
  relation_resolution: Type.Optional(
    GivenId('Records of 1 Own, 2 Children, 3 Both; in the tree of organisations. Default 1.', 1),
  ),
  delivery: Type.Optional(Delivery),
  auto_restart: Type.Optional(
    Type.Boolean({
      description:
        'Whether a stream in Error tries by itself: a few records after a minute, then after growing pauses of up to an hour. It runs again when the destination takes some.',
    }),
  ),
  // Its own reader gives clearer errors than a schema.
  privacy: Type.Optional(Type.Unsafe<unknown>({ 'x-any-of': [Privacy] } satisfies DocumentKeywords)),
  status: Type.Optional(GivenId('1 Running or 2 Paused. A paused stream keeps its records for later.', 1)),
};

const TypeField = GivenId(`${TYPES_IN_WORDS}.`, 2);

export interface DataStreamSchemas {
  readonly create: ReturnType<typeof createSchema>;
  readonly patch: ReturnType<typeof patchSchema>;
  readonly test: ReturnType<typeof testSchema>;
  readonly preview: ReturnType<typeof previewSchema>;
  readonly view: TSchema;
}

type DestinationTypes = ReadonlyMap<string, DestinationType>;

/** Several routes have them. */
const made = new WeakMap<DestinationTypes, DataStreamSchemas>();

/** The schemas for these connection types: the same objects each time, so that each is compiled once. */
export function dataStreamSchemas(types: DestinationTypes): DataStreamSchemas {
  const schemas = made.get(types) ?? makeSchemas([...types.values()]);
  made.set(types, schemas);
  return schemas;
}

function makeSchemas(list: readonly DestinationType[]): DataStreamSchemas {
  const destination = destinationSchema(list);
  return {
    create: createSchema(destination),
    patch: patchSchema(destinationChangeSchema(list)),
    test: testSchema(destinationChangeSchema(list)),
    preview: previewSchema(destinationChangeSchema(list)),
    view: viewSchema(list),
  };
}

function createSchema(destination: ReturnType<typeof destinationSchema>) {
  return Type.Object({ ...createFields(destination) }, {
    'x-component': 'CreateDataStream',
  } satisfies DocumentKeywords);
}

function createFields<D extends TSchema>(destination: D) {
  return {
    ...bodyFields,
    data_stream_type: TypeField,
    destination,
    start_from: Type.Optional(
      Type.String({
        maxLength: 64,
        description:
          'A time within the retention, or `earliest`: records that arrived since then are delivered first. Default: now.',
        examples: ['earliest'],
      }),
    ),
    continue_from: Type.Optional(
      Type.String({
        maxLength: 64,
        description:
          'Id of a data stream of the same organisation and type. The new one begins exactly where that one ends: that one is paused, ends its delivery in flight, and has the new id in `taken_over_by`.',
        examples: ['5f3a9c1e'],
      }),
    ),
  };
}

function testSchema(destination: ReturnType<typeof destinationChangeSchema>) {
  const id = Type.Optional(
    Type.String({
      maxLength: 64,
      description:
        'A data stream that is to be changed like this: masks (`***`) and missing fields of the destination get its values.',
    }),
  );
  return Type.Object({ ...createFields(destination), id }, {
    'x-component': 'TestDataStream',
  } satisfies DocumentKeywords);
}

function previewSchema(destination: ReturnType<typeof destinationChangeSchema>) {
  const fields = createFields(Type.Optional(destination));
  const id = Type.Optional(
    Type.String({
      maxLength: 64,
      description: 'A data stream that is to be changed like this: masks (`***`) get its values.',
    }),
  );
  return Type.Object({ ...fields, id }, {
    'x-component': 'PreviewDataStream',
  } satisfies DocumentKeywords);
}

function patchSchema(destination: ReturnType<typeof destinationChangeSchema>) {
  const fields = {
    ...bodyFields,
    data_stream_type: Type.Optional(TypeField),
    destination: Type.Optional(destination),
  };
  return Type.Object(fields, {
    'x-component': 'PatchDataStream',
    description:
      'The call changes the fields that are given; `filters` are replaced as a whole. A field that has the value of an answer changes nothing. After a change of `data_stream_type`, pending records of the earlier type count as filtered.',
  } satisfies DocumentKeywords);
}

/** A schema, or null. */
export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
export const Time = (description: string) => Type.String({ format: 'date-time', description });
const Count = (description: string) => Type.Integer({ minimum: 0, description });

export const StatusView = Type.Object({
  id: Type.Integer({ description: '1 Running, 2 Paused, 3 Error, 4 Pending; of a replay also 5 Finished.' }),
  description: Type.String(),
  message: Type.String({ description: 'The state in plain words.' }),
  since: Time('Since when.'),
});

export const LastError = nullable(
  Type.Object({ code: Type.String(), message: Type.String(), at: Time('When it happened.') }),
);

export const Progress = Type.Object({
  delivered: Count('Records that the destination took.'),
  filtered: Count('Records that did not pass the filters.'),
  quarantined: Count('Records that the destination refused for good; they are in quarantine.'),
  expired: Count('Records that were not delivered within the retention.'),
  pending: Count('Records that are not delivered yet.'),
  oldest_pending_at: nullable(Time('Arrival of the oldest pending record.')),
  last_delivered_at: nullable(Time('End of the last delivery.')),
});

function viewSchema(types: readonly DestinationType[]): TSchema {
  return Type.Object(
    {
      id: Type.String({ examples: ['5f3a9c1e'] }),
      name: Type.Optional(Type.String()),
      destination: Type.Object({
        connection_type: Type.String(),
        credentials: Type.Unsafe<unknown>({
          type: 'object',
          'x-any-of': types.map((type) => maskedCredentialsSchema(type, 'Shown')),
          description: 'Secrets are masked: `***`.',
        } satisfies DocumentKeywords),
        format: Type.String(),
        target: Type.String({ description: 'The address of the destination, without secrets.' }),
      }),
      filters: Filters,
      data_stream_type: ShownId(`${TYPES_IN_WORDS}.`),
      relation_resolution: ShownId('1 Own, 2 Children, 3 Both.'),
      status: StatusView,
      continue_from: Type.Optional(
        Type.String({ description: 'Id of the data stream that this one took over from.' }),
      ),
      taken_over_by: Type.Optional(
        Type.String({
          description: 'Id of the data stream that took over from this one, which stays paused.',
        }),
      ),
      delivery: Type.Optional(Delivery),
      privacy: Type.Optional(Privacy),
      auto_restart: Type.Boolean({ description: 'Whether it tries by itself while it is in Error.' }),
      created: Time('When it was created.'),
      modified: Time('When it was last changed.'),
      etag: Type.String({
        description:
          'The version of what people have set, as in the header `ETag`. Sent back as `If-Match`, it makes a change fail that would undo somebody else’s.',
        examples: ['"mk2x8w3c"'],
      }),
      last_error: LastError,
      retrying: nullable(
        Type.Object({
          since: Time('First failure of the run.'),
          tries: Count('Tries since then.'),
          message: Type.String({ description: 'Why the last one failed.' }),
          next_at: nullable(Time('When it is tried again, at the latest; null where that is not known.')),
        }),
      ),
      progress: Progress,
      expired_hours: Type.Array(
        Type.Object({ hour: Time('Start of the hour of arrival.'), records: Count('Records that expired.') }),
        { description: 'Expired records by the hour of their arrival, oldest first.' },
      ),
    },
    { 'x-component': 'DataStream' } satisfies DocumentKeywords,
  );
}
