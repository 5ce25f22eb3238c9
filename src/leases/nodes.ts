/** Who takes part in delivery, and who holds which partition, as one node sees it. */
export interface Nodes {
  snapshot(): NodesSnapshot;
  /** Calls back when a node comes, goes or leaves, or a partition changes hands; returns how to stop. */
  subscribe(listener: () => void): () => void;
}

export interface NodesSnapshot {
  /** By name. */
  readonly nodes: readonly NodeView[];
  /** Partitions that no node holds just now, ascending. */
  readonly unheld: readonly number[];
}

export interface NodeView {
  /** Host and port that it listens on. */
  readonly name: string;
  /** Of this start of its process. */
  readonly session: string;
  /** Whether it is the node that answers. */
  readonly self: boolean;
  /** `leaving`: it hands over what it holds. `silent`: nothing was heard of it for longer than a lease. */
  readonly state: 'alive' | 'leaving' | 'silent';
  /** Milliseconds since the epoch, by its own clock. */
  readonly started: number;
  readonly version: string;
  /** Ascending. */
  readonly partitions: readonly HeldPartition[];
}

interface HeldPartition {
  readonly partition: number;
  readonly epoch: number;
  /** Since when, milliseconds since the epoch, by the holder's clock. */
  readonly since: number;
}

/** What a node says of itself. */
export interface NodeDescription {
  readonly name: string;
  readonly version: string;
}

/** Told of what becomes of leases; see telemetry.ts. */
export interface LeaseTelemetry {
  /** `from`: whoever had it before. `none`: it was free; `lost`: a node that fell silent; `self`: this very node. */
  leaseAcquired(event: { partition: number; epoch: number; from: 'none' | 'lost' | 'self' }): void;
  leaseLost(event: { partition: number; epoch: number; reason: LossReason }): void;
  nodesCounted(event: { alive: number }): void;
  /** The watch of nodes and leases was silent while heartbeats were stored: a new one was begun. */
  watchRenewed(): void;
}

/**
 * `stopped`: the node stops. `moved`: another node's share now. `taken`: another node holds it. `paused`: the process
 * stood still for longer than a lease. `no contact`: the storage did not answer for too long. `ended`: its run ended.
 */
export type LossReason = 'stopped' | 'moved' | 'taken' | 'paused' | 'no contact' | 'ended';
