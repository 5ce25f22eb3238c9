import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { Nats } from './nats.ts';
import { agreesWithLeader } from './nats-agreement.ts';
import { type FollowOptions, type OpenedConsumer, openConsumer } from './nats-consumer.ts';
import { Place } from './nats-place.ts';
import { MESSAGE_ID } from './nats-publish.ts';
import { firstId } from './nats-vain-ids.ts';

/**
 * @param sequence under which it is handed over: the message's own, except as P2 says (nats-place.ts)
 * @param isCopy the same message was handed over under an earlier sequence
 */
type OnMessage = (message: JsMsg, sequence: number, isCopy: boolean) => void | Promise<void>;

/** While messages arrive, one of them is compared with the leader's this often. */
const AGREES_EVERY_MS = 10_000;
const AGAIN_AFTER_MS = 200;
/** While nothing arrives, a follower checks whether it missed something: first after this long, then less and less often. */
const CHECK = { firstMs: 2_000, mostMs: 30_000 };

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
 * lives in the memory of one server, which reads its own replica of the stream: of the leader's, if it can be had (F4).
 *
 *  F1  When the consumer or the connection is lost, a new consumer starts after the last message seen.
 *  F2  A silent consumer proves nothing: a message can be lost between two servers, and a replica that lags behind, or
 *      does not follow its leader any more, sends signs of life and nothing else. So a silence ends in a question to the
 *      stream's leader, and in a new consumer if there is more than this one has shown.
 *  F3  The first message of a consumer, and one every ten seconds, is compared with the leader's message of that sequence.
 *      A consumer on a replica that differs is replaced; the next one may be on another.
 *  F4  Positions are the leader's sequences, and a replica may count differently. So a consumer is made again until it is on the
 *      leader's server, and replaced when another server leads.
 *
 * Ends when `signal` aborts; rejects with what `onMessage` throws.
 */
export async function followStream(
  nats: Nats,
  options: FollowOptions,
  onMessage: OnMessage,
  signal: AbortSignal,
): Promise<void> {
  const place = new Place('sequence' in options.start ? options.start.sequence : undefined);
  while (!signal.aborted) {
    const opened = await openConsumer(nats, options, (last) => place.resume(last)).catch(() => undefined);
    if (opened) await followConsumer(nats, options, opened, place, onMessage, signal);
    // A consumer that ends at once, again and again, must not keep the server busy.
    if (!signal.aborted) await nats.clock.sleep(AGAIN_AFTER_MS, signal).catch(() => undefined);
  }
}

