import { type Static, Type } from 'typebox';
import { wasStored } from '../../auth/documents.ts';
import type { Identity } from '../../auth/identity.ts';
import type { TestRecordResult } from '../../delivery/watching/synthetic-record.ts';
import { configureDestination } from '../../destinations/configure.ts';
import type { Configured, Credentials, DestinationType } from '../../destinations/contract.ts';
import { CREDENTIALS_PATH, maskCredentials } from '../../destinations/masking.ts';
import { ApiError, faultsToError } from '../../errors.ts';
import { jsonForm } from '../../registry/documents.ts';
import {
  NOTICES,
  NOTIFICATION,
  NOTIFICATION_EVENTS,
  type Notice,
  type NotificationDocument,
  notificationKey,
  USUAL_LAG_MINUTES,
} from '../../registry/notification.ts';
import type { Registry } from '../../registry/registry.ts';
import { defineRoute, EXAMPLE_RECEIVER, type Route, type RouteRequest } from '../route.ts';
import { mustStillExist } from '../still-exists.ts';
import type { CreateParts } from './create.ts';
import { mustBeReachable } from './destination.ts';
import { nullable } from './schema.ts';
import { describeTest, showTest, TestResult } from './synthetic-record.ts';
import { iso } from './view.ts';

export interface NotificationParts extends CreateParts {
  /** The webhook that messages are sent with. */
  readonly notificationType: DestinationType;
  /** Whether the operator is notified about organisations without a receiver of their own. */
  readonly defaultReceiver: boolean;
  /** Sends a test message at once. */
  testNotification(document: NotificationDocument, signal: AbortSignal): Promise<TestRecordResult>;
  readonly rateLimits: { testRecord(organisationId: number): void };
}

const PATH = '/api/v2/data_stream/notification';
const base = { tags: ['Data Streamer'] } as const;
/** A week. */
const MOST_LAG_MINUTES = 10_080;

const MEANINGS = {
  error: 'a data stream goes to Error and delivers nothing any more',
  recovered: 'a data stream that was in Error delivers again',
  expiring: 'the oldest pending record expires in 24 hours, and again in one hour',
  lag: 'the oldest record has waited for `lag_minutes`; not for paused data streams',
  quarantine: 'records were quarantined, because the destination refused them',
} as const satisfies Record<(typeof NOTIFICATION_EVENTS)[number], string>;

const Events = Type.Array(Type.Enum([...NOTIFICATION_EVENTS]), {
  minItems: 1,
  maxItems: NOTIFICATION_EVENTS.length,
  uniqueItems: true,
  description: NOTIFICATION_EVENTS.map((event) => `\`${event}\`: ${MEANINGS[event]}`).join('; '),
  examples: [['error', 'recovered']],
});
const LagMinutes = Type.Integer({
  minimum: 1,
  maximum: MOST_LAG_MINUTES,
  description: 'For `lag`: how long the oldest record may wait.',
});

const Given = Type.Object(
  {
    url: Type.String({
      minLength: 1,
      maxLength: 2048,
      description: 'Messages are sent to it by POST. A masked value of an answer may be sent back.',
      examples: [EXAMPLE_RECEIVER],
    }),
    signing_secret: Type.Optional(
      Type.String({
        maxLength: 512,
        description:
          'Signs each message as Standard Webhooks describes. If it is left out, the stored secret stays; an empty text removes it.',
        examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
      }),
    ),
    events: Type.Optional(Events),
    lag_minutes: Type.Optional({ ...LagMinutes, default: USUAL_LAG_MINUTES } as typeof LagMinutes),
  },
  { 'x-component': 'PutNotification' },
);

const View = Type.Object(
  {
    url: nullable(Type.String({ description: 'Masked where it holds a token; null: nobody is notified' })),
    signing_secret: nullable(Type.String({ description: '`***` if there is one' })),
    events: Events,
    lag_minutes: LagMinutes,
    modified: nullable(Type.String({ format: 'date-time' })),
    undelivered: nullable(
      Type.Object(
        {
          messages: Type.Integer({ minimum: 1 }),
          message: nullable(Type.String({ description: 'Why the last try failed; null: there was none' })),
          next_at: Type.String({ format: 'date-time', description: 'When the next one is tried' }),
        },
        { description: 'Messages that wait to be sent; null: none' },
      ),
    ),
    default_receiver: Type.Boolean({
      description: 'The operator is notified in place of the organisation, because it has set no `url`',
    }),
  },
  { 'x-component': 'Notification' },
);

type Request<Body = undefined> = RouteRequest<unknown, unknown, Body, Identity>;

