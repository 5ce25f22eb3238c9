import type { Cause } from '../../destinations/contract.ts';
import type { Clock, Random } from '../../lib/clock.ts';
import type { Permit } from '../../lib/permit.ts';
import type { RecordLog } from '../../log/log.ts';
import type { DataStreamDocument, StreamState } from '../../registry/data-stream.ts';
import type { OrganisationTree } from '../../registry/organisation-tree.ts';
import type { Registry, WriteOutcome } from '../../registry/registry.ts';
import type { Limiting } from '../stream/concurrency.ts';
import type { Progress } from '../stream/progress.ts';
import type {
  Attempt,
  DeliverySettings,
  MemoryBudgets,
  Opening,
  Stepped,
  StreamSummary,
} from '../stream/stream-context.ts';
import type { Committer } from './committer.ts';
import type { StreamDirectory } from './stream-directory.ts';

/** Shared by all partition runners of a node. */
export interface RunnerContext {
  readonly log: RecordLog;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: DeliverySettings;
  readonly retentionMs: number;
  /** Wall time for the deletion of old data, see believed-time.ts. */
  readonly timeOfAges: () => number;
  /** Wall time for closing hours of the ledger, see believed-time.ts. */
  readonly timeOfHours: () => number;
  /** How long quarantined records are kept from their arrival on; missing: `retentionMs`. */
  readonly quarantineRetentionMs?: number | undefined;
  readonly tree: OrganisationTree;
  readonly directory: StreamDirectory;
  readonly budgets: MemoryBudgets;
  open(document: DataStreamDocument): Promise<Opening>;
  readonly telemetry: DeliveryTelemetry;
  /** Runs beside the delivery of each partition while this node holds it, until the signal aborts. Never rejects. */
  readonly beside?: ((held: HeldPartition, stop: AbortSignal) => Promise<void>) | undefined;
  /** Receives each step of each stream's state machine; for simulation and tests. */
  readonly stepped?: Stepped | undefined;
}

/** The parts of the runner that its streams use. */
export interface StreamsContext extends RunnerContext {
  readonly partition: number;
  readonly epoch: number;
  readonly permit: Permit;
  /** undefined: the takeover of the partition is not complete. */
  committer(): Committer | undefined;
  /** The sequence of the block that is being handed out, or of the next one. */
  dispatched(): number;
  /** Another node holds the partition: the runner ends. */
  fenced(): void;
}

/** A partition that this node holds, for gauges and lists. */
export interface HeldPartition {
  readonly partition: number;
  /** Its data streams that are not idle, each as its delivery knows it now. */
  streams(): Iterable<HeldStream>;
}

export interface HeldStream {
  readonly organisationId: number;
  readonly id: string;
  readonly progress: Progress;
}

/** The reports of the delivery; see telemetry.ts. */
export interface DeliveryTelemetry {
  attempted(attempt: Attempt): void;
  stateChanged(stream: StreamSummary, state: StreamState, message: string): void;
  /** The number of waiting records of a stream, from time to time. */
  sampled(stream: StreamSummary, pending: number): void;
  recordsExpired(stream: StreamSummary, records: number): void;
  /** A stream sends fewer requests at a time from now on. */
  concurrencyLowered(by: Limiting): void;
  recordsQuarantined(stream: StreamSummary, records: number, cause: Cause | undefined): void;
  /** Cursors were written together, each with its outcome; an empty list: only the watermark was written. */
  committed(cursors: readonly WriteOutcome[], durationMs: number): void;
  deliveryFault(message: string, stream?: StreamSummary): void;
}
