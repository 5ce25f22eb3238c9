import type { JsMsg } from '@nats-io/jetstream';
import type { Nats } from './nats.ts';

/**
 * Whether a replica still is a copy of its leader.
 *
 * Servers 2.9 decide on each replica for itself whether a message is a duplicate, when they store it. After a server was cut off
 * for some seconds, its replica may know other ids than the leader's, and keeps or leaves out a message that the leader
 * does not. From there on it counts differently: the same sequence is another message. It stays so, over restarts, and
 * its state says "current". A consumer reads its own server's replica. See
 * docs/decisions/2026-11-27-replicas-that-differ.md.
 *
 * @returns undefined if it is unknown: the leader does not answer in time, or no longer has the message
 */
export async function agreesWithLeader(
  { manager }: Pick<Nats, 'manager'>,
  stream: string,
  { seq, subject, data }: Pick<JsMsg, 'seq' | 'subject' | 'data'>,
): Promise<boolean | undefined> {
  try {
    const message = await manager.streams.getMessage(stream, { seq });
    if (!message) return undefined;
    return message.subject === subject && Buffer.compare(message.data, data) === 0;
  } catch {
    return undefined;
  }
}
