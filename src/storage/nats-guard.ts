import { JetStreamError, type StreamInfo } from '@nats-io/jetstream';
import { Wakeup } from '../lib/wakeup.ts';
import type { Nats } from './nats.ts';
import { isTransient, messageOf } from './nats-faults.ts';
import { compareReplicas, isSettled, restoreReplicas } from './nats-rebuild.ts';

interface GuardOptions {
  /** Begins the names of the installation's streams and buckets. */
  readonly prefix: string;
  /** Whether this node is the one that looks after the replicas: one at a time. */
  isInCharge(): boolean;
  /** Receives what happened, in words. */
  report(message: string): void;
}

interface Known {
  leader: string | undefined;
  /** Something happened since its replicas were compared. */
  suspect: boolean;
  /** They were the same up to here. */
  sameUpTo: number;
}

/** While nothing happens; it costs the servers one question about all streams. */
const LOOK_EVERY_MS = 10_000;
/** After something happened to a stream. */
const LOOK_SOON_MS = 2_000;
/** Of a stream that was not compared before, so many messages are: those of the last seconds under load. */
const LATEST = 2_000;
const TOGETHER = 4;
/** Streams that are compared in one round, so that hundreds of them do not keep the servers busy. */
const MOST_IN_A_ROUND = 16;

/**
 * Looks after the replicas of all streams: those of a stream whose leader changed, or that had a replica which was not up to
 * date, or about which a node has a suspicion, are compared as soon as all of them are up to date, and copied anew where
 * they differ. One more stream is compared in each round, whatever happened. Ends when `signal` aborts.
 */
export async function guardReplicas(nats: Nats, options: GuardOptions, signal: AbortSignal): Promise<void> {
  if (nats.replicas < 3) return;
  const known = new Map<string, Known>();
  const wakeup = new Wakeup();
  const subject = `${options.prefix}.replicas`;
  const suspect = (stream: string) => {
    const one = known.get(stream);
    if (one) one.suspect = true;
    wakeup.wake();
  };
  const subscription = nats.connection.subscribe(subject, {
    callback: (error, message) => {
      if (!error) suspect(message.string());
    },
  });
  const forget = nats.onReplicaDiffers((stream) => {
    if (!nats.connection.isClosed() && !nats.connection.isDraining())
      nats.connection.publish(subject, stream);
  });
  const stop = () => wakeup.wake();
  signal.addEventListener('abort', stop, { once: true });
  let turn = 0;
  try {
    while (!signal.aborted) {
      let pause = LOOK_EVERY_MS;
      // Who takes charge knows nothing of what happened before: then every stream is compared.
      if (!options.isInCharge()) known.clear();
      else if (await look(nats, options, known, turn++, signal).catch(() => true)) pause = LOOK_SOON_MS;
      await wakeup.waitFor(pause, nats.clock);
    }
  } finally {
    forget();
    subscription.unsubscribe();
    signal.removeEventListener('abort', stop);
  }
}

/** @returns whether a stream waits to be compared */
async function look(
  nats: Nats,
  options: GuardOptions,
  known: Map<string, Known>,
  turn: number,
  signal: AbortSignal,
): Promise<boolean> {
  const due: { readonly info: StreamInfo; readonly one: Known }[] = [];
  let waits = false;
  let at = 0;
  const all: StreamInfo[] = [];
  for await (const info of nats.manager.streams.list()) {
    const { name } = info.config;
    if (name.startsWith(`${options.prefix}-log-`) || name.startsWith(`KV_${options.prefix}-`)) all.push(info);
  }
  for (const info of all) {
    const { name } = info.config;
    const leader = info.cluster?.leader;
    let one = known.get(name);
    if (!one) {
      one = { leader, suspect: true, sameUpTo: Math.max(1, info.state.last_seq - LATEST) };
      known.set(name, one);
    }
    const settled = isSettled(info);
    if (!settled || leader !== one.leader) one.suspect = true;
    one.leader = leader;
    if (!settled && isShort(nats, info)) await restoreReplicas(nats, name);
    const isTurn = at++ === turn % all.length;
    if (info.state.messages === 0) one.suspect = false;
    if (one.suspect && (!settled || due.length === MOST_IN_A_ROUND)) waits = true;
    else if (one.suspect || (isTurn && info.state.last_seq > one.sameUpTo)) due.push({ info, one });
  }
  for (let from = 0; from < due.length && !signal.aborted; from += TOGETHER) {
    const some = due.slice(from, from + TOGETHER);
    const outcomes = await Promise.all(some.map(({ info, one }) => compare(nats, options, info, one)));
    waits ||= outcomes.some((done) => !done);
  }
  return waits;
}

/** A replica is missing, and it is not one of a server that is away. */
function isShort({ replicas }: Nats, { cluster }: StreamInfo): boolean {
  return Boolean(cluster?.leader) && (cluster?.replicas?.length ?? 0) + 1 < replicas;
}

/** @returns whether it is done for now */
async function compare(nats: Nats, { report }: GuardOptions, info: StreamInfo, one: Known): Promise<boolean> {
  const { name } = info.config;
  const outcome = await compareReplicas(nats, name, one.sameUpTo).catch((error: unknown) => {
    // While servers are away they do not answer; the next round compares again.
    if (!isTransient(error) && !(error instanceof JetStreamError))
      report(`replicas of the stream ${name} cannot be compared: ${messageOf(error)}`);
    return { type: 'later' } as const;
  });
  if (outcome.type === 'later') return false;
  one.suspect = false;
  if (outcome.type === 'same') one.sameUpTo = Math.max(1, outcome.upTo);
  else if (outcome.type === 'rebuilt') {
    // Compared once more: the copy may have begun before the last of them.
    one.suspect = true;
    const saved =
      outcome.saved > 0 ? `; ${outcome.saved} messages that its leader lacked were stored again` : '';
    report(
      `replicas of the stream ${name} differed from its leader and were copied anew, on ${outcome.servers.join(', ')}${saved}. ` +
        'See "Replicas that differ" in docs/guarantees.md',
    );
  } else
    report(
      `replicas of the stream ${name} differ and must be repaired by hand: ${outcome.words}. ` +
        'See "Replicas that differ" in docs/guarantees.md',
    );
  return outcome.type !== 'rebuilt';
}
