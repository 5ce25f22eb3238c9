import type { Logger } from 'pino';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Clock } from '../lib/clock.ts';
import { redactText } from '../lib/redact.ts';
import { systemClock } from '../lib/system-clock.ts';
import type { RecordKind } from '../records/kinds.ts';
import { createMetrics, KNOWN_CAUSES, type Metrics } from './metrics.ts';
import { RepeatedLines } from './repeated-lines.ts';

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
  /** Messages of a source are done: `rejected` records, or whole messages, of them were kept aside. */
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
  /** The event loop stood still. `what` is the work that it did meanwhile, or `unknown`. */
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

interface ObservedGauge {
  readonly name: string;
  readonly help: string;
  /** The only label of the gauge, if it has one; it must have few values. */
  readonly label?: string;
  /** One value, or one per value of the label. */
  read(): ObservedValue | Promise<ObservedValue>;
}

type ObservedValue = number | Readonly<Record<string, number>>;

interface TelemetryOptions {
  readonly logger: Logger;
  readonly version: string;
  /** Event-loop lag, memory, garbage collection. false in tests, whose clock their timers would disturb. */
  readonly processMetrics?: boolean;
  /** By which repeated lines are summed up; by default the system's. */
  readonly clock?: Pick<Clock, 'monotonic'>;
}

export function createTelemetry(options: TelemetryOptions): Telemetry {
  const { logger, clock = systemClock } = options;
  const registry = new Registry();
  if (options.processMetrics ?? true) collectProcessMetrics(registry);
  const metrics = createMetrics(registry, options.version);
  return {
    ...guardAll(events(metrics, logger, new RepeatedLines(logger, clock)), (name, error) => {
      metrics.telemetryFaults.inc();
      logger.error({ err: error, event: name }, 'telemetry failed');
    }),
    observe: (gauge) => observe(registry, gauge),
    metrics: () => registry.metrics(),
    metricsContentType: registry.contentType,
  };
}

/** Those of prom-client, without gauges that have the name of a counter: by convention only counters end in `_total`. */
function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  for (const { name, type } of registry.getMetricsAsArray()) {
    if (String(type) === 'gauge' && name.endsWith('_total')) registry.removeSingleMetric(name);
  }
}

type Events = Omit<Telemetry, 'observe' | 'metrics' | 'metricsContentType'>;

