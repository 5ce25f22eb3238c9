import { AckPolicy, type ConsumerMessages, DeliverPolicy, type JsMsg } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { Nats } from './nats.ts';

interface FollowOptions {
  readonly stream: string;
  /** Only messages of these subjects. */
  readonly filter?: string;
  /** From the first sequence; or the last message of each subject, then every later one; or from a time of storing (ms). */
  readonly start:
    | { readonly sequence: number }
    | { readonly lastPerSubject: true }
    | { readonly time: number };
  readonly headersOnly?: boolean;
  /** Most messages that are fetched ahead of `onMessage`. */
  readonly ahead: number;
}

/** How often an idle consumer sends a sign of life; after two missing signs it is replaced. */
const HEARTBEAT_MS = 1_000;
const PULL_EXPIRES_MS = 20_000;
/** The server removes a consumer that no client pulls from. */
const FORGOTTEN_AFTER_MS = 60_000;
const AGAIN_AFTER_MS = 200;
const OPENED_WITHIN_MS = 5_000;
const CHECK_EVERY_MS = 5_000;

/** After these notifications the consumer may have missed a message, or is gone. */
const LOST = new Set([
  'heartbeats_missed',
  'consumer_not_found',
  'consumer_deleted',
  'stream_not_found',
  'no_responders',
  'exceeded_limits',
]);

/**
 * Hands over the messages of a stream in the order of their sequences, none twice, and waits for more. The server pushes
 * them, so nothing polls. The next message is handed over when the promise of the one before has resolved. The consumer
 * lives in the server's memory; when it or the connection is lost, a new one starts after the last message seen.
 * Ends when `signal` aborts; rejects with what `onMessage` throws.
 */
export async function followStream(
  nats: Nats,
  options: FollowOptions,
  onMessage: (message: JsMsg) => void | Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let seen = 0;
  while (!signal.aborted) {
    const opened = await openConsumer(nats, options, seen).catch(() => undefined);
    if (!opened) {
      await nats.clock.sleep(AGAIN_AFTER_MS, signal).catch(() => undefined);
      continue;
    }
    const { messages, name } = opened;
    const over = new AbortController();
    const stop = () => {
      over.abort();
      void messages.close().catch(() => undefined);
    };
    const forget = nats.onReconnect(stop);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    void stopWhenLost(messages, stop);
    void stopWhenMissed(nats, options.stream, name, messages, stop, over.signal);
    let delivered = 0;
    try {
      for await (const message of failSafe(messages)) {
        // A message that was lost on the way is requested again.
        if (signal.aborted || message.info.deliverySequence !== ++delivered) break;
        if (message.seq <= seen) continue;
        await onMessage(message);
        seen = message.seq;
      }
    } finally {
      forget();
      signal.removeEventListener('abort', stop);
      stop();
      // Do not wait for it: the server would remove the consumer by itself, only later.
      if (nats.connected()) void nats.manager.consumers.delete(options.stream, name).catch(() => undefined);
    }
    // A consumer that ends at once, again and again, must not keep the server busy.
    if (!signal.aborted) await nats.clock.sleep(AGAIN_AFTER_MS, signal).catch(() => undefined);
  }
}

/** An error of the consumer ends the iteration; an error thrown by the loop's body does not pass through here. */
async function* failSafe(messages: ConsumerMessages): AsyncIterable<JsMsg> {
  const iterator = messages[Symbol.asyncIterator]();
  for (;;) {
    const next = await iterator.next().catch(() => undefined);
    if (!next || next.done) return;
    yield next.value;
  }
}

async function stopWhenLost(messages: ConsumerMessages, stop: () => void): Promise<void> {
  try {
    for await (const { type } of messages.status()) if (LOST.has(type)) stop();
  } catch {
    stop();
  }
}

/**
 * A message that was lost between two servers shows only when the next one arrives, which can take long. While the stream
 * is quiet, the server is therefore asked how many messages it sent.
 */
async function stopWhenMissed(
  nats: Nats,
  stream: string,
  name: string,
  messages: ConsumerMessages,
  stop: () => void,
  over: AbortSignal,
): Promise<void> {
  let before = -1;
  let missed = false;
  for (;;) {
    await nats.clock.sleep(CHECK_EVERY_MS, over).catch(() => undefined);
    if (over.aborted) return;
    const received = messages.getReceived();
    const quiet = received === before;
    before = received;
    if (!quiet) {
      missed = false;
      continue;
    }
    const sent = await nats.manager.consumers
      .info(stream, name)
      .then(({ delivered }) => delivered.consumer_seq)
      .catch(() => received);
    // Require it twice: the first time the message may still be on its way.
    if (sent > messages.getReceived() && missed) return stop();
    missed = sent > messages.getReceived();
  }
}

async function openConsumer(
  nats: Nats,
  options: FollowOptions,
  seen: number,
): Promise<{ messages: ConsumerMessages; name: string }> {
  const { stream, filter, headersOnly = false, ahead } = options;
  const config = {
    ...startOf(options.start, seen),
    ...(filter === undefined ? {} : { filter_subject: filter }),
    ack_policy: AckPolicy.None,
    headers_only: headersOnly,
    inactive_threshold: nanos(FORGOTTEN_AFTER_MS),
    mem_storage: true,
    num_replicas: 1,
  };
  const info = await nats.ask(
    `${stream} cannot be followed`,
    () => nats.manager.consumers.add(stream, config),
    OPENED_WITHIN_MS,
  );
  const messages = await nats.jetstream.consumers.getConsumerFromInfo(info).consume({
    // Not `max_bytes`: server 2.9 skips a message when the bytes do not add up, and then stalls.
    max_messages: ahead,
    expires: PULL_EXPIRES_MS,
    idle_heartbeat: HEARTBEAT_MS,
  });
  return { messages, name: info.name };
}

function startOf(start: FollowOptions['start'], seen: number) {
  // Streams that are followed by their last messages keep one a subject: the messages that remain come after `seen`.
  if (seen > 0) return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: seen + 1 };
  if ('sequence' in start) {
    return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: Math.max(1, start.sequence) };
  }
  if ('time' in start) {
    return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(start.time).toISOString() };
  }
  return { deliver_policy: DeliverPolicy.LastPerSubject };
}
