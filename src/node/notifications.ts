import type { Logger } from 'pino';
import { createSealer } from '../auth/seal.ts';
import type { Secrets } from '../auth/secret.ts';
import type { Config } from '../config/config.ts';
import type { HeldPartition } from '../delivery/partition/runner-context.ts';
import { Noted } from '../delivery/stream/noted-requests.ts';
import { sendSingle } from '../delivery/watching/single-record.ts';
import { resultOf, type TestRecordResult } from '../delivery/watching/synthetic-record.ts';
import { configureDestination } from '../destinations/configure.ts';
import type { Credentials, Notes, Outcome } from '../destinations/contract.ts';
import { restApi } from '../destinations/http/rest-api.ts';
import { environmentOf, type SharedEnvironment } from '../destinations/open.ts';
import { causeOf } from '../destinations/outcome-cause.ts';
import type { Ingest } from '../ingest/ingest.ts';
import type { Clock } from '../lib/clock.ts';
import { systemRandom } from '../lib/system-clock.ts';
import { testText } from '../notifications/message.ts';
import { notify, type Sent } from '../notifications/notifier.ts';
import { loadReceivers } from '../notifications/receivers.ts';
import { blockInMemory } from '../records/block.ts';
import { indexOfOne } from '../records/record-index.ts';
import { type NotificationDocument, notificationKey } from '../registry/notification.ts';
import type { Registry } from '../registry/registry.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

interface Parts {
  readonly config: Config;
  readonly storage: { readonly registry: Registry };
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
  readonly telemetry: Pick<Telemetry, 'platformFault'>;
  readonly secrets: Secrets;
  readonly environment: SharedEnvironment;
}

/** Longer than the webhook waits for an answer. */
const SEND_WITHIN_MS = 45_000;

/** The notifications of a node: the tasks beside each partition that it holds. */
export async function createNotifications(parts: Parts, ingest: Ingest, stop: AbortSignal) {
  const { config, storage, clock, logger, telemetry } = parts;
  const fallback = defaultCredentials(config);
  const receivers = await loadReceivers(storage.registry, fallback !== undefined, stop);
  return (held: HeldPartition, stop: AbortSignal) =>
    notify(
      {
        registry: storage.registry,
        clock,
        random: systemRandom,
        receivers,
        retentionMs: config.retention,
        send: async (receiver, organisationId, { id, text }, signal) => {
          const credentials = receiver.own ? credentialsOf(parts, receiver.own) : fallback;
          if (!credentials) return { type: 'failed', message: 'the stored receiver cannot be opened' };
          return sentOf(await send(parts, credentials, { organisationId, id, text }, signal));
        },
        append: async ({ id, text }) => {
          const body = Buffer.from(`[${text}]`);
          const request = { kind: 'event', body, format: 'array', skipInvalid: false } as const;
          const outcome = await ingest.accept({ ...request, idempotencyKey: id });
          return outcome.type === 'accepted' ? { type: 'sent' } : { type: 'failed', message: outcome.type };
        },
        gaveUp: ({ organisationId, id: streamId }, notice, reason) => {
          const fields = { event: 'notification.given_up', organisationId, streamId, notice, reason };
          logger.warn(fields, 'a notification could not be sent within a day');
        },
        fault: (message) => telemetry.platformFault({ component: 'notifications', message }),
      },
      held.partition,
      held.streams,
      stop,
    );
}

/**
 * The operator's receiver.
 * @throws Error when it cannot be used at all
 */
function defaultCredentials({ notificationUrl, notificationSecret }: Config): Credentials | undefined {
  if (notificationUrl === undefined) return undefined;
  const secret = notificationSecret === undefined ? {} : { signing_secret: notificationSecret };
  const result = configureDestination(restApi, { url: notificationUrl, size: 1, ...secret }, 'Json');
  if (result.type === 'configured') return result.credentials;
  const faults = result.faults.map(({ path, message }) => `${path.split('/').at(-1)} ${message}`);
  throw new Error(`SIMSTREAM_NOTIFICATION_URL cannot be used: ${faults.join('; ')}`);
}

function credentialsOf(
  parts: Parts,
  { sealedCredentials, organisationId }: NotificationDocument,
): Credentials | undefined {
  const sealer = createSealer(parts.secrets, systemRandom);
  const opened = sealer.open(sealedCredentials, notificationKey(organisationId));
  return opened.type === 'opened' ? (opened.value as Credentials) : undefined;
}

interface Message {
  readonly organisationId: number;
  /** The id by which receivers drop repetitions. */
  readonly id: string;
  readonly text: string;
}

/** Sends one message as a webhook sends one record: signed, with the address checked at the connection. Never rejects. */
async function send(
  { environment, clock }: Parts,
  credentials: Credentials,
  { organisationId, id, text }: Message,
  signal: AbortSignal,
  notes?: Notes,
): Promise<Outcome> {
  const configured = restApi.configure(credentials, 'Json');
  if (Array.isArray(configured)) return failure('configuration', 'The stored receiver is no longer valid.');
  const stream = { organisationId, streamId: 'notification' };
  const timeout = new AbortController();
  const cancel = clock.after(SEND_WITHIN_MS, () => timeout.abort(new Error('it took too long')));
  try {
    const destination = await configured.open(environmentOf(environment, stream));
    const bytes = Buffer.from(text);
    const block = blockInMemory(
      indexOfOne('event', bytes.length, { organisation: organisationId }),
      bytes,
      clock.now(),
    );
    const single = {
      deliveryId: id,
      stream: { id: stream.streamId, organisationId },
      position: { sequence: 0, index: 0 },
      block,
      ...(notes ? { notes } : {}),
    };
    try {
      return await sendSingle(destination, single, AbortSignal.any([signal, timeout.signal]));
    } finally {
      await destination.close();
    }
  } catch (error) {
    return failure('internal', error instanceof Error ? error.message : String(error));
  } finally {
    cancel();
  }
}

function failure(code: string, message: string): Outcome {
  return { type: 'platform', cause: { code, message } };
}

function sentOf(outcome: Outcome): Sent {
  if (outcome.type === 'delivered') return { type: 'sent' };
  const message = causeOf(outcome)?.message ?? outcome.type;
  const afterMs = 'afterMs' in outcome ? outcome.afterMs : undefined;
  return { type: 'failed', message, ...(afterMs === undefined ? {} : { afterMs }) };
}

/** Sends a test message now, and returns the result. */
export async function testNotification(
  parts: Parts,
  own: NotificationDocument,
  signal: AbortSignal,
): Promise<TestRecordResult> {
  const { organisationId } = own;
  const credentials = credentialsOf(parts, own);
  if (!credentials) {
    const message = 'simstream cannot open the stored receiver: set it again.';
    return { outcome: 'refused', cause: { code: 'credentials_sealed', message }, durationMs: 0 };
  }
  const notes = new Noted(false);
  const id = `test_${Buffer.from(systemRandom.bytes(16)).toString('base64url')}`;
  const text = testText(organisationId, parts.clock.now());
  const started = parts.clock.monotonic();
  const outcome = await send(parts, credentials, { organisationId, id, text }, signal, notes);
  const durationMs = parts.clock.monotonic() - started;
  return { ...resultOf(outcome), durationMs, ...(notes.exchange ? { exchange: notes.exchange } : {}) };
}
