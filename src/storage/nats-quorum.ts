import { TimeoutError } from '@nats-io/transport-node';
import type { Clock } from '../lib/clock.ts';
import { isTransient } from './nats-faults.ts';
import { ConnectionLost } from './nats-link.ts';

/**
 * Leaves a server of NATS that is connected and stores nothing: it may be cut off from the others, which go on without it.
 * Reads prove nothing, because a server that was a leader when it was cut off answers them for some time.
 *
 *   Q1  The server is left when writes failed for `SILENT_MS` and none was stored meanwhile. Leaders are elected in about as
 *       long, so an election may cost one connection more, not many.
 *   Q2 Without writes the node learns nothing, and leaves no server. A node writes a heartbeat a second.
 *   Q3  A write that began on an earlier connection says nothing of this one. Its answer cannot come any more, so it fails some
 *       seconds after the server was left. Counted against the next server, it made nodes leave one server after the other, each
 *       after a second or two, for a minute: on each new connection all consumers are made again, and the servers had no time left.
 *   Q4  Each further server gets twice as long, and each write to it waits longer for its answer, until one is stored. Then no
 *       server was at fault: no server is the leader, or the machines are too busy to answer in time.
 */
export interface Quorum {
  /** Follows the outcome of one try to write. */
  watch<T>(write: () => Promise<T>): Promise<T>;
  /** How long to wait for the answer to one try, ms. */
  readonly attemptMs: number;
  /** Another connection was made. */
  reconnected(): void;
}

/**
 * The first write that waits is given up after two seconds, so the first server is left within five. Servers wait for up to
 * nine seconds before they call an election.
 */
const SILENT_MS = { first: 3_500, most: 10_000 };
/** A leader that is gone never answers; one that is alive answers within milliseconds, on a machine with work for it. */
const ATTEMPT_MS = { first: 2_000, most: 5_000 };

/** @param leave connects to another server, if there is one; false: there is none, or the connection is lost already */
export function watchQuorum(clock: Clock, leave: () => boolean): Quorum {
  /** When the first of the writes began that failed in a row. */
  let failingSince: number | undefined;
  let connectedAt = Number.NEGATIVE_INFINITY;
  /** Until the next connection. */
  let leaving = false;
  /** How many servers were left since a write was stored. */
  let left = 0;

  const grown = ({ first, most }: typeof SILENT_MS) => Math.min(most, first * 2 ** left);

  const failed = (begun: number) => {
    if (leaving || begun < connectedAt) return;
    failingSince ??= begun;
    if (clock.monotonic() - failingSince < grown(SILENT_MS)) return;
    failingSince = undefined;
    leaving = leave();
    if (leaving) left++;
  };

  return {
    get attemptMs() {
      return grown(ATTEMPT_MS);
    },
    reconnected: () => {
      connectedAt = clock.monotonic();
      leaving = false;
      failingSince = undefined;
    },
    watch: async (write) => {
      const begun = clock.monotonic();
      try {
        const written = await write();
        failingSince = undefined;
        left = 0;
        return written;
      } catch (error) {
        if (error instanceof ConnectionLost) failingSince = undefined;
        else if (error instanceof TimeoutError || isTransient(error)) failed(begun);
        else failingSince = undefined;
        throw error;
      }
    },
  };
}
