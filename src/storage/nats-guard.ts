import { JetStreamError, type StreamInfo } from '@nats-io/jetstream';
import { Wakeup } from '../lib/wakeup.ts';
import type { Nats } from './nats.ts';
import { isTransient, messageOf } from './nats-faults.ts';
import { compareReplicas, isSettled, restoreReplicas } from './nats-rebuild.ts';

interface GuardOptions {
  /** Begins the names of the installation's streams and buckets. */
  readonly prefix: string;
  /** Whether this node takes care of the replicas: one node at a time. */
  isInCharge(): boolean;
  /** Receives a description of the events. */
  report(message: string): void;
}

interface Known {
  leader: string | undefined;
  /** An event came since its replicas were compared. */
  suspect: boolean;
  /** The replicas were equal up to this sequence. */
  sameUpTo: number;
  /** The last message when they were compared. */
  comparedAt: number;
}

/**
 * The interval without events; each round costs the servers one question about all streams. They report elections by
 * themselves: this finds events that they do not report, and serves nodes that get no reports.
 */
const LOOK_EVERY_MS = 30_000;
/** The pause after a report, so that the elections of hundreds of streams need one check. */
const LOOK_AFTER_MS = 500;
const LEADER_ELECTED = '$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED';
/** The pause after an event of a stream. */
const LOOK_SOON_MS = 2_000;
/** For a stream that was not compared before, this many messages are compared: those of the last seconds under load. */
const LATEST = 2_000;
/** Streams that are compared at the same time: hundreds of them must not keep the servers busy. */
const TOGETHER = 4;
const SEE = 'See "Replicas that differ" in docs/guarantees.md';

/**
 * Takes care of the replicas of all streams. It compares the replicas of a stream whose leader changed, that had an
 * outdated replica, or that a node suspects, as soon as all of them are up to date; NATS copies those that differ
 * again. Each round compares one more stream. Ends when `signal` aborts.
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
  // The name of the stream is the last part. Where the servers' permissions do not allow it, looks are further apart.
  const elected = nats.connection.subscribe(`${LEADER_ELECTED}.*`, {
    callback: (error, { subject }) => {
      const name = subject.slice(LEADER_ELECTED.length + 1);
      if (!error && isOwn(options.prefix, name)) suspect(name);
    },
  });
  const forget = nats.onReplicaDiffers((stream) => {
    if (!nats.connection.isClosed() && !nats.connection.isDraining())
      nats.connection.publish(subject, stream);
  });
  const stop = () => wakeup.wake();
  signal.addEventListener('abort', stop, { once: true });
  const round: Round = {
    ...{ nats, options, known, comparing: new Map(), suspected: new Set(), turn: 0, full: false },
    goOn: () => wakeup.wake(),
  };
  try {
    while (!signal.aborted) {
      let pause = LOOK_EVERY_MS;
      // A node that takes over this task does not know the time before, so it compares every stream.
      if (!options.isInCharge()) known.clear();
      else if (await look(round).catch(() => true)) pause = LOOK_SOON_MS;
      await wakeup.waitFor(pause, nats.clock);
      await nats.clock.sleep(LOOK_AFTER_MS, signal).catch(() => undefined);
    }
    await Promise.all(round.comparing.values());
  } finally {
    forget();
    subscription.unsubscribe();
    elected.unsubscribe();
    signal.removeEventListener('abort', stop);
  }
}

interface Round {
  readonly nats: Nats;
  readonly options: GuardOptions;
  readonly known: Map<string, Known>;
  /** Streams whose replicas are being compared or copied. */
  readonly comparing: Map<string, Promise<void>>;
  /** Of them, those to which something happened. */
  readonly suspected: Set<string>;
  turn: number;
  /** Streams wait until one of those that are being compared is done. */
  full: boolean;
  /** The next round must not wait for the end of the pause. */
  goOn(): void;
}

/** @returns whether a stream with an event is being compared or waits for it */
async function look(round: Round): Promise<boolean> {
  const { nats, options, known, comparing } = round;
  const all: StreamInfo[] = [];
  for await (const info of nats.manager.streams.list()) {
    if (isOwn(options.prefix, info.config.name)) all.push(info);
  }
  const inTurn = all[round.turn++ % Math.max(1, all.length)];
  let soon = false;
  round.full = false;
  for (const info of all) {
    const { name } = info.config;
    const one = knownOf(known, info);
    const settled = isSettled(info);
    if (!settled || info.cluster?.leader !== one.leader) one.suspect = info.state.messages > 0;
    one.leader = info.cluster?.leader;
    if (comparing.has(name)) continue;
    if (!settled && isShort(nats, info)) await restoreReplicas(nats, name);
    if (!one.suspect && (info !== inTurn || info.state.last_seq <= one.comparedAt)) continue;
    soon ||= one.suspect;
    if (!settled) continue;
    if (comparing.size >= TOGETHER) round.full = true;
    else {
      if (one.suspect) round.suspected.add(name);
      const done = compare(nats, options, info, one).then((outcome) => {
        comparing.delete(name);
        round.suspected.delete(name);
        if (outcome === 'rebuilt' || (round.full && outcome !== 'later')) round.goOn();
      });
      comparing.set(name, done);
    }
  }
  return soon || round.suspected.size > 0;
}

function knownOf(known: Map<string, Known>, { config, cluster, state }: StreamInfo): Known {
  const before = known.get(config.name);
  if (before) return before;
  const sameUpTo = Math.max(1, state.last_seq - LATEST);
  const one = { leader: cluster?.leader, suspect: state.messages > 0, sameUpTo, comparedAt: 0 };
  known.set(config.name, one);
  return one;
}

function isOwn(prefix: string, stream: string): boolean {
  return stream.startsWith(`${prefix}-log-`) || stream.startsWith(`KV_${prefix}-`);
}

/** A replica is missing, and it is not one of a server that is away. */
function isShort({ replicas }: Nats, { cluster }: StreamInfo): boolean {
  return Boolean(cluster?.leader) && (cluster?.replicas?.length ?? 0) + 1 < replicas;
}

/** A stream whose replicas were copied is compared once more: a copy may have begun before the last of its messages. */
async function compare(
  nats: Nats,
  { report }: GuardOptions,
  info: StreamInfo,
  one: Known,
): Promise<'later' | 'rebuilt' | 'done'> {
  const { name } = info.config;
  // Events from now on make it suspect again.
  one.suspect = false;
  one.comparedAt = info.state.last_seq;
  const outcome = await compareReplicas(nats, name, one.sameUpTo).catch((error: unknown) => {
    // While servers are away they do not answer; the next round compares again.
    if (!isTransient(error) && !(error instanceof JetStreamError))
      report(`replicas of the stream ${name} cannot be compared: ${messageOf(error)}`);
    return { type: 'later' } as const;
  });
  switch (outcome.type) {
    case 'later':
      one.suspect = true;
      return 'later';
    case 'same':
      one.sameUpTo = Math.max(1, outcome.upTo);
      return 'done';
    case 'rebuilt': {
      one.suspect = true;
      const saved =
        outcome.saved > 0 ? `; ${outcome.saved} messages that its leader lacked were stored again` : '';
      report(
        `replicas of the stream ${name} differed from its leader and were copied again, on ${outcome.servers.join(', ')}${saved}. ${SEE}`,
      );
      return 'rebuilt';
    }
    case 'unclear':
      report(`replicas of the stream ${name} differ and must be repaired by hand: ${outcome.words}. ${SEE}`);
      return 'done';
  }
}
