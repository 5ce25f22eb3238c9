import type { TObject } from 'typebox';
import type { DestinationType } from '../../destinations/contract.ts';
import type { BodyExamples } from '../route.ts';
import { EXAMPLE_RECEIVER } from '../route.ts';

/**
 * Named examples of the bodies of data streams, for the OpenAPI document and the page that tries the API. Those of the
 * connection types come from the connectors' own schemas. A test sends each of them.
 */
const webhook = {
  connection_type: 'RestAPI',
  credentials: { url: EXAMPLE_RECEIVER },
  format: 'Json',
};
const events = (name: string, filters: readonly object[]) => ({
  name,
  data_stream_type: { id: 2 },
  filters,
  destination: webhook,
});

const FILTERS: BodyExamples = {
  'Filter: event types': {
    summary: 'Sessions that were opened (3) or closed (5)',
    value: events('Sessions', [{ field: 'event_type_id', value: [3, 5] }]),
  },
  'Filter: alerts': {
    summary: 'Alerts only',
    value: events('Alerts', [{ field: 'alert', value: true }]),
  },
  'Filter: event types, or any alert': {
    summary: 'The documented pair: types 1, 2 and 3, and alerts of every type',
    value: events('Attaches and alerts', [
      { field: 'event_type_id', value: [1, 2, 3] },
      { or: [{ field: 'alert', value: true }] },
    ]),
  },
  'Filter: all but some event types': {
    summary: 'Everything except location updates',
    value: events('Without locations', [{ field: 'event_type_id', value: [1, 2], op: 'not_in' }]),
  },
  'Filter: usage': {
    summary: 'Usage data of more than 0.5 MB outside of Germany, of SIMs with one of two tags',
    value: {
      name: 'Roaming',
      data_stream_type: { id: 1 },
      filters: [
        { field: 'volume.total', op: 'gt', value: 0.5 },
        { field: 'operator.country.mcc', op: 'not_in', value: ['262'] },
        { field: 'endpoint.tags', op: 'contains', value: ['meter', 'gateway'] },
      ],
      destination: webhook,
    },
  },
  'Filter: any field of events': {
    summary: 'Sessions of one access point name, or without an endpoint',
    value: events('One APN', [
      { field: 'event_type_id', value: [3] },
      {
        any: [
          { field: 'detail.pdp_context.apn', op: 'eq', value: 'iot.example' },
          { field: 'endpoint', op: 'exists', value: false },
        ],
      },
    ]),
  },
  'Filter: groups': {
    summary: 'Quota warnings (18, 19), or alerts that are no sessions',
    value: events('Warnings', [
      {
        any: [
          { field: 'event_type_id', value: [18, 19] },
          { all: [{ field: 'alert', value: true }, { not: { field: 'event_type_id', value: [3, 5] } }] },
        ],
      },
    ]),
  },
};

const OPTIONS: BodyExamples = {
  'Option: history': {
    summary: 'Begins with the oldest record that is kept',
    value: { ...events('With history', []), start_from: 'earliest' },
  },
  'Option: parallel': {
    summary: 'In order per device, up to 16 requests at a time',
    value: { ...events('Fast', []), delivery: { ordering: 'device', max_in_flight: 16 } },
  },
  'Option: pace': {
    summary: 'At most 200 records and 5 requests a second, and batches of 100 where that takes less than 2 s',
    value: {
      ...events('Gently', []),
      delivery: {
        max_records_per_second: 200,
        max_requests_per_second: 5,
        min_records: 100,
        max_wait_ms: 2_000,
      },
    },
  },
  'Option: privacy': {
    summary: 'Without telephone numbers and positions, with a hash in place of IMSI and ICCID',
    value: {
      ...events('Without personal data', []),
      privacy: {
        drop: ['sim.msisdn', 'detail.pdp_context.ci', 'detail.pdp_context.lac'],
        hash: ['imsi.imsi', 'sim.iccid'],
      },
    },
  },
  'Option: restarted by hand': {
    summary: 'Stays in Error until somebody restarts it',
    value: { ...events('Handle with care', []), auto_restart: false },
  },
  'Option: take over': {
    summary: 'Begins exactly where another stream ends, and pauses it',
    value: { ...events('The new service', []), continue_from: '5f3a9c1e' },
  },
  'Option: children': {
    summary: 'Records of the organisation and of those below it',
    value: { ...events('The whole tree', []), relation_resolution: { id: 3 } },
  },
  'Option: created paused': {
    summary: 'Keeps records from now on, and delivers nothing until it is resumed',
    value: { ...events('For later', []), status: { id: 2 } },
  },
};

/** @returns one example for each connection type, the webhook first, then filters and options */
export function createExamples(types: readonly DestinationType[]): BodyExamples {
  const byType = types.map((type) => [
    type.connectionType,
    {
      summary: `${type.title}: usage data`,
      value: {
        name: `Usage to ${type.title}`,
        data_stream_type: { id: 1 },
        destination: {
          connection_type: type.connectionType,
          credentials: exampleCredentials(type),
          format: type.formats[0] as string,
        },
      },
    },
  ]);
  return { ...Object.fromEntries(byType), ...FILTERS, ...OPTIONS };
}

/** The keywords of a credentials field from which an example is made. */
interface Keywords {
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
}

/** The fields that a client must give, each with the first example of its schema. */
function exampleCredentials({ connectionType, credentials }: DestinationType): object {
  if (connectionType === webhook.connection_type) return webhook.credentials;
  const { properties, required = [] } = credentials as TObject<Record<string, Keywords>>;
  const needed = required.filter((field) => properties[field]?.default === undefined);
  return Object.fromEntries(needed.map((field) => [field, properties[field]?.examples?.[0]]));
}

export function patchExamples(): BodyExamples {
  return {
    Pause: { summary: 'Records are kept until it is resumed', value: { status: { id: 2 } } },
    Resume: { summary: 'Goes on where it stopped; also out of Error', value: { status: { id: 1 } } },
    'Restart by itself': {
      summary: 'Out of Error as soon as the destination takes records again',
      value: { auto_restart: true },
    },
    Rename: { summary: 'Another name', value: { name: 'Alerts of the north' } },
    'Replace the filters': {
      summary: 'For all records that are not delivered yet',
      value: { filters: [{ field: 'event_type_id', value: [3, 5] }] },
    },
    'Erase the filters': { summary: 'All events from now on', value: { filters: [] } },
    'Pause and erase the filters': { summary: 'Both at once', value: { status: { id: 2 }, filters: [] } },
    Repoint: {
      summary: 'Another destination; the stream keeps its cursor, and fields that are left out stay',
      value: { destination: webhook },
    },
  };
}