function events(metrics: Metrics, logger: Logger, repeated: RepeatedLines): Events {
  return {
    recordsIngested: (event) => {
      const { kind, records, bytes, durationMs } = event;
      metrics.recordsIngested.inc({ kind }, records);
      metrics.ingestedBytes.inc({ kind }, bytes);
      metrics.ingestDuration.observe({ kind }, durationMs / 1000);
      if (logger.isLevelEnabled('debug')) logger.debug({ event: 'records.ingested', ...event }, 'records in');
    },
    ingestRefused: (event) => {
      metrics.ingestRefused.inc({ kind: event.kind, reason: metrics.bounded('reason', event.reason) });
      const fields = { event: 'ingest.refused', ...event };
      repeated.write(
        `ingest ${event.kind} ${event.reason}`,
        'info',
        fields,
        `ingest refused: ${event.reason}`,
      );
    },
    messagesTaken: ({ source, messages, rejected }) => {
      const label = { source: metrics.bounded('source', source) };
      metrics.sourceMessages.inc(label, messages);
      metrics.sourceRejected.inc(label, rejected);
      if (rejected === 0) return;
      const fields = { event: 'source.rejected', source, records: rejected };
      const text = `${source}: ${rejected} records cannot be stored and were kept aside`;
      repeated.write(`source rejected ${source}`, 'warn', fields, text);
    },
    sourceWaits: ({ source, message }) => {
      const fields = { event: 'source.waiting', source };
      repeated.write(
        `source waits ${source} ${message}`,
        'warn',
        fields,
        redactText(`${source}: ${message}`),
      );
    },
    blockAppended: (event) => {
      metrics.blocksAppended.inc();
      metrics.appendedBytes.inc(event.bytes);
      metrics.appendDuration.observe(event.durationMs / 1000);
      if (logger.isLevelEnabled('trace')) logger.trace({ event: 'block.appended', ...event }, 'block stored');
    },
    blocksTrimmed: (event) => {
      metrics.blocksTrimmed.inc(event.blocks);
      if (logger.isLevelEnabled('debug')) logger.debug({ event: 'blocks.trimmed', ...event }, 'log trimmed');
    },
    deliveryAttempted: (event) => {
      countDelivery(metrics, event);
      const level = LEVEL_OF_OUTCOME[event.outcome] ?? 'warn';
      if (level === 'debug' && !logger.isLevelEnabled(level)) {
        repeated.settle();
        return;
      }
      const { message, ...rest } = event;
      const text = message === undefined ? event.outcome : `${event.outcome}: ${redactText(message)}`;
      const fields = { event: 'delivery.attempted', ...rest, ...rounded(event) };
      if (level === 'debug') logger.debug(fields, text);
      else
        repeated.write(`attempt ${event.streamId} ${event.outcome} ${event.causeCode}`, level, fields, text);
    },
    streamStateChanged: (event) => {
      metrics.stateChanges.inc({ state: metrics.bounded('state', event.state) });
      const { message, ...rest } = event;
      const level = event.state === 'error' ? 'warn' : 'info';
      const fields = { event: 'stream.state', ...rest };
      const text = `data stream ${event.state}: ${redactText(message)}`;
      repeated.write(`state ${event.streamId} ${event.state}`, level, fields, text);
    },
    recordsExpired: (event) => {
      metrics.recordsExpired.inc(event.records);
      const fields = { event: 'records.expired', ...event };
      const text = 'records expired before they were delivered';
      repeated.write(`expired ${event.streamId}`, 'warn', fields, text);
    },
    concurrencyLowered: (event) => metrics.concurrencyLowered.inc(event),
    recordsQuarantined: (event) => {
      metrics.recordsQuarantined.inc(
        { cause: metrics.bounded('cause', causeLabel(event.causeCode)) },
        event.records,
      );
      const { message, ...rest } = event;
      const fields = { event: 'records.quarantined', ...rest };
      const text = `records quarantined: ${redactText(message)}`;
      repeated.write(`quarantined ${event.streamId} ${event.causeCode}`, 'warn', fields, text);
    },
    cursorsCommitted: (event) => {
      metrics.cursorsCommitted.inc({ outcome: event.outcome }, event.cursors);
      metrics.commitDuration.observe(event.durationMs / 1000);
      const fields = { event: 'cursors.committed', ...event, ...rounded(event) };
      const text = `cursors ${event.outcome}`;
      if (event.outcome !== 'stored') repeated.write(`cursors ${event.outcome}`, 'warn', fields, text);
      else if (logger.isLevelEnabled('trace')) logger.trace(fields, text);
    },
    leaseAcquired: (event) => {
      metrics.leasesHeld.inc();
      metrics.leasesTaken.inc({ from: metrics.bounded('from', event.from) });
      logger[event.from === 'lost' ? 'info' : 'debug'](
        { event: 'lease.acquired', ...event },
        'partition taken',
      );
    },
    leaseLost: (event) => {
      metrics.leasesHeld.dec();
      metrics.leasesLost.inc({ reason: metrics.bounded('reason', event.reason) });
      logger.debug({ event: 'lease.lost', ...event }, `partition released: ${event.reason}`);
    },
    nodesCounted: (event) => {
      metrics.nodes.set(event.alive);
      logger.info(
        { event: 'nodes.counted', ...event },
        `${event.alive} ${event.alive === 1 ? 'node is' : 'nodes are'} alive`,
      );
    },
    watchRenewed: () => {
      metrics.watchesRenewed.inc();
      logger.warn(
        { event: 'watch.renewed' },
        'NATS stores the heartbeats of this node but no longer shows them: restarting the watch of nodes and leases',
      );
    },
    clockSkewed: (event) => {
      const { node, skewMs } = event;
      const side = skewMs > 0 ? 'ahead of' : 'behind';
      const text = `the clock of node ${node} is ${Math.abs(skewMs) / 1_000} s ${side} the clock of this node`;
      repeated.write(`clock ${node}`, 'warn', { event: 'clock.skewed', ...event }, text);
    },
    httpRequest: (event) => {
      const route = event.route === undefined ? 'none' : metrics.bounded('route', event.route);
      const method = metrics.bounded('method', event.method);
      metrics.httpRequests.inc({ method, route, status: `${Math.floor(event.status / 100)}xx` });
      metrics.httpDuration.observe({ method, route }, event.durationMs / 1000);
      repeated.settle();
      const failed = event.status >= 500;
      if (!failed && !logger.isLevelEnabled('debug')) return;
      const fields = { event: 'http.request', ...event, ...rounded(event) };
      const text = `${event.method} ${route} ${event.status}`;
      if (failed) repeated.write(`request ${text}`, 'warn', fields, text);
      else logger.debug(fields, text);
    },
    loopBlocked: (event) => {
      metrics.loopBlocked.inc({ what: metrics.bounded('what', event.what) });
      const durationMs = Math.round(event.durationMs);
      const fields = { event: 'loop.blocked', ...event, durationMs };
      const text = `the node did nothing else for ${durationMs} ms: ${event.what}`;
      repeated.write(`loop ${event.what}`, 'warn', fields, text);
    },
    platformFault: (event) => {
      metrics.platformFaults.inc({ component: metrics.bounded('component', event.component) });
      const { message, error, stream, ...rest } = event;
      const err = error === undefined ? {} : { err: error };
      const fields = { event: 'platform.fault', ...rest, ...stream, ...err };
      const kind = `fault ${event.component} ${message} ${error instanceof Error ? error.message : ''}`;
      repeated.write(kind, 'error', fields, redactText(message));
    },
  };
}

