import type { Clock } from '../lib/clock.ts';

/**
 * Wall time that the nodes of an installation share: records arrive by it, `start_from` and retention compare with it.
 *
 *  K1  It never goes back while the process runs, even if the clock of the machine does.
 *  K2  It is not behind the fastest clock of the nodes that are heard, except for the time that a heartbeat takes. So
 *      it does not matter which node stamps a record. A time that is too late is harmless: `start_from` then gives a
 *      record too many, and the retention keeps one too long.
 *  K3  A clock that is ahead by more than `MOST_AHEAD_MS` is ignored: one broken clock must not move all others.
 *
 * Only differences are measured: the time in a heartbeat, less this node's monotonic clock when the heartbeat
 * arrived. Heartbeats take time on their way, so the greatest of the last few differences is the most exact.
 */
export interface ClusterClock extends Clock {
  /** Takes the wall clock and the cluster clock that another node has sent. */
  heard(session: string, said: ClockReading): void;
  /** How far the own clock of another node is ahead of this node's own, ms; undefined: not heard lately. */
  skewOf(session: string): number | undefined;
  reading(): ClockReading;
}

/** Milliseconds since the epoch. */
export interface ClockReading {
  /** The wall clock of the node's machine. */
  readonly own: number;
  /** The node's cluster clock. */
  readonly shared: number;
}

/**
 * NTP keeps clocks within a tenth of a second; a machine without it drifts by seconds a day. More than a minute is a fault. The
 * tenth on top is for clocks that differ by just a minute, and by a little more each day.
 */
export const MOST_AHEAD_MS = 66_000;
/** Heartbeats that are compared; they come once a second. */
const READINGS = 10;
/** A node that was not heard for this long may be gone, or its clock may have been set. */
const STALE_MS = 15_000;

interface Heard {
  /** Their wall clock less this node's monotonic clock, for the last heartbeats. */
  readonly offsets: number[];
  at: number;
}

export function createClusterClock(clock: Clock): ClusterClock {
  const nodes = new Map<string, Heard>();
  let floor = Number.NEGATIVE_INFINITY;

  const theirs = ({ offsets }: Heard) => Math.max(...offsets) + clock.monotonic();
  const isStale = ({ at }: Heard) => clock.monotonic() - at >= STALE_MS;

  const now = (): number => {
    const own = clock.now();
    let latest = own;
    for (const [session, heard] of nodes) {
      if (isStale(heard)) nodes.delete(session);
      else if (theirs(heard) - own <= MOST_AHEAD_MS) latest = Math.max(latest, theirs(heard));
    }
    // K1. A machine's clock that was far ahead, and was corrected, must not stop this one for hours.
    if (floor - own > 2 * MOST_AHEAD_MS) floor = Number.NEGATIVE_INFINITY;
    floor = Math.max(floor, Math.floor(latest));
    return floor;
  };

  return {
    now,
    monotonic: () => clock.monotonic(),
    sleep: (milliseconds, signal) => clock.sleep(milliseconds, signal),
    after: (milliseconds, run) => clock.after(milliseconds, run),
    reading: () => ({ own: clock.now(), shared: now() }),
    heard: (session, { own, shared }) => {
      const at = clock.monotonic();
      const heard = nodes.get(session) ?? { offsets: [], at };
      heard.at = at;
      heard.offsets.push(own - at);
      if (heard.offsets.length > READINGS) heard.offsets.shift();
      nodes.set(session, heard);
      // K1 across nodes: times that another node has already stamped are not ahead of this node's time.
      if (shared - clock.now() <= MOST_AHEAD_MS) floor = Math.max(floor, shared);
    },
    skewOf: (session) => {
      const heard = nodes.get(session);
      return heard && !isStale(heard) ? Math.round(theirs(heard) - clock.now()) : undefined;
    },
  };
}