/** The receiver of notifications about the data streams of an organisation: read, set, remove, test. */
export function notificationRoutes(parts: NotificationParts): Route[] {
  const { registry } = parts;
  const shown = { description: 'The receiver of notifications, and the events that it gets.', schema: View };
  return [
    defineRoute({
      ...base,
      method: 'GET',
      path: PATH,
      operationId: 'GetNotification',
      summary: 'Get the receiver of notifications about data streams that need attention',
      access: 'read',
      responses: { 200: shown },
      handler: async ({ identity: { organisationId } }) => {
        const stored = await find(registry, organisationId);
        return { status: 200, body: await show(parts, organisationId, stored?.document) };
      },
    }),
    defineRoute({
      ...base,
      method: 'PUT',
      path: PATH,
      operationId: 'PutNotification',
      summary: 'Set the receiver of notifications',
      description:
        'One receiver for all data streams of the organisation. Messages are webhooks as Standard Webhooks describes, at most one an hour for each data stream and event, and they are sent again for a day until the receiver answers 2xx. The same facts also come as events with type ids from 10001 in the event streams of the organisation.',
      access: 'write',
      body: Given,
      bodyExamples: {
        'All events': { summary: 'Of everything', value: { url: EXAMPLE_RECEIVER } },
        'Errors only': {
          summary: 'Of streams that stop and go on',
          value: { url: EXAMPLE_RECEIVER, events: ['error', 'recovered'] },
        },
        'Early warning': {
          summary: 'Of records that have waited for 15 minutes, or are about to expire',
          value: { url: EXAMPLE_RECEIVER, events: ['lag', 'expiring'], lag_minutes: 15 },
        },
      },
      responses: { 200: shown },
      errors: ['Failed', 'InvalidState', 'Busy'],
      handler: (request) => put(parts, request),
    }),
    defineRoute({
      ...base,
      method: 'DELETE',
      path: PATH,
      operationId: 'DeleteNotification',
      summary: 'Remove the receiver of notifications',
      access: 'write',
      responses: { 202: { description: 'Accepted.' } },
      errors: ['Busy'],
      handler: async ({ identity: { organisationId } }) => {
        wasStored(await registry.delete(notificationKey(organisationId)));
        return { status: 202 };
      },
    }),
    defineRoute({
      ...base,
      method: 'POST',
      path: `${PATH}/test`,
      operationId: 'TestNotification',
      summary: 'Send a test message to the receiver of notifications',
      description: 'Sends one message with the type `data_stream.test` at once, and does not try again.',
      access: 'write',
      responses: { 200: { description: describeTest, schema: TestResult } },
      errors: ['NotFound'],
      handler: async ({ identity: { organisationId }, signal }) => {
        const stored = await find(registry, organisationId);
        if (!stored) throw new ApiError('NotFound', 'No receiver is set: set one with PUT first.');
        parts.rateLimits.testRecord(organisationId);
        const result = await parts.testNotification(stored.document, signal);
        return { status: 200, body: showTest(result, 'The receiver accepted the test message.') };
      },
    }),
  ];
}

function find(registry: Registry, organisationId: number) {
  return NOTIFICATION.get(registry, notificationKey(organisationId));
}

const CREDENTIALS = jsonForm<Credentials>('credentials');

async function put(parts: NotificationParts, { body, identity, signal }: Request<Static<typeof Given>>) {
  const { registry, sealer, clock, notificationType: type, verifyDestinations = true } = parts;
  const { organisationId } = identity;
  const key = notificationKey(organisationId);
  const stored = await NOTIFICATION.get(registry, key);
  const opened = stored && sealer.open(stored.document.sealedCredentials, key);
  const before =
    stored && opened?.type === 'opened'
      ? {
          credentials: CREDENTIALS.parse(opened.value),
          identity: stored.document.identity,
          format: 'Json' as const,
        }
      : undefined;
  const { url, signing_secret } = body;
  const given = { url, size: 1, ...(signing_secret === undefined ? {} : { signing_secret }) };
  const result = configureDestination(type, given, 'Json', before);
  if (result.type === 'invalid') {
    throw faultsToError(
      result.faults.map((fault) => ({ ...fault, path: fault.path.replace(CREDENTIALS_PATH, '') })),
    );
  }
  if (verifyDestinations) await reach(parts, result.configured, organisationId, signal);
  const document: NotificationDocument = {
    organisationId,
    sealedCredentials: sealer.seal(CREDENTIALS.encode(result.credentials), key),
    maskedCredentials: maskCredentials(type.credentials, result.credentials),
    identity: result.configured.identity,
    events: NOTIFICATION_EVENTS.filter((event) => body.events?.includes(event) ?? true),
    lagMinutes: body.lag_minutes ?? USUAL_LAG_MINUTES,
    modified: iso(clock.now()),
  };
  if (!wasStored(await NOTIFICATION.put(registry, key, document, stored?.revision ?? 0))) {
    throw new ApiError('InvalidState', 'It was changed by another call at the same time; try again.');
  }
  await mustStillExist(parts.organisations, organisationId, 'member', () => registry.delete(key));
  return { status: 200, body: await show(parts, organisationId, document) };
}

function reach(
  parts: NotificationParts,
  configured: Configured,
  organisationId: number,
  signal: AbortSignal,
) {
  const reference = { organisationId, streamId: 'notification' };
  return mustBeReachable(parts, configured, reference, signal, '/url');
}

async function show(
  { registry, startPosition, defaultReceiver }: NotificationParts,
  organisationId: number,
  document: NotificationDocument | undefined,
) {
  const { url = null, signing_secret = null } = document?.maskedCredentials ?? {};
  const { partition } = await startPosition(organisationId);
  return {
    url,
    signing_secret,
    events: document?.events ?? NOTIFICATION_EVENTS,
    lag_minutes: document?.lagMinutes ?? USUAL_LAG_MINUTES,
    modified: document?.modified ?? null,
    undelivered: document ? await undelivered(registry, partition, organisationId) : null,
    default_receiver: !document && defaultReceiver,
  };
}

async function undelivered(registry: Registry, partition: number, organisationId: number) {
  const waiting: Notice[] = [];
  for await (const { document } of NOTICES.list(registry, partition, organisationId)) {
    waiting.push(...document.waiting.filter(({ channel }) => channel === 'webhook'));
  }
  if (waiting.length === 0) return null;
  const next = waiting.reduce((one, other) => (other.nextAt < one.nextAt ? other : one));
  const failed = waiting.find(({ failure }) => failure !== undefined);
  return { messages: waiting.length, message: failed?.failure ?? null, next_at: iso(next.nextAt) };
}
