import { AckPolicy, type ConsumerInfo, DeliverPolicy, type JsMsg } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { Nats } from './nats.ts';
import { MESSAGE_ID } from './nats-publish.ts';

/** The messages of one server's replica of a stream. */
export interface Copy {
  readonly server: string;
  /** By sequence, ascending. */
  readonly messages: ReadonlyMap<number, Identity>;
}

/** Two messages are the same if all of it is equal, on whatever replica and under whatever sequence. */
interface Identity {
  readonly subject: string;
  /** JetStream's message id; without one the time of storing in its place, which the stream's leader sets for all replicas. */
  readonly id: string;
}

/** Servers place a consumer of one replica at random: so many tries find each of three servers all but surely. */
const MOST_TRIES = 40;
const CONSUMER_FORGOTTEN_MS = 30_000;
const FETCH = { together: 1_000, expiresMs: 5_000 };

type Pinned = Pick<Nats, 'manager' | 'jetstream'>;

/**
 * Reads the headers of the messages from `from` on as each server's replica has them; the last one of `servers` is read last.
 * @returns undefined when one of them could not be read now
 */
export async function readCopies(
  nats: Pinned,
  stream: string,
  servers: readonly string[],
  from: number,
): Promise<Copy[] | undefined> {
  const consumers = await consumersOn(nats.manager, stream, servers, { from, headersOnly: true });
  try {
    const copies: Copy[] = [];
    for (const server of servers) {
      const info = consumers.get(server);
      if (!info) return undefined;
      const messages = new Map<number, Identity>();
      await readAll(nats, info, (message) => {
        messages.set(message.seq, identityOf(message));
        return true;
      });
      copies.push({ server, messages });
    }
    return copies;
  } finally {
    for (const info of consumers.values()) forget(nats.manager, stream, info);
  }
}

/** The message of a sequence as one server's replica has it. */
export async function readMessage(
  nats: Pinned,
  stream: string,
  server: string,
  sequence: number,
): Promise<JsMsg | undefined> {
  const options = { from: sequence, headersOnly: false };
  const info = (await consumersOn(nats.manager, stream, [server], options)).get(server);
  if (!info) return undefined;
  let found: JsMsg | undefined;
  try {
    await readAll(nats, info, (message) => {
      if (message.seq === sequence) found = message;
      return false;
    });
    return found;
  } finally {
    forget(nats.manager, stream, info);
  }
}

/** The number of messages changes meanwhile: messages of a bucket are replaced, and those of a log expire. */
async function readAll(
  { jetstream }: Pinned,
  info: ConsumerInfo,
  onMessage: (message: JsMsg) => boolean,
): Promise<void> {
  if (info.num_pending === 0) return;
  const consumer = jetstream.consumers.getConsumerFromInfo(info);
  for (let found = 1; found > 0; ) {
    found = 0;
    const batch = await consumer.fetch({ max_messages: FETCH.together, expires: FETCH.expiresMs });
    for await (const message of batch) {
      found++;
      if (!onMessage(message) || message.info.pending === 0) return;
    }
  }
}

/**
 * Makes a consumer of one replica on each of the servers. Their server cannot be chosen, so consumers are created
 * until each server has one.
 * @returns by server; without servers that were not met
 */
async function consumersOn(
  manager: Pinned['manager'],
  stream: string,
  servers: readonly string[],
  { from, headersOnly }: { from: number; headersOnly: boolean },
): Promise<Map<string, ConsumerInfo>> {
  const found = new Map<string, ConsumerInfo>();
  for (let tries = 0; tries < MOST_TRIES && found.size < servers.length; tries++) {
    const info = await manager.consumers.add(stream, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: Math.max(1, from),
      headers_only: headersOnly,
      ack_policy: AckPolicy.None,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: nanos(CONSUMER_FORGOTTEN_MS),
    });
    const server = placeOf(info);
    if (server && servers.includes(server) && !found.has(server)) found.set(server, info);
    else forget(manager, stream, info);
  }
  return found;
}

/** Not awaited: the server would remove the consumer by itself, only later. */
function forget(manager: Pinned['manager'], stream: string, { name }: ConsumerInfo): void {
  void manager.consumers.delete(stream, name).catch(() => undefined);
}

/** The server of a consumer of one replica; undefined if the cluster has only one server. */
export function placeOf(info: ConsumerInfo): string | undefined {
  return info.cluster?.leader;
}

function identityOf({ subject, headers, time }: JsMsg): Identity {
  return { subject, id: headers?.get(MESSAGE_ID) || `at ${time.getTime()}` };
}

/**
 * Whether two replicas have another message under the same sequence. Messages that only one of them still has do not
 * count.
 */
export function differ(a: Copy, b: Copy): boolean {
  for (const [sequence, { subject, id }] of a.messages) {
    const other = b.messages.get(sequence);
    if (other && (other.subject !== subject || other.id !== id)) return true;
  }
  return false;
}

/** Sequences, in `other`, of the messages that `leader` does not have under any sequence. */
export function lackedBy(leader: Copy, other: Copy): number[] {
  const nameOf = ({ subject, id }: Identity) => `${subject} ${id}`;
  const present = new Set([...leader.messages.values()].map(nameOf));
  return [...other.messages].filter(([, one]) => !present.has(nameOf(one))).map(([sequence]) => sequence);
}
