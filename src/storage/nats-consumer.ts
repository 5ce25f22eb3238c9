import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerInfo,
  type ConsumerMessages,
  DeliverPolicy,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { Nats } from './nats.ts';
import { placeOf } from './nats-copies.ts';

export interface FollowOptions {
  readonly stream: string;
  /** Only messages of these subjects. */
  readonly filter?: string;
  /** From the first sequence; or the last message of each subject, then every later one; or from a time of storing (ms). */
  readonly start:
    | { readonly sequence: number }
    | { readonly lastPerSubject: true }
    | { readonly time: number };
  readonly headersOnly?: boolean;
  /** The greatest sequence that this process knows to be stored, from elsewhere; such knowledge costs no request. */
  readonly known?: () => number;
  /** Hundreds of such followers run on a node, and rely on `known`: they ask for fewer signs of life. */
  readonly oneOfMany?: boolean;
  /** Most messages that are fetched ahead of `onMessage`. */
  readonly ahead: number;
}

export interface OpenedConsumer {
  readonly messages: ConsumerMessages;
  readonly name: string;
  /** The server whose replica it reads; undefined if the cluster has only one. */
  readonly on: string | undefined;
}

/**
 * How often an idle consumer sends a sign of life; after two missing signs it is replaced. Each consumer of each node costs
 * the servers this much while nothing happens. Followers that hear from other nodes that messages were stored notice a consumer
 * that is gone earlier (F2 of nats-follow.ts): hundreds of idle partitions need few signs.
 */
const HEARTBEAT_MS = { usual: 5_000, ofMany: 15_000 };
/** Of idle heartbeats, in each request for messages. */
const HEARTBEATS_A_PULL = 3;
/** The server removes a consumer that no client pulls from; a request for messages ends before. */
const FORGOTTEN_AFTER_MS = 60_000;
const OPENED_WITHIN_MS = 5_000;
/** Servers place a consumer at random: so many tries find the leader of three replicas nineteen times in twenty. */
const PLACE_TRIES = 8;

/**
 * The first sequence of a consumer, by the leader's last sequence if the stream has replicas; undefined: the
 * beginning.
 */
type Resume = (last: number | undefined) => number | undefined;

/** @throws StoreUnavailable */
export async function openConsumer(
  nats: Nats,
  options: FollowOptions,
  resume: Resume,
): Promise<OpenedConsumer> {
  const { stream, ahead } = options;
  const what = `${stream} cannot be followed`;
  const info = await nats.ask(what, () => addAtLeader(nats, options, resume), OPENED_WITHIN_MS);
  const heartbeatMs = options.oneOfMany ? HEARTBEAT_MS.ofMany : HEARTBEAT_MS.usual;
  const messages = await nats.jetstream.consumers.getConsumerFromInfo(info).consume({
    // Not `max_bytes`: server 2.9 skips a message when the bytes do not add up, and then stalls.
    max_messages: ahead,
    expires: heartbeatMs * HEARTBEATS_A_PULL,
    idle_heartbeat: heartbeatMs,
  });
  return { messages, name: info.name, on: placeOf(info) };
}

/** F4 of nats-follow.ts */
async function addAtLeader(
  { manager, replicas }: Nats,
  options: FollowOptions,
  resume: Resume,
): Promise<ConsumerInfo> {
  const { stream, filter, headersOnly = false } = options;
  const at = replicas > 1 ? await manager.streams.info(stream) : undefined;
  const leader = at?.cluster?.leader;
  const config: Partial<ConsumerConfig> = {
    ...startOf(options.start, resume(at?.state.last_seq)),
    ...(filter === undefined ? {} : { filter_subject: filter }),
    ack_policy: AckPolicy.None,
    headers_only: headersOnly,
    inactive_threshold: nanos(FORGOTTEN_AFTER_MS),
    mem_storage: true,
    num_replicas: 1,
  };
  for (let tries = 1; ; tries++) {
    const info = await manager.consumers.add(stream, config);
    if (!leader || tries === PLACE_TRIES || placeOf(info) === leader) return info;
    void manager.consumers.delete(stream, info.name).catch(() => undefined);
  }
}

function startOf(start: FollowOptions['start'], resume: number | undefined) {
  // Streams that are followed by their last messages keep one a subject: the messages that remain come after the last one.
  if (resume !== undefined)
    return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: Math.max(1, resume) };
  if ('time' in start) {
    return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(start.time).toISOString() };
  }
  return { deliver_policy: DeliverPolicy.LastPerSubject };
}
