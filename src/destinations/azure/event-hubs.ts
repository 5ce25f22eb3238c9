import { Type } from 'typebox';
import type { Block } from '../../records/block.ts';
import { passingRecord } from '../../records/leased-block.ts';
import { endpointIdOf } from '../../records/record-index.ts';
import { VERSION } from '../../version.ts';
import { bytesOf, byteText, toByteText } from '../byte-text.ts';
import { CLOUD_EVENT_TYPE, cloudEvent } from '../cloud-event.ts';
import {
  type BatchDestination,
  type Cause,
  type DestinationEnvironment,
  defineDestination,
  type Notes,
  TEST_MARK,
} from '../contract.ts';
import { exchange } from '../http/http-exchange.ts';
import { type Entry, type Failure, type RequestLimits, sendKeyed } from '../keyed-requests.ts';
import { verdictOf } from '../verify.ts';
import { type HubConnection, parseConnectionString } from './event-hubs-connection.ts';
import { hubFailure, hubUnreachable } from './event-hubs-fault.ts';
import { tokenSource } from './event-hubs-token.ts';

/**
 * Azure Event Hubs: records as events, by its batch call over HTTPS (`POST /<hub>/messages`), which stores a request
 * whole or not at all. All events of a request go to one partition, so with a partition key a request has one key.
 */
const LIMITS: RequestLimits = {
  /** Event Hubs limits only bytes. This bounds how much a lost request repeats. */
  records: 2_000,
  /** 1 MiB a publication (256 KiB in the Basic tier: halved when it says so); 2 KiB are left for the request's header. */
  bytes: 2 ** 20 - 2_048,
  around: 2,
  /**
   * With a key a request holds the events of one device, often a single one. Sixteen at a time for each of two batches fill
   * a throughput unit of the Standard tier (1,000 events a second) at answers of 32 ms.
   */
  lanes: 16,
};
/** JSON in a JSON string grows by its quotes, a sixth of a usage record; so one batch is one request. */
const GATHERED = { by: 'batch', records: 2_000, bytes: 800_000 } as const;
/** With a key there are as many requests as endpoints: the more records, the more of them share one. */
const GATHERED_BY_KEY = {
  by: 'batch',
  records: 5_000,
  bytes: 4_000_000,
  lanes: { by: 'endpoint', inFlight: 2 },
} as const;

const credentials = Type.Object({
  connection_string: Type.String({
    title: 'Connection string',
    description:
      'The connection string of a shared access policy with the Send right. It must contain EntityPath: in Azure, copy it from the event hub, not from the namespace.',
    minLength: 1,
    maxLength: 4096,
    examples: [
      'Endpoint=sb://iot-records.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=c2VuZCBrZXkgb2YgdGhlIGh1Yg==;EntityPath=usage',
    ],
    'x-secret': 'connectionString',
  }),
  partition_key: Type.Enum(['none', 'endpoint_id'], {
    title: 'Partition key',
    description:
      'none: events are distributed over all partitions. endpoint_id: events of one endpoint go to one partition, in order.',
    default: 'none',
  }),
});

export const eventHubs = defineDestination({
  connectionType: 'EventHubs',
  title: 'Azure Event Hubs',
  summary: 'Sends each record as an event to an event hub.',
  icon: 'M12 4v4M12 16v4M4 12h4M16 12h4M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM6 6l2 2M18 18l-2-2M18 6l-2 2M6 18l2-2',
  setup: [
    {
      text: 'In the Azure portal, open your event hub (not only its namespace), and then **Shared access policies**.',
    },
    { text: 'Add a policy with the claim **Send** alone.' },
    {
      text: 'Copy its connection string into the form. It ends with `EntityPath=` and the name of the event hub.',
    },
  ],
  formats: ['Json', 'CloudEvents'],
  credentials,
  configure({ connection_string, partition_key }, format) {
    const hub = parseConnectionString(connection_string);
    if (typeof hub === 'string') return [{ path: '/connection_string', message: hub }];
    const keyed = partition_key === 'endpoint_id';
    return {
      target: `eventhubs://${hub.host}/${hub.hub}`,
      // Emulators do not use TLS.
      identity: `eventhubs:${hub.host}${hub.emulator ? ' emulator' : ''}`,
      gathering: keyed ? GATHERED_BY_KEY : GATHERED,
      open: (environment) =>
        Promise.resolve(openHub(hub, { keyed, events: format === 'CloudEvents' }, environment)),
    };
  },
});

