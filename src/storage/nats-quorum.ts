import { TimeoutError } from '@nats-io/transport-node';
import type { Clock } from '../lib/clock.ts';
import { isTransient } from './nats-faults.ts';
import { ConnectionLost } from './nats-link.ts';

/**
 * Leaves a server of NATS that is connected and stores nothing: it may be cut off from the others, which go on without it.
 * Reads prove nothing, because a server that was a leader when it was cut off answers them for some time.
 *
 *   Q1  The server is left when writes failed for `SILENT_MS` and none was stored meanwhile. Leaders are elected in about as
 *       long, so an election may cost one connection more, not many: the next server gets as much time.
 *   Q2  Without writes nothing is known, and nothing is left. A node writes a heartbeat a second.
 */
export interface Quorum {
  /** Follows the outcome of one try to write. */
  watch<T>(write: () => Promise<T>): Promise<T>;
  /** Another connection was made. */
  reconnected(): void;
}

/** The first write that waits is given up after two seconds (ATTEMPT_MS), so the server is left within five. */
const SILENT_MS = 3_500;

/** @param leave connects to another server; called only while it may help */
export function watchQuorum(clock: Clock, leave: () => void): Quorum {
  /** When the first of the writes began that failed in a row. */
  let failingSince: number | undefined;

  const failed = (begun: number) => {
    failingSince ??= begun;
    if (clock.monotonic() - failingSince < SILENT_MS) return;
    failingSince = undefined;
    leave();
  };

  return {
    reconnected: () => {
      failingSince = undefined;
    },
    watch: async (write) => {
      const begun = clock.monotonic();
      try {
        const written = await write();
        failingSince = undefined;
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
