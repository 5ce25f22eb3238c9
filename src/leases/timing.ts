/** Durations in milliseconds. Every node of an installation must have the same. */
export interface LeaseTiming {
  /** Between two heartbeats of a node; jitter moves each by up to a tenth. */
  readonly heartbeatMs: number;
  /** A node holds its leases for this long after it sent the latest heartbeat that was stored. */
  readonly holdMs: number;
  /** A node is lost when the others heard nothing from it for this long. */
  readonly lostMs: number;
  /** How long a node keeps its partitions while its storage does not answer at all; 0: not at all. */
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
 * A dead node is replaced within 10 s: `lostMs`, a check, and the write. The two seconds between `holdMs` and `lostMs`
 * are for a process that gets its turn late. For `aloneMs` see docs/decisions/2026-11-23-leases.md.
 * A run may take ten seconds to end its requests in flight (stream-context.ts), so `handoverMs` is longer.
 */
export const LEASE_TIMING: LeaseTiming = {
  heartbeatMs: 1_000,
  holdMs: 5_000,
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
