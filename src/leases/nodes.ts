/** The nodes that take part in delivery and the partitions that each holds, as one node sees them. */
export interface Nodes {
  snapshot(): NodesSnapshot;
  /** Calls back when a node comes, goes or leaves, or a partition changes hands; returns a function that ends it. */
  subscribe(listener: () => void): () => void;
}

export interface NodesSnapshot {
  /** By name. */
  readonly nodes: readonly NodeView[];
  /** Partitions that no node holds at the moment, ascending. */
  readonly unheld: readonly number[];
  /** Those that no node has held for `STUCK_MS`: their records wait. */
  readonly stuck: readonly number[];
  /**
   * Time since this node last saw one of its own heartbeats, ms; undefined: it saw none yet. Its view can be that
   * old.
   */
  readonly ageMs: number | undefined;
  /**
   * Whether the storage accepts writes of this node. If not, other nodes may hold the partitions that are shown as
   * its own.
   */
  readonly quorum: boolean;
  /** The faults of this node's part, in words. */
  readonly faults: readonly string[];
}

/** A partition changes hands in less, even when a node died. */
export const STUCK_MS = 10_000;

export interface NodeView {
  /** Host and port that the node listens on. */
  readonly name: string;
  /** Identifies one start of the process. */
  readonly session: string;
  /** Whether it is the answering node. */
  readonly self: boolean;
  /** `leaving`: it hands its partitions over. `silent`: the others heard nothing from it for longer than a lease. */
  readonly state: 'alive' | 'leaving' | 'silent';
  /** Milliseconds since the epoch, by its own clock. */
  readonly started: number;
  readonly version: string;
  /** How far its clock is ahead of the clock of the answering node, ms; undefined: not known. */
  readonly skewMs: number | undefined;
  /** Ascending. */
  readonly partitions: readonly HeldPartition[];
}

interface HeldPartition {
  readonly partition: number;
  readonly epoch: number;
  /** Since when, milliseconds since the epoch, by the holder's clock. */
  readonly since: number;
}

/** The facts that a node publishes about itself. */
export interface NodeDescription {
  readonly name: string;
  readonly version: string;
}

/** Reports changes of leases; see telemetry.ts. */
export interface LeaseTelemetry {
  /** `from`: the previous holder. `none`: the lease was free; `lost`: a node that fell silent; `self`: this very node. */
  leaseAcquired(event: { partition: number; epoch: number; from: 'none' | 'lost' | 'self' }): void;
  leaseLost(event: { partition: number; epoch: number; reason: LossReason }): void;
  nodesCounted(event: { alive: number }): void;
  /** The watch of nodes and leases was silent while heartbeats were stored, so a new one began. */
  watchRenewed(): void;
  /** The clock of another node differs by a second or more; reported once a minute while it does. */
  clockSkewed(event: { node: string; skewMs: number }): void;
}

/**
 * `stopped`: the node stops. `moved`: the partition is now another node's share. `taken`: another node holds it. `paused`:
 * the process was suspended longer than a lease. `no contact`: the storage did not answer for too long. `ended`: its run ended.
 */
export type LossReason = 'stopped' | 'moved' | 'taken' | 'paused' | 'no contact' | 'ended';
