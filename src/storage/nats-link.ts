import type { NatsConnection } from '@nats-io/transport-node';
import type { Clock } from '../lib/clock.ts';

/** Whether there is a connection to NATS; the client makes it anew by itself, for ever. */
export interface NatsLink {
  connected(): boolean;
  /** Calls back whenever the connection was lost and is there again; returns how to stop. */
  onReconnect(listener: () => void): () => void;
  /**
   * Resolves when there is a connection.
   * @param deadline on the monotonic clock
   * @throws ConnectionLost at the deadline, or once there has been none for PATIENCE_MS
   */
  up(deadline: number): Promise<void>;
  /**
   * Runs a call that waits for an answer.
   * @throws ConnectionLost as soon as the connection is lost: the call may have taken effect or not
   */
  whileUp<T>(call: () => Promise<T>): Promise<T>;
  /** Resolves when the connection was closed. */
  readonly ended: Promise<void>;
}

export class ConnectionLost extends Error {
  constructor() {
    super('there is no connection');
    this.name = 'ConnectionLost';
  }
}

/** Another server of a cluster is found well within a second, one that restarts within a few: after that nobody waits. */
const PATIENCE_MS = 4_000;

export function watchLink(connection: NatsConnection, clock: Clock): NatsLink {
  const listeners = new Set<() => void>();
  const waiting = new Set<() => void>();
  const underWay = new Set<() => void>();
  let lostAt: number | undefined;

  const changes: { readonly [type: string]: () => void } = {
    disconnect: () => {
      lostAt ??= clock.monotonic();
      // What was sent may never be answered: better asked again on the next connection than waited for.
      for (const lose of [...underWay]) lose();
    },
    reconnect: () => {
      lostAt = undefined;
      for (const tell of [...waiting, ...listeners]) tell();
    },
  };
  const ended = (async () => {
    for await (const { type } of connection.status()) changes[type]?.();
    changes.disconnect?.();
  })();

  return {
    ended,
    connected: () => lostAt === undefined && !connection.isClosed(),

    onReconnect: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    up: async (deadline) => {
      if (connection.isClosed()) throw new ConnectionLost();
      if (lostAt === undefined) return;
      const patience = Math.min(deadline, lostAt + PATIENCE_MS) - clock.monotonic();
      if (patience <= 0) throw new ConnectionLost();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const cancel = clock.after(patience, () => reject(new ConnectionLost()));
      waiting.add(resolve);
      await promise.finally(() => {
        cancel();
        waiting.delete(resolve);
      });
    },

    whileUp: async (call) => {
      if (lostAt !== undefined) throw new ConnectionLost();
      const lost = Promise.withResolvers<never>();
      const lose = () => lost.reject(new ConnectionLost());
      underWay.add(lose);
      try {
        return await Promise.race([call(), lost.promise]);
      } finally {
        underWay.delete(lose);
      }
    },
  };
}
