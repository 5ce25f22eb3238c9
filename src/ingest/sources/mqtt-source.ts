import { createHash } from 'node:crypto';
import type { IClientOptions, MqttClient } from 'mqtt';
import type { Source, SourceContext } from './source.ts';
import { rejectedText } from './take-messages.ts';

/**
 * A topic filter of an MQTT broker as a source, with QoS 1. The session is kept at the broker under a client id that follows
 * from the topic, so it holds the messages while no node is connected. A message is acknowledged when its records are
 * durable, one after the other: MQTT wants acknowledgements in the order of the messages, and the client hands over one at a time.
 *
 * The protocol is MQTT 5, or 3.1.1 where the broker does not know 5.
 */
interface MqttSourceOptions {
  /** `mqtt://[user:password@]host:port` or `mqtts://…` */
  readonly url: string;
  /** May have the wildcards + and #. */
  readonly topic: string;
  /** The topic for records that cannot be stored. */
  readonly rejected: string;
}

/** A week, as records are kept. */
const SESSION_S = 7 * 86_400;
const CONNECT_WITHIN_MS = 10_000;
const RECONNECT_MS = 2_000;
/** Of a packet, beside its topic and its payload; a few more than there are. */
const PACKET_BYTES = 64;
/** Codes of a broker that does not speak the version: of MQTT 3.1.1, and of MQTT 5. */
const UNKNOWN_VERSION: ReadonlySet<unknown> = new Set([1, 132]);
const QOS = 1;
const SUBSCRIPTION_REFUSED = 128;

type Reject = Parameters<SourceContext['take']>[1];

export function mqttSource(options: MqttSourceOptions): Source {
  let version: 4 | 5 = 5;
  return async (context, signal) => {
    const result = await readTopic(options, version, context, signal);
    if (result !== 'unknown version') return;
    version = 4;
    await readTopic(options, version, context, signal);
  };
}

async function readTopic(
  { url, topic, rejected }: MqttSourceOptions,
  version: 4 | 5,
  context: SourceContext,
  signal: AbortSignal,
): Promise<'unknown version' | 'stopped'> {
  const { connect } = await import('mqtt');
  const clientId = `simstream-${createHash('sha256').update(topic).digest('hex').slice(0, 12)}`;
  const options: IClientOptions = {
    clientId,
    clean: false,
    protocolVersion: version,
    connectTimeout: CONNECT_WITHIN_MS,
    reconnectPeriod: RECONNECT_MS,
  };
  const kept = version === 5 ? { properties: { sessionExpiryInterval: SESSION_S } } : {};
  const client = connect(url, { ...options, ...kept });
  // While the first client hands a message over it reads nothing else, so it would not see that what it publishes has arrived.
  const publisher = connect(url, { ...options, clientId: `${clientId}-rejected`, clean: true });
  publisher.on('error', () => undefined);
  let most: number | undefined;
  publisher.on('connect', ({ properties }) => {
    const { maximumPacketSize } = properties ?? {};
    most = maximumPacketSize && Math.max(0, maximumPacketSize - Buffer.byteLength(rejected) - PACKET_BYTES);
  });
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const reject: Reject = async (records) => {
    for (const record of records) {
      signal.throwIfAborted();
      await publisher.publishAsync(rejected, rejectedText(topic, record, most), { qos: QOS });
    }
  };
  client.handleMessage = (packet, done) => {
    const message = { payload: Buffer.from(packet.payload), place: `topic ${packet.topic}` };
    // After a failure, or the stop, there is no acknowledgement: the broker sends the message again.
    context.take([message], reject, signal).then(() => done(), failed.reject);
  };
  try {
    await connected(client, signal);
    // The messages of the session come first, so the answer may take as long as they do.
    const subscribing = client.subscribeAsync(topic, { qos: QOS, ...(version === 5 ? { rh: 1 } : {}) });
    const grants = await Promise.race([subscribing, failed.promise, aborted(signal)]);
    if (!grants) return 'stopped';
    if (grants.some(({ qos }) => qos >= SUBSCRIPTION_REFUSED))
      throw new Error(`the broker refuses a subscription of ${topic}`);
    client.on('error', (error) => context.waiting(error.message));
    client.on('close', () => context.waiting('the connection to the broker is lost'));
    await Promise.race([failed.promise, aborted(signal)]);
    return 'stopped';
  } catch (error) {
    if (signal.aborted) return 'stopped';
    if (version === 5 && UNKNOWN_VERSION.has((error as { code?: unknown }).code)) return 'unknown version';
    throw error;
  } finally {
    // Messages without an acknowledgement stay at the broker.
    client.removeAllListeners('close');
    client.on('error', () => undefined);
    await Promise.all([client.endAsync(true), publisher.endAsync(true)]);
  }
}

function connected(client: MqttClient, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
    client.once('close', () => reject(new Error('the broker cannot be reached')));
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
