import { AckPolicy, type ConsumerMessages, DeliverPolicy, type JsMsg } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { Nats } from './nats.ts';

interface FollowOptions {
  readonly stream: string;
  /** Only messages of these subjects. */
  readonly filter?: string;
  /** The first sequence; or the last message of each subject, then all that come; or what was stored since a time (ms). */
  readonly start:
    | { readonly sequence: number }
    | { readonly lastPerSubject: true }
    | { readonly time: number };
  readonly headersOnly?: boolean;
  /** Messages fetched ahead of `onMessage` at most. */
  readonly ahead: number;
}

/** How often an idle consumer says that it is there; when it was silent twice, another is made. */
const HEARTBEAT_MS = 1_000;
const PULL_EXPIRES_MS = 20_000;
/** A consumer that nobody pulls from is removed by the server. */
const FORGOTTEN_AFTER_MS = 60_000;
const AGAIN_AFTER_MS = 200;
const OPENED_WITHIN_MS = 5_000;
const CHECK_EVERY_MS = 5_000;

/** Notifications after which the consumer may have missed something, or is gone. */
const LOST = new Set([
  'heartbeats_missed',
  'consumer_not_found',
  'consumer_deleted',
  'stream_not_found',
  'no_responders',
  'exceeded_limits',
]);

/**
 * Hands over the messages of a stream in the order of their sequences, none twice, and waits for more: pushed by the
 * server, not polled for. The next is handed over when the promise of the one before has resolved. The consumer is
 * the server's, kept in memory and made anew after the last message seen when it or the connection was lost.
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
        // One that was lost on the way is asked for again.
        if (signal.aborted || message.info.deliverySequence !== ++delivered) break;
        if (message.seq <= seen) continue;
        await onMessage(message);
        seen = message.seq;
      }
    } finally {
      forget();
      signal.removeEventListener('abort', stop);
      stop();
      // Not waited for: the server would forget it by itself, only later.
      if (nats.connected()) void nats.manager.consumers.delete(options.stream, name).catch(() => undefined);
    }
    // A consumer that ends at once, again and again, must not keep the server busy.
    if (!signal.aborted) await nats.clock.sleep(AGAIN_AFTER_MS, signal).catch(() => undefined);
  }
}

/** What goes wrong with the consumer ends the iteration; what the loop's body throws is not seen here. */
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
 * A message that was lost on its way from server to server shows only by the next one, which may be long in coming: in
 * quiet times the server is asked how many it sent.
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
    // Twice: the first time it may still be on its way.
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
    // Not `max_bytes`: server 2.9 leaves a message out when the bytes do not come out even, and then stalls.
    max_messages: ahead,
    expires: PULL_EXPIRES_MS,
    idle_heartbeat: HEARTBEAT_MS,
  });
  return { messages, name: info.name };
}

function startOf(start: FollowOptions['start'], seen: number) {
  // Streams that are followed by their last messages keep one a subject: what is left of them stands behind `seen`.
  if (seen > 0) return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: seen + 1 };
  if ('sequence' in start) {
    return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: Math.max(1, start.sequence) };
  }
  if ('time' in start) {
    return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(start.time).toISOString() };
  }
  return { deliver_policy: DeliverPolicy.LastPerSubject };
}