/** Until the consumer is lost or not to be trusted, or `signal` aborts. */
async function followConsumer(
  nats: Nats,
  options: FollowOptions,
  { messages, name, on }: OpenedConsumer,
  place: Place,
  onMessage: OnMessage,
  signal: AbortSignal,
): Promise<void> {
  const { stream, headersOnly } = options;
  const over = new AbortController();
  const stop = () => {
    over.abort();
    void messages.close().catch(() => undefined);
  };
  const forget = nats.onReconnect(stop);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  void stopWhenLost(messages, stop);
  const following: Following = { name, on, messages, place, busy: false, stop };
  void stopWhenSilent(nats, options, following, over.signal);
  /** F3, F4 */
  const check = async (message: JsMsg, isFirst: boolean) => {
    if (!isFirst && (await hasMoved(nats, stream, on).catch(() => false))) return stop();
    if ((await agreesWithLeader(nats, stream, message)) !== false || over.signal.aborted) return;
    nats.replicaDiffers(stream, message.seq);
    place.differs();
    stop();
  };
  let checkedAt: number | undefined;
  let delivered = 0;
  try {
    for await (const message of failSafe(messages)) {
      // A message that was lost on the way is requested again.
      if (signal.aborted || message.info.deliverySequence !== ++delivered) break;
      const now = nats.clock.monotonic();
      if (!headersOnly && (checkedAt === undefined || now - checkedAt >= AGREES_EVERY_MS)) {
        const checking = check(message, checkedAt === undefined);
        if (checkedAt === undefined) await checking;
        checkedAt = now;
        if (over.signal.aborted) break;
      }
      const id = firstId(message.headers?.get(MESSAGE_ID) ?? '');
      if (delivered === 1 && !place.joins(message.seq, id)) break;
      const taken = place.take(message.seq, id);
      if (taken.type === 'old') continue;
      following.busy = true;
      await onMessage(message, taken.sequence, taken.type === 'copy');
      following.busy = false;
    }
  } finally {
    forget();
    signal.removeEventListener('abort', stop);
    stop();
    // Do not wait for it: the server would remove the consumer by itself, only later.
    if (nats.connected()) void nats.manager.consumers.delete(stream, name).catch(() => undefined);
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

interface Following {
  readonly name: string;
  readonly on: string | undefined;
  readonly messages: ConsumerMessages;
  readonly place: Place;
  /** A message is being handled. */
  busy: boolean;
  stop(): void;
}

/** F2. Two checks must agree: at the first one a message may still be on its way. */
async function stopWhenSilent(
  nats: Nats,
  options: FollowOptions,
  following: Following,
  over: AbortSignal,
): Promise<void> {
  const { name, on, messages, place, stop } = following;
  let before = -1;
  let pause = CHECK.firstMs;
  let suspected = false;
  for (;;) {
    await untilDue(nats, pause, () => (options.known?.() ?? 0) > place.seen, over);
    if (over.aborted) return;
    const received = messages.getReceived();
    const isIdle = received === before && !following.busy && messages.getProcessed() === received;
    before = received;
    const isBehind =
      isIdle &&
      (await isBehindOrMoved(nats, options, { name, on }, received, place.seen).catch(() => undefined));
    if (over.aborted) return;
    if (isBehind && suspected && messages.getReceived() === received) return stop();
    suspected = isBehind ?? suspected;
    pause = isIdle && isBehind === false ? Math.min(2 * pause, CHECK.mostMs) : CHECK.firstMs;
  }
}

/** Waits for `milliseconds`, less when something is known to be missing. */
async function untilDue(
  { clock }: Nats,
  milliseconds: number,
  isMissing: () => boolean,
  over: AbortSignal,
): Promise<void> {
  const until = clock.monotonic() + milliseconds;
  do {
    const left = Math.max(0, until - clock.monotonic());
    await clock.sleep(Math.min(CHECK.firstMs, left), over).catch(() => undefined);
  } while (!over.aborted && clock.monotonic() < until && !isMissing());
}

/** Whether the stream has messages that the consumer has not shown, or another leader (F4). */
async function isBehindOrMoved(
  { manager, replicas }: Nats,
  { stream, filter }: FollowOptions,
  { name, on }: Pick<Following, 'name' | 'on'>,
  received: number,
  seen: number,
): Promise<boolean> {
  // The leader's state. One question where one will do: each idle partition of each node asks it now and then.
  const { state, cluster } = await manager.streams.info(stream);
  if (isElsewhere(replicas, cluster?.leader, on)) return true;
  if (filter !== undefined) {
    const last = await manager.streams.getMessage(stream, { last_by_subj: filter });
    if (last !== null && last.seq > seen) return true;
    // Where everything was removed, there is nothing to show.
  } else if (state.messages > 0 && state.last_seq > seen) return true;
  const { delivered, num_pending } = await manager.consumers.info(stream, name);
  return delivered.consumer_seq > received || num_pending > 0;
}

/** F4 */
async function hasMoved(nats: Nats, stream: string, on: string | undefined): Promise<boolean> {
  if (nats.replicas === 1 || on === undefined) return false;
  return isElsewhere(nats.replicas, (await nats.manager.streams.info(stream)).cluster?.leader, on);
}

function isElsewhere(replicas: number, leader: string | undefined, on: string | undefined): boolean {
  return replicas > 1 && on !== undefined && Boolean(leader) && leader !== on;
}