/** Tenths of a millisecond: more digits say nothing. */
function rounded({ durationMs, latencyMs }: { durationMs: number; latencyMs?: number | undefined }) {
  const round = (ms: number) => Math.round(ms * 10) / 10;
  return {
    durationMs: round(durationMs),
    ...(latencyMs === undefined ? {} : { latencyMs: round(latencyMs) }),
  };
}

/** A success is logged as debug, a passing failure as info, a failure that a customer must fix as a warning. */
const LEVEL_OF_OUTCOME: Readonly<Record<string, 'debug' | 'info' | 'warn' | 'error'>> = {
  delivered: 'debug',
  partial: 'info',
  retry: 'info',
  too_large: 'info',
  refused: 'warn',
  rejected: 'warn',
  platform: 'error',
};

function countDelivery(metrics: Metrics, event: DeliveryAttempt): void {
  const type = metrics.bounded('connection_type', event.connectionType);
  const outcome = metrics.bounded('outcome', event.outcome);
  metrics.deliveries.inc({ connection_type: type, outcome });
  metrics.deliveryDuration.observe({ connection_type: type }, event.durationMs / 1000);
  if (event.causeCode !== undefined) {
    metrics.deliveryFailures.inc({
      connection_type: type,
      cause: metrics.bounded('cause', causeLabel(event.causeCode)),
    });
  }
  const taken = event.taken ?? (event.outcome === 'delivered' ? event.records : 0);
  if (taken > 0) metrics.recordsDelivered.inc({ connection_type: type }, taken);
  if (event.outcome !== 'delivered') return;
  metrics.deliveredBytes.inc({ connection_type: type }, event.bytes);
  if (event.latencyMs !== undefined) {
    metrics.deliveryLatency.observe({ connection_type: type }, event.latencyMs / 1000);
  }
}

/** Receivers choose their statuses freely, so statuses without a meaning of their own count by class: `http_4xx`. */
function causeLabel(code: string): string {
  const [, hundreds] = /^http_(\d)\d\d$/.exec(code) ?? [];
  return hundreds === undefined || KNOWN_CAUSES.has(code) ? code : `http_${hundreds}xx`;
}

function guardAll(functions: Events, failed: (name: string, error: unknown) => void): Events {
  const guarded = Object.entries(functions).map(([name, report]) => [
    name,
    (event: never) => {
      try {
        (report as (event: never) => void)(event);
      } catch (error) {
        // A fault of telemetry must not change what the node does.
        try {
          failed(name, error);
        } catch {
          // The log itself is broken, so nothing can report the fault.
        }
      }
    },
  ]);
  return Object.fromEntries(guarded) as Events;
}

function observe(registry: Registry, { name, help, label, read }: ObservedGauge): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    labelNames: label === undefined ? [] : [label],
    async collect() {
      try {
        const values = await read();
        if (typeof values === 'number') return this.set(values);
        this.reset();
        for (const [value, amount] of Object.entries(values)) this.set({ [label ?? 'value']: value }, amount);
      } catch {
        // A gauge that cannot be read is left out of this answer.
        this.reset();
      }
    },
  });
}