function openHub(
  hub: HubConnection,
  form: Pick<EventForm, 'keyed' | 'events'>,
  environment: DestinationEnvironment,
): BatchDestination {
  const { clock } = environment;
  const base = `${hub.emulator ? 'http' : 'https'}://${hub.host}/${hub.hub}`;
  const url = new URL(`${base}/messages?api-version=2014-01&timeout=${SERVER_TIMEOUT_S}`);
  const token = tokenSource(hub.access, base.toLowerCase());

  const post = async (body: Buffer, signal: AbortSignal, notes?: Notes): Promise<Failure | undefined> => {
    const authorization = token(clock.now());
    const headers = ['authorization', authorization, ...HEADERS];
    const secrets = secretsOf(hub, authorization);
    const noting = notes && { notes, secrets };
    const request = { method: 'POST', url, headers, body, noting } as const;
    const result = await exchange(request, hub.host, environment, signal);
    if (result.type === 'none') return hubUnreachable(result.outcome);
    return hubFailure(result, { hub, now: clock.now(), secrets });
  };

  return {
    takes: 'batches',
    // A batch without events: needs the Send right and nothing else, and leaves nothing behind.
    verify: async (signal) => {
      const failure = await post(Buffer.from('[]'), signal);
      return failure && isAboutEmptiness(failure) ? { type: 'reachable' } : verdictOf(failure);
    },
    send: (batch, signal) =>
      sendKeyed(
        batch,
        (block, at, index) => entryOf(block, at, index, { ...form, hub, test: batch.test }),
        LIMITS,
        (entries) => post(bodyOf(entries), signal, batch.notes),
      ),
    close: () => Promise.resolve(),
  };
}

/** How long Event Hubs may take to store a request before it answers that it could not: less than the wait for its answer. */
const SERVER_TIMEOUT_S = 25;
const HEADERS = [
  'content-type',
  'application/vnd.microsoft.servicebus.json',
  'user-agent',
  `simstream/${VERSION}`,
];

/**
 * Event Hubs checks the right to send before it looks at a batch. So a 400 means that it looked at the batch. A service
 * that does not expect a batch without events answers a plain 500.
 */
function isAboutEmptiness({ type, cause }: Failure): boolean {
  return type === 'rejected' || cause.code === 'http_500';
}

interface EventForm {
  readonly keyed: boolean;
  /** Each record is sent as a CloudEvent. */
  readonly events: boolean;
  readonly hub: HubConnection;
  readonly test: true | undefined;
}

/** An event: the unchanged record, or its CloudEvent, as text. */
function entryOf(
  block: Block,
  at: number,
  index: number,
  { keyed, events, hub, test }: EventForm,
): Entry | Cause {
  const record = events ? cloudEvent(block, at, test) : passingRecord(block, at);
  const type = events ? CLOUD_EVENT_TYPE : 'application/json';
  const key = keyed ? endpointIdOf(block, at) : '';
  const properties = key ? `"PartitionKey":${toByteText(JSON.stringify(key))},` : '';
  // What JSON escapes is ASCII, so text of bytes is escaped as the text itself.
  const body = JSON.stringify(byteText(record));
  const mark = test ? `"UserProperties":{"${TEST_MARK}":"true"},` : '';
  const text = `{"Body":${body},${mark}"BrokerProperties":{${properties}"ContentType":"${type}"}}`;
  const most = LIMITS.bytes - LIMITS.around;
  return text.length > most ? tooLarge(text.length, hub) : { index, key, text };
}

function tooLarge(bytes: number, hub: HubConnection): Cause {
  const message = `As an event the record has ${bytes} bytes; the event hub ${hub.hub} accepts at most ${LIMITS.bytes - LIMITS.around}.`;
  return { code: 'EVENTHUB_PAYLOAD_TOO_LARGE', message };
}

function bodyOf(entries: readonly Entry[]): Buffer {
  return bytesOf(`[${entries.map(({ text }) => text).join(',')}]`);
}

/** Secrets that Azure might repeat in an answer and that must not be shown. */
function secretsOf({ access }: HubConnection, authorization: string): string[] {
  const signature = /[?& ]sig=([^&]+)/.exec(authorization)?.[1] ?? '';
  const secrets = [access.type === 'key' ? access.key : access.signature, authorization, signature];
  return [...secrets, decoded(signature)].filter((secret) => secret !== '');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}
