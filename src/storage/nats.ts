import {
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream';
import { connect, type NatsConnection, nuid } from '@nats-io/transport-node';
import { StoreUnavailable } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import { isAnswer, isClosing, isNotFound, isTransient, messageOf } from './nats-faults.ts';
import { allRefuse } from './nats-gone.ts';
import { type NatsLink, watchLink } from './nats-link.ts';
import { connectionOptions, withoutCredentials } from './nats-options.ts';
import { type Ask, ATTEMPT_MS, type Publish, publisher } from './nats-publish.ts';
import { watchQuorum } from './nats-quorum.ts';
import { connectFault, jetStreamFault, type StartFault } from './nats-start-faults.ts';

export { StoreUnavailable };

/** One connection to NATS JetStream, shared by log, registry and leases. */
export interface Nats {
  readonly connection: NatsConnection;
  readonly jetstream: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly clock: Clock;
  /** Replicas of every stream that is created. */
  readonly replicas: number;
  /** Most bytes of a message, minus room for its headers. */
  readonly mostBytes: number;
  readonly publish: Publish;
  readonly ask: Ask;
  /** Creates a stream, or updates what may change of an existing one (age, replicas). */
  ensureStream(config: NewStream): Promise<StreamInfo>;
  /** Whether the connection is up at the moment: for a node's readiness. */
  connected(): boolean;
  /** Whether no server of the cluster runs, as far as it is certain: then no node can use it. */
  gone(): Promise<boolean>;
  /** A replica of a stream has another message under this sequence than its leader. */
  replicaDiffers(stream: string, sequence: number): void;
  /** Calls back with the stream whenever that happened; returns a function that ends it. */
  onReplicaDiffers(listener: (stream: string) => void): () => void;
  /** Calls back whenever the connection is up again after a loss; returns a function that ends it. */
  onReconnect(listener: () => void): () => void;
  /** A text that was never returned before. */
  uniqueId(): string;
  /** Sends pending messages, then ends the connection. */
  close(): Promise<void>;
}

export type NewStream = Partial<StreamConfig> & { readonly name: string; readonly subjects: string[] };

interface NatsOptions {
  /** `nats://[user:password@]host:port` or `tls://…`; the client discovers the cluster's other servers. */
  readonly servers: readonly string[];
  readonly replicas: number;
  readonly clock: Clock;
  /** How long to wait for the first connection and for JetStream, ms. */
  readonly startWithinMs?: number;
  /** Receives the reason why the start waits, again whenever it changes. */
  readonly waiting?: (cause: string) => void;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
  /** Receives faults of NATS that its operator must know. */
  readonly fault?: (message: string) => void;
}

/** A cluster of three elects new leaders in about five seconds; a restart of the cluster takes longer. */
const ANSWER_WITHIN_MS = 10_000;
const BETWEEN_ATTEMPTS_MS = 100;
const START_WITHIN_MS = 60_000;
/**
 * A new stream waits for an election, on a busy machine behind those of many others. A question that is asked again too early makes the
 * servers busier: with two seconds, 300 new streams on a machine with ten processes for each core were asked for 700 times in vain.
 */
const CREATED_WITHIN_MS = 15_000;
/** Subject, message id and expectations, with plenty of room. */
const HEADER_BYTES = 2_048;
/** A record of 256 KiB must fit into a message. */
const LEAST_PAYLOAD = 512 * 1024;
/** Two minutes, JetStream's own default: retries of a publish end long before. */
export const DUPLICATE_WINDOW_MS = 120_000;

/**
 * Connects, and waits until JetStream answers. A fault that waiting cannot fix is reported at once.
 * @throws Error that says what to do, when the connection fails in time, or the server refuses it or lacks a feature
 */
export async function openNats(options: NatsOptions): Promise<Nats> {
  const { clock, replicas, servers } = options;
  const deadline = clock.monotonic() + (options.startWithinMs ?? START_WITHIN_MS);
  const at = servers.map(withoutCredentials).join(', ');
  const begin = async <T>(what: string, faultOf: (error: unknown) => StartFault, call: () => Promise<T>) => {
    let reported = '';
    const failed = (error: unknown) => {
      const { words } = faultOf(error);
      return new Error(`${what} ${at}: ${words}; check SIMSTREAM_NATS_URL`, { cause: error });
    };
    const mayPass = (error: unknown) => {
      options.signal?.throwIfAborted();
      const { words, passes } = faultOf(error);
      if (passes && words !== reported) options.waiting?.(`waiting: ${what} ${at}: ${words}`);
      reported = words;
      return passes;
    };
    return untilDeadline(clock, deadline, mayPass, call, { failed: (_, error) => failed(error) });
  };
  const connection = await begin('no connection to NATS at', connectFault, () =>
    connect(connectionOptions(servers)),
  );
  try {
    const manager = await begin('JetStream does not answer from NATS at', jetStreamFault, async () => {
      const found = await jetstreamManager(connection, { timeout: ATTEMPT_MS, checkAPI: false });
      await found.getAccountInfo();
      return found;
    });
    const most = connection.info?.max_payload ?? 0;
    if (most < LEAST_PAYLOAD) {
      throw new Error(
        `NATS takes messages of ${most} bytes only: set max_payload to ${LEAST_PAYLOAD} or more (1 MB is its default)`,
      );
    }
    const mostBytes = most - HEADER_BYTES;
    const creating = await jetstreamManager(connection, { timeout: CREATED_WITHIN_MS, checkAPI: false });
    const { fault } = options;
    return shareConnection(connection, manager, { clock, replicas, mostBytes, creating, fault });
  } catch (error) {
    await connection.close();
    throw error;
  }
}

interface Shared {
  readonly clock: Clock;
  readonly replicas: number;
  readonly mostBytes: number;
  /** Waits longer for an answer. */
  readonly creating: JetStreamManager;
  readonly fault: ((message: string) => void) | undefined;
}

function shareConnection(
  connection: NatsConnection,
  manager: JetStreamManager,
  { clock, replicas, mostBytes, creating, fault }: Shared,
): Nats {
  const client = jetstream(connection, { timeout: ATTEMPT_MS });
  const link = watchLink(connection, clock);
  const ask = asker(link, clock);
  const servers = () => connection.getServers().map(({ listen }) => listen);
  const quorum = watchQuorum(clock, () => {
    if (servers().length < 2 || !link.connected()) return false;
    void connection.reconnect().catch(() => undefined);
    return true;
  });
  link.onReconnect(() => quorum.reconnected());
  const differs = new Set<(stream: string) => void>();

  return {
    connection,
    jetstream: client,
    manager,
    clock,
    replicas,
    mostBytes,
    ask,
    publish: publisher(manager, client, ask, quorum, clock),
    ensureStream: (config) => ensureStream(manager, creating, ask, { num_replicas: replicas, ...config }),
    connected: link.connected,
    gone: async () => !link.connected() && allRefuse(servers()),
    replicaDiffers: (stream, sequence) => {
      fault?.(
        `a replica of the stream ${stream} differs from its leader at message ${sequence}; simstream reads another one. ` +
          'See "Replicas that differ" in docs/guarantees.md',
      );
      for (const listener of [...differs]) listener(stream);
    },
    onReplicaDiffers: (listener) => {
      differs.add(listener);
      return () => differs.delete(listener);
    },
    onReconnect: link.onReconnect,
    uniqueId: () => nuid.next(),
    close: async () => {
      // A drain waits for the server's answer, which may never come when NATS is gone.
      const drained = connection.isClosed() ? Promise.resolve() : connection.drain().catch(() => undefined);
      const done = new AbortController();
      await Promise.race([drained, clock.sleep(ATTEMPT_MS, done.signal).catch(() => undefined)]);
      // A timer that still runs would keep the process alive.
      done.abort();
      await connection.close();
      await link.ended;
    },
  };
}

/**
 * Repeats a call on the next connection when its own connection was lost. A call that NATS refuses for good, such as
 * one to a deleted stream, is a fault of the storage, not a bug: it ends when the stream or the permission is back.
 */
function asker(link: NatsLink, clock: Clock): Ask {
  return (what, call, withinMs = ANSWER_WITHIN_MS) => {
    const deadline = clock.monotonic() + withinMs;
    const failed = (cause: string, error: unknown) =>
      new StoreUnavailable(`NATS: ${what}: ${cause}`, { cause: error });
    const attempt = async () => {
      await link.up(deadline).catch((error) => {
        throw failed(messageOf(error), error);
      });
      return link.whileUp(call);
    };
    const refused = (error: unknown) =>
      isClosing(error) || isAnswer(error) ? failed(messageOf(error), error) : error;
    return untilDeadline(clock, deadline, isTransient, attempt, { failed, refused });
  };
}

async function ensureStream(
  manager: JetStreamManager,
  creating: JetStreamManager,
  ask: Ask,
  config: NewStream,
): Promise<StreamInfo> {
  const what = `the stream ${config.name} cannot be opened`;
  const found = await ask(what, () => manager.streams.info(config.name).catch(notFound));
  if (!found) {
    // When several nodes start at once, one creates the stream; the others send the same configuration.
    return ask(what, () => creating.streams.add(config), START_WITHIN_MS);
  }
  const { max_age, num_replicas } = found.config;
  const asked = { max_age: config.max_age ?? 0, num_replicas: config.num_replicas ?? 1 };
  if (max_age === asked.max_age && num_replicas === asked.num_replicas) return found;
  return ask(what, () => creating.streams.update(config.name, asked), START_WITHIN_MS);
}

function notFound(error: unknown): undefined {
  if (isNotFound(error)) return undefined;
  throw error;
}

interface Failures {
  readonly failed: (cause: string, error: unknown) => Error;
  /** For faults that a retry cannot fix; by default as `failed`. */
  readonly refused?: (error: unknown) => unknown;
}

async function untilDeadline<T>(
  clock: Clock,
  deadline: number,
  mayPass: (error: unknown) => boolean,
  call: () => Promise<T>,
  { failed, refused }: Failures,
): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!mayPass(error)) throw refused ? refused(error) : failed(messageOf(error), error);
      if (clock.monotonic() + BETWEEN_ATTEMPTS_MS > deadline) throw failed(messageOf(error), error);
      await clock.sleep(BETWEEN_ATTEMPTS_MS);
    }
  }
}
