import type { RecordKind } from '../records/kinds.ts';

/**
 * The metrics and log lines of simstream: one function per event moves a metric (Prometheus) and writes one structured log
 * line. No function throws, waits, or shows a secret. No metric label names an organisation or a stream, so that the number
 * of series does not grow with the number of customers. docs/metrics.md lists the metrics.
 */
export interface Telemetry {
  /** Records were accepted and are durable. `bytes`: decoded. */
  recordsIngested(event: { kind: Kind; records: number; bytes: number; durationMs: number }): void;
  /** An ingest request was refused as a whole; `reason` is an error token of errors.ts. */
  ingestRefused(event: { kind: Kind; reason: string; faults?: number }): void;
  /** Messages of a source are done: `rejected` of their records, or whole messages, were published as rejected. */
  messagesTaken(event: { source: string; messages: number; rejected: number }): void;
  /** A source cannot go on at the moment. */
  sourceWaits(event: { source: string; message: string }): void;
  /** The record log stored a block. `bytes`: as stored. */
  blockAppended(event: { partition: number; records: number; bytes: number; durationMs: number }): void;
  blocksTrimmed(event: { partition: number; blocks: number }): void;
  deliveryAttempted(event: DeliveryAttempt): void;
  streamStateChanged(event: StreamRef & { state: string; message: string }): void;
  recordsExpired(event: StreamRef & { records: number }): void;
  concurrencyLowered(event: { reason: 'refused' | 'slow' }): void;
  recordsQuarantined(event: StreamRef & { records: number; causeCode: string; message: string }): void;
  cursorsCommitted(event: {
    cursors: number;
    outcome: 'stored' | 'conflict' | 'unavailable';
    durationMs: number;
  }): void;
  /** `from`: the previous holder; see LeaseTelemetry. */
  leaseAcquired(event: { partition: number; epoch: number; from: string }): void;
  leaseLost(event: { partition: number; epoch: number; reason: string }): void;
  /** The number of nodes that this node sees alive; reported when it changes. */
  nodesCounted(event: { alive: number }): void;
  /** The watch of nodes and leases was silent although this node's heartbeats were stored; a new watch began. */
  watchRenewed(): void;
  /** The clock of another node differs by a second or more from this node's. */
  clockSkewed(event: { node: string; skewMs: number }): void;
  /** `route` is the pattern of the route table, never the path of the request. */
  httpRequest(event: {
    method: string;
    route: string | undefined;
    status: number;
    durationMs: number;
    organisationId?: number;
  }): void;
  /** The event loop was blocked. `what` is the work that blocked it, or `unknown`. */
  loopBlocked(event: { what: string; durationMs: number; organisationId?: number; streamId?: string }): void;
  /** A fault of simstream itself. The operator should investigate it. */
  platformFault(event: { component: string; message: string; error?: unknown; stream?: StreamRef }): void;

  /** A gauge whose value is read with the metrics. `read` must be cheap. */
  observe(gauge: ObservedGauge): void;
  /** All metrics in Prometheus' text form. */
  metrics(): Promise<string>;
  readonly metricsContentType: string;
}

type Kind = RecordKind;

interface StreamRef {
  readonly streamId: string;
  readonly organisationId: number;
}

export interface DeliveryAttempt extends StreamRef {
  readonly connectionType: string;
  readonly deliveryId?: string;
  readonly records: number;
  /** How many of them the destination accepted; by default all if the outcome is `delivered`, else none. */
  readonly taken?: number;
  /** Bytes of records, separators not counted. */
  readonly bytes: number;
  readonly durationMs: number;
  /** From the arrival of the batch's first record to the end of this attempt. */
  readonly latencyMs?: number;
  /** `type` of an Outcome of destinations/contract.ts. */
  readonly outcome: string;
  /** Code and message of the outcome's cause, if it has one. */
  readonly causeCode?: string;
  readonly message?: string;
  readonly remoteStatus?: number;
  /** Number of the attempt, from 1. */
  readonly attempt: number;
}

export interface ObservedGauge {
  readonly name: string;
  readonly help: string;
  /** The only label of the gauge, if it has one; it must have few values. */
  readonly label?: string;
  /** One value, or one per value of the label. */
  read(): ObservedValue | Promise<ObservedValue>;
}

type ObservedValue = number | Readonly<Record<string, number>>;

/** The functions of Telemetry that report an event. */
export type Events = Omit<Telemetry, 'observe' | 'metrics' | 'metricsContentType'>;
