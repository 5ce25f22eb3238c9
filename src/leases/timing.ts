/** Durations in milliseconds. Every node of an installation must have the same. */
export interface LeaseTiming {
  /** Between two heartbeats of a node; jitter moves each by up to a tenth. */
  readonly heartbeatMs: number;
  /** A node holds its leases for this long after it sent the latest heartbeat that was stored. */
  readonly holdMs: number;
  /** A node is lost when the others have received no heartbeat from it for this long. */
  readonly lostMs: number;
  /** How long a node keeps its partitions, without sending, while its storage does not answer at all; 0: not at all. */
  readonly aloneMs: number;
  /** A new node gets partitions of others once it has been present for this long; a node that was lost, after five times that. */
  readonly steadyMs: number;
  /** A node that starts observes for this long before it takes a partition. */
  readonly settleMs: number;
  /** A run that was aborted may take this long to end; then its lease is released regardless. */
  readonly handoverMs: number;
  /** A run that ended by itself is started again after this long. */
  readonly restartMs: number;
  /** The document of a lost node is removed after this long. */
  readonly forgetMs: number;
  /** How often a node checks whether it must act, if nothing wakes it before. */
  readonly lookMs: number;
}

/**
 * A dead node is replaced within 10 s: `lostMs`, a check, and the write. The second between `holdMs` and `lostMs`
 * covers the time between the last look at the clock and the first byte that leaves the process. NATS elects a leader
 * in four to five seconds: with a shorter `holdMs`, each election would interrupt all deliveries. For `aloneMs` see
 * docs/decisions/2026-11-27-one-sender.md. A run may take ten seconds to end its requests in flight
 * (stream-context.ts), so `handoverMs` is longer.
 */
export const LEASE_TIMING: LeaseTiming = {
  heartbeatMs: 1_000,
  holdMs: 6_000,
  lostMs: 7_000,
  aloneMs: 300_000,
  steadyMs: 1_000,
  settleMs: 500,
  handoverMs: 20_000,
  restartMs: 5_000,
  forgetMs: 60_000,
  lookMs: 250,
};

/** A watcher's time advances only while its own heartbeats come back: a longer silence counts as this much. */
export const LONGEST_ECHO = 1.5;
/** A process that did not look for this many milliseconds was suspended. */
export const PAUSE_MS = 2_000;

/**
 * While the whole storage is down, no other node can take a lease, and a holder may go on sending (C4). It must know
 * that at most `withinMs` after the last heartbeat that was stored, and have looked again at most `forMs` ago.
 * `lostMs` of silence, less `withinMs`, less the echo that a watcher may add (`LONGEST_ECHO`), is longer than
 * `forMs`: so the holder has stopped before its lease can be taken by a node that reached the storage as soon as it
 * ran again.
 */
export const GONE = { askEveryMs: 500, withinMs: 3_000, forMs: 2_000 };
