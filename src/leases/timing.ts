/** How long things take, milliseconds. Every node of an installation must have the same. */
export interface LeaseTiming {
  /** Between two heartbeats of a node; each is moved by up to a tenth at random. */
  readonly heartbeatMs: number;
  /** A node holds its leases for this long after it sent the last heartbeat that was stored. */
  readonly holdMs: number;
  /** A node is lost when nothing was heard of it for this long. */
  readonly lostMs: number;
  /** How long a node whose storage does not answer at all goes on with what it has; 0: not at all. */
  readonly aloneMs: number;
  /** A new node is given partitions of others when it was there for this long; one that was lost, five times that. */
  readonly steadyMs: number;
  /** A node that starts looks around for this long before it takes anything. */
  readonly settleMs: number;
  /** A run that was told to end gets this long before its lease is given up regardless. */
  readonly handoverMs: number;
  /** A run that ended by itself is started again after this long. */
  readonly restartMs: number;
  /** The document of a lost node is removed after this long. */
  readonly forgetMs: number;
  /** How often a node looks whether it must do something, if nothing wakes it before. */
  readonly lookMs: number;
}

/**
 * A node that dies is replaced within 10 s: `lostMs`, a look, and the write. Between `holdMs` and `lostMs` there are two
 * seconds for a process that gets its turn late. For `aloneMs` see docs/decisions/2026-11-23-leases.md.
 * A run gets ten seconds to end what is in flight (stream-context.ts), so `handoverMs` is more.
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

/** Time goes by for who watches only while its own heartbeats come back: of a longer silence this much counts. */
export const LONGEST_ECHO = 1.5;
/** A process that did not look for this many milliseconds stood still. */
export const PAUSE_MS = 2_000;
