import { createHash } from 'node:crypto';
import { AckPolicy, DeliverPolicy, type JsMsg, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection, nanos } from '@nats-io/transport-node';
import { Wakeup } from '../../lib/wakeup.ts';
import { connectionOptions } from '../../storage/nats-options.ts';
import type { Source, SourceContext } from './source.ts';
import { rejectedText } from './take-messages.ts';

/**
 * A subject of NATS JetStream as a source, by a durable pull consumer with explicit acknowledgement. The consumer
 * remembers the acknowledged messages, also when another node reads. Its name follows from the subject. A message
 * that is not acknowledged within ACK_WAIT_MS comes again.
 *
 * After a crash some messages wait for that. The next reader waits with them: if it went on at once, newer messages would be
 * stored before them.
 */
interface NatsSourceOptions {
  readonly servers: readonly string[];
  readonly subject: string;
  /** The subject for records that cannot be stored; a JetStream stream must store it. */
  readonly rejected: string;
}

/** Messages of one request to the store. They are at most about 1 MB each. */
const MOST_TAKEN = 64;
/** The most messages in memory. */
const MOST_PENDING = 2 * MOST_TAKEN;
/** The records of a crashed node wait at most this long. */
const ACK_WAIT_MS = 10_000;
/** Three times within the wait, in case one is lost. */
const STILL_WORKING_MS = ACK_WAIT_MS / 3;

export function natsSource({ servers, subject, rejected }: NatsSourceOptions): Source {
  return async (context, signal) => {
    const connection = await connect({ ...connectionOptions(servers), name: 'simstream source' });
    try {
      await readSubject(connection, { subject, rejected }, context, signal);
    } finally {
      await connection.close();
    }
  };
}

async function readSubject(
  connection: NatsConnection,
  { subject, rejected }: Pick<NatsSourceOptions, 'subject' | 'rejected'>,
  context: SourceContext,
  signal: AbortSignal,
): Promise<void> {
  const stream = await streamOf(connection, subject);
  const js = jetstream(connection);
  const manager = await jetstreamManager(connection);
  const name = `simstream-${createHash('sha256').update(subject).digest('hex').slice(0, 16)}`;
  await manager.consumers.add(stream, {
    durable_name: name,
    filter_subject: subject,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: nanos(ACK_WAIT_MS),
    max_ack_pending: MOST_PENDING,
  });
  const consumer = await js.consumers.get(stream, name);
  if ((await consumer.info()).num_ack_pending > 0) await context.clock.sleep(ACK_WAIT_MS, signal);
  const messages = await consumer.consume({ max_messages: MOST_TAKEN, abort_on_missing_resource: true });
  const waiting: JsMsg[] = [];
  const inHand: JsMsg[] = [];
  const arrived = new Wakeup();
  let ended = false;
  const stop = () => messages.stop();
  signal.addEventListener('abort', stop, { once: true });
  const reading = (async () => {
    try {
      for await (const message of messages) {
        waiting.push(message);
        arrived.wake();
      }
    } finally {
      ended = true;
      arrived.wake();
    }
  })();
  // It is awaited below.
  reading.catch(() => undefined);
  const cancel = every(context, STILL_WORKING_MS, () => {
    for (const message of [...inHand, ...waiting]) message.working();
  });
  const reject: Parameters<SourceContext['take']>[1] = async (records) => {
    const most = connection.info?.max_payload;
    for (const record of records) {
      signal.throwIfAborted();
      await js.publish(rejected, rejectedText(subject, record, most));
    }
  };
  try {
    while (!signal.aborted && !(ended && waiting.length === 0)) {
      await arrived.wait(signal);
      while (waiting.length > 0 && !signal.aborted) {
        inHand.push(...waiting.splice(0, MOST_TAKEN));
        await context.take(
          inHand.map((message) => ({
            payload: message.data,
            place: `stream ${stream}, message ${message.seq}`,
          })),
          reject,
          signal,
        );
        for (const message of inHand.splice(0)) message.ack();
      }
    }
  } finally {
    cancel();
    stop();
    signal.removeEventListener('abort', stop);
    // They come again at once, also to another node.
    for (const message of [...inHand, ...waiting]) message.nak();
    await connection.flush().catch(() => undefined);
  }
  await reading;
}

/** @throws Error in words for the operator */
async function streamOf(connection: NatsConnection, subject: string): Promise<string> {
  const manager = await jetstreamManager(connection);
  try {
    return await manager.streams.find(subject);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new Error(`no JetStream stream stores the subject ${subject} (${cause}): create one`);
  }
}

function every({ clock }: SourceContext, milliseconds: number, run: () => void): () => void {
  let cancel = () => {};
  const again = () => {
    cancel = clock.after(milliseconds, () => {
      run();
      again();
    });
  };
  again();
  return () => cancel();
}
