import type { Logger } from 'pino';
import { redactText } from '../lib/redact.ts';
import { KNOWN_CAUSES, type Metrics } from './metrics.ts';
import type { RepeatedLines } from './repeated-lines.ts';
import type { DeliveryAttempt, Events } from './telemetry.ts';

/** The metrics and the log line of each event. */
export function events(metrics: Metrics, logger: Logger, repeated: RepeatedLines): Events {
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
      const text = `${source}: ${rejected} records cannot be stored and were published as rejected`;
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
      const text = `one piece of work blocked the node for ${durationMs} ms: ${event.what}`;
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
