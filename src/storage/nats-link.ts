import type { NatsConnection } from '@nats-io/transport-node';
import type { Clock } from '../lib/clock.ts';

/** Whether NATS is connected; the client reconnects by itself, without a limit. */
export interface NatsLink {
  connected(): boolean;
  /** Calls back whenever the connection is up again after a loss; returns a function that ends it. */
  onReconnect(listener: () => void): () => void;
  /**
   * Resolves when the connection is up.
   * @param deadline on the monotonic clock
   * @throws ConnectionLost at the deadline, or once the connection has been down for PATIENCE_MS
   */
  up(deadline: number): Promise<void>;
  /**
   * Runs a call that waits for an answer.
   * @throws ConnectionLost as soon as the connection is lost: the call may have taken effect or not
   */
  whileUp<T>(call: () => Promise<T>): Promise<T>;
  /** Resolves when the connection is closed. */
  readonly ended: Promise<void>;
}

export class ConnectionLost extends Error {
  constructor() {
    super('there is no connection');
    this.name = 'ConnectionLost';
  }
}

/** A client reaches another server of a cluster well within a second, a restarting one within a few: calls then fail. */
const PATIENCE_MS = 4_000;

export function watchLink(connection: NatsConnection, clock: Clock): NatsLink {
  const listeners = new Set<() => void>();
  const waiting = new Set<() => void>();
  const underWay = new Set<() => void>();
  let lostAt: number | undefined;

  const changes: { readonly [type: string]: () => void } = {
    disconnect: () => {
      lostAt ??= clock.monotonic();
      // A request that was sent may never be answered: retry it on the next connection instead.
      for (const lose of [...underWay]) lose();
    },
    reconnect: () => {
      lostAt = undefined;
      for (const listener of [...waiting, ...listeners]) listener();
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
