import type { JsMsg, StreamInfo } from '@nats-io/jetstream';
import type { Nats } from './nats.ts';
import { type Copy, differ, lackedBy, readCopies, readMessage } from './nats-copies.ts';
import { MESSAGE_ID } from './nats-publish.ts';

/**
 * Finds replicas of a stream that differ from its leader (see nats-agreement.ts), and lets NATS copy them again.
 *
 *  R1  The leader is right: positions in the stream are its sequences. Messages that only another replica has are
 *      stored again first, so that nothing is lost with the replica: of a log at the end, of a bucket if the leader has
 *      nothing newer of the document.
 *  R2  A replica is removed and added again. Two others hold every message meanwhile, and take new ones.
 *  R3  A stream that lacks a replica gets it back, also after a crash in between.
 */
type Comparison =
  | { readonly type: 'same'; readonly upTo: number }
  | { readonly type: 'rebuilt'; readonly servers: readonly string[]; readonly saved: number }
  /** It cannot be compared now. */
  | { readonly type: 'later' }
  /** A person must check it. */
  | { readonly type: 'unclear'; readonly words: string };

/** More messages than replicas were ever seen to differ by; beyond it a person must check the stream. */
const MOST_SAVED = 1_000;
/** This many messages before the end of the last comparison are compared again. */
const OVERLAP = 64;
const AGAIN_AFTER_MS = 1_000;
const COPIED = { withinMs: 60_000, askEveryMs: 500 };
const API_WITHIN_MS = 5_000;
const REMOVED_ASK_MS = 50;

/** @param from compares the messages from this sequence on */
export async function compareReplicas(nats: Nats, stream: string, from: number): Promise<Comparison> {
  const first = await compareOnce(nats, stream, from);
  if (!first) return { type: 'later' };
  if (first.odd.length === 0) return { type: 'same', upTo: first.upTo - OVERLAP };
  // A message may have been on its way: only what differs twice, differs.
  await nats.clock.sleep(AGAIN_AFTER_MS);
  const second = await compareOnce(nats, stream, from);
  if (!second || second.leader !== first.leader) return { type: 'later' };
  if (second.odd.length === 0) return { type: 'same', upTo: second.upTo - OVERLAP };
  return rebuild(nats, stream, second);
}

interface Compared {
  readonly leader: string;
  readonly own: Copy;
  readonly odd: readonly Copy[];
  readonly upTo: number;
}

async function compareOnce(nats: Nats, stream: string, from: number): Promise<Compared | undefined> {
  const info = await nats.manager.streams.info(stream);
  if (!isSettled(info)) return undefined;
  const leader = info.cluster?.leader as string;
  const others = (info.cluster?.replicas ?? []).map(({ name }) => name);
  const copies = await readCopies(nats, stream, [...others, leader], from);
  const own = copies?.pop();
  if (!copies || !own) return undefined;
  return { leader, own, odd: copies.filter((copy) => differ(own, copy)), upTo: info.state.last_seq };
}

/** Whether every replica exists and is up to date. */
export function isSettled({ cluster, config }: StreamInfo): boolean {
  const replicas = cluster?.replicas ?? [];
  return (
    Boolean(cluster?.leader) &&
    replicas.length + 1 === config.num_replicas &&
    replicas.every(({ current, offline }) => current && !offline)
  );
}

async function rebuild(nats: Nats, stream: string, { own, odd }: Compared): Promise<Comparison> {
  let saved = 0;
  for (const copy of odd) {
    const lacked = lackedBy(own, copy);
    if (lacked.length > MOST_SAVED) {
      const words = `the leader lacks ${lacked.length} messages that the replica on ${copy.server} has`;
      return { type: 'unclear', words };
    }
    saved += await save(nats, stream, copy.server, lacked);
  }
  const servers = await copyAnew(
    nats,
    stream,
    odd.map(({ server }) => server),
  );
  return { type: 'rebuilt', servers, saved };
}

/**
 * R2, one after the other.
 * @returns the servers that have a new copy
 */
export async function copyAnew(nats: Nats, stream: string, servers: readonly string[]): Promise<string[]> {
  const done: string[] = [];
  for (const server of servers) {
    await removeReplica(nats, stream, server);
    await restoreReplicas(nats, stream);
    if (!(await untilSettled(nats, stream))) break;
    done.push(server);
  }
  return done;
}

/**
 * R1.
 * @returns how many were stored
 */
async function save(
  nats: Nats,
  stream: string,
  server: string,
  sequences: readonly number[],
): Promise<number> {
  let saved = 0;
  for (const sequence of sequences) {
    const found = await readMessage(nats, stream, server, sequence);
    if (found && (await storeAgain(nats, stream, found))) saved++;
  }
  return saved;
}

async function storeAgain(nats: Nats, stream: string, message: JsMsg): Promise<boolean> {
  const { subject, data } = message;
  const id = message.headers?.get(MESSAGE_ID);
  const headers = Object.fromEntries(
    [...(message.headers?.keys() ?? [])].map((name) => [name, message.headers?.get(name) ?? '']),
  );
  if (!stream.startsWith('KV_')) {
    if (!id) return false;
    const outcome = await nats.publish(subject, data, { id });
    return outcome.type === 'stored' && !outcome.duplicate;
  }
  const newest = await nats.manager.streams.getMessage(stream, { last_by_subj: subject });
  if (newest && newest.time.getTime() >= message.time.getTime()) return false;
  const outcome = await nats.publish(subject, data, {
    id: nats.uniqueId(),
    headers,
    expected: newest?.seq ?? 0,
  });
  return outcome.type === 'stored';
}

/** R2. In a cluster without a spare server the answer is an error, and the replica is removed all the same. */
async function removeReplica(nats: Nats, stream: string, peer: string): Promise<void> {
  const body = JSON.stringify({ peer });
  await nats.connection.request(`$JS.API.STREAM.PEER.REMOVE.${stream}`, body, { timeout: API_WITHIN_MS });
  const deadline = nats.clock.monotonic() + API_WITHIN_MS;
  while (nats.clock.monotonic() < deadline) {
    const { cluster } = await nats.manager.streams.info(stream);
    if (!cluster?.replicas?.some(({ name }) => name === peer)) return;
    await nats.clock.sleep(REMOVED_ASK_MS);
  }
}

/** R3. Servers look for another replica only when its number grows. */
export async function restoreReplicas(nats: Nats, stream: string): Promise<void> {
  const { config, cluster } = await nats.manager.streams.info(stream);
  const present = (cluster?.replicas?.length ?? 0) + 1;
  if (present >= nats.replicas) return;
  if (config.num_replicas !== present) await nats.manager.streams.update(stream, { num_replicas: present });
  await nats.manager.streams.update(stream, { num_replicas: nats.replicas });
}

async function untilSettled(nats: Nats, stream: string): Promise<boolean> {
  const deadline = nats.clock.monotonic() + COPIED.withinMs;
  while (nats.clock.monotonic() < deadline && !nats.connection.isClosed()) {
    const info = await nats.manager.streams.info(stream).catch(() => undefined);
    if (info && info.config.num_replicas === nats.replicas && isSettled(info)) return true;
    await nats.clock.sleep(COPIED.askEveryMs);
  }
  return false;
}
