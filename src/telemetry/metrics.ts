import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** From the time of a local store to the limit of the slowest answer (30 s). */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** From immediate delivery at low load to a stream that was paused for the whole retention. */
const LATENCY = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120, 600, 3600, 21_600, 86_400, 604_800];

/** The most distinct values of one label; further values count as `other`. This is a safeguard: labels have few values by design. */
const MOST_LABEL_VALUES = 100;

/**
 * The causes that simstream itself names, and the statuses with a meaning of their own. They are always counted under
 * their names: a receiver with many different answers cannot push them into `other`.
 */
export const KNOWN_CAUSES: ReadonlySet<string> = new Set([
  ...['not_removed', 'not_bound', 'own_account'],
  ...[
    'cancelled',
    'connection_refused',
    'connection_reset',
    'foreign_answer',
    'dns_error',
    'entry_too_old',
    'expired',
    'forbidden_address',
  ],
  ...['internal', 'invalid_answer', 'names_busy', 'network_error', 'no_timestamp', 'no_values'],
  ...['out_of_sockets', 'partly_refused', 'point_in_future', 'point_too_old', 'proxy_failed'],
  ...['record_too_large', 'request_too_large', 'scratch_unavailable', 'timeout', 'tls_error', 'unknown'],
  ...[
    'progress_not_stored',
    'quarantine_full',
    'quarantine_not_stored',
    'record_log_not_read',
    'unreachable',
    'unreadable',
  ],
  ...[400, 401, 403, 404, 408, 410, 413, 422, 429, 500, 502, 503, 504].map((status) => `http_${status}`),
]);

export type Metrics = ReturnType<typeof createMetrics>;

/** The metrics of a node; docs/metrics.md lists them. */
export function createMetrics(registry: Registry, version: string) {
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers });
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const histogram = <Label extends string>(
    name: string,
    help: string,
    buckets: number[],
    ...labelNames: Label[]
  ) => new Histogram({ name, help, buckets, labelNames, registers });

  new Gauge({
    name: 'simstream_build_info',
    help: 'Always 1; the labels are the versions of simstream and of Node.js',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version, node: process.version }, 1);

  return {
    recordsIngested: counter('simstream_records_ingested_total', 'Records accepted and durable', 'kind'),
    ingestedBytes: counter('simstream_ingested_bytes_total', 'Bytes of accepted records, decoded', 'kind'),
    ingestDuration: histogram(
      'simstream_ingest_duration_seconds',
      'Time from the request to the answer, when its records are durable',
      SECONDS,
      'kind',
    ),
    ingestRefused: counter(
      'simstream_ingest_refused_total',
      'Ingest requests refused as a whole',
      'kind',
      'reason',
    ),
    sourceMessages: counter(
      'simstream_source_messages_total',
      'Messages of sources that are stored or rejected',
      'source',
    ),
    sourceRejected: counter(
      'simstream_source_rejected_total',
      'Records and whole messages of sources that cannot be stored and were published as rejected',
      'source',
    ),
    blocksAppended: counter('simstream_blocks_appended_total', 'Blocks stored in the record log'),
    appendedBytes: counter('simstream_appended_bytes_total', 'Bytes stored in the record log'),
    appendDuration: histogram('simstream_append_duration_seconds', 'Time until a block is durable', SECONDS),
    blocksTrimmed: counter('simstream_blocks_trimmed_total', 'Blocks removed at the end of the retention'),
    deliveries: counter(
      'simstream_deliveries_total',
      'Attempts to deliver a batch',
      'connection_type',
      'outcome',
    ),
    deliveryFailures: counter(
      'simstream_delivery_failures_total',
      'Attempts that did not deliver all records, by cause',
      'connection_type',
      'cause',
    ),
    deliveryDuration: histogram(
      'simstream_delivery_duration_seconds',
      'Duration of one delivery attempt',
      SECONDS,
      'connection_type',
    ),
    deliveryLatency: histogram(
      'simstream_delivery_latency_seconds',
      "Time from the arrival of a batch's first record to its delivery",
      LATENCY,
      'connection_type',
    ),
    recordsDelivered: counter(
      'simstream_records_delivered_total',
      'Records that destinations accepted',
      'connection_type',
    ),
    deliveredBytes: counter(
      'simstream_delivered_bytes_total',
      'Bytes of records in completely delivered batches',
      'connection_type',
    ),
    stateChanges: counter(
      'simstream_stream_state_changes_total',
      'State changes of data streams, by new state',
      'state',
    ),
    recordsExpired: counter(
      'simstream_records_expired_total',
      'Records that a data stream missed because the retention ended',
    ),
    concurrencyLowered: counter(
      'simstream_concurrency_lowered_total',
      'Times that a data stream began to send fewer requests at a time, because its destination refused or slowed down',
      'reason',
    ),
    recordsQuarantined: counter('simstream_records_quarantined_total', 'Records quarantined', 'cause'),
    cursorsCommitted: counter(
      'simstream_cursors_committed_total',
      'Cursors committed, by outcome',
      'outcome',
    ),
    commitDuration: histogram(
      'simstream_commit_duration_seconds',
      'Duration of one commit of cursors',
      SECONDS,
    ),
    leasesHeld: gauge('simstream_partitions_held', 'Partitions that this node runs'),
    leasesTaken: counter(
      'simstream_partitions_taken_total',
      'Partitions taken over, by previous holder: none, a lost node, or this node',
      'from',
    ),
    leasesLost: counter('simstream_partitions_lost_total', 'Partitions released, by reason', 'reason'),
    watchesRenewed: counter(
      'simstream_watches_renewed_total',
      'Watches on NATS that became silent and were restarted',
    ),
    nodes: gauge('simstream_nodes', 'Nodes that this node sees alive'),
    httpRequests: counter(
      'simstream_http_requests_total',
      'Requests answered, by class of status',
      'method',
      'route',
      'status',
    ),
    httpDuration: histogram(
      'simstream_http_request_duration_seconds',
      'Duration until the answer was sent',
      SECONDS,
      'method',
      'route',
    ),
    loopBlocked: counter(
      'simstream_loop_blocked_total',
      'Times that one piece of work blocked the node for 200 ms or more, by the work',
      'what',
    ),
    platformFaults: counter('simstream_platform_faults_total', "simstream's own faults", 'component'),
    telemetryFaults: counter('simstream_telemetry_faults_total', 'Events that could not be reported'),
    bounded: boundedValues({ cause: KNOWN_CAUSES }),
  };
}

/** Gives a label value, or `other` once a label has its most distinct values. @param reserved values that always keep their names */
function boundedValues(
  reserved: Readonly<Record<string, ReadonlySet<string>>>,
): (label: string, value: string) => string {
  const seen = new Map<string, Set<string>>();
  return (label, value) => {
    let values = seen.get(label);
    if (!values) {
      values = new Set();
      seen.set(label, values);
    }
    if (values.has(value) || reserved[label]?.has(value)) return value;
    if (values.size >= MOST_LABEL_VALUES) return 'other';
    values.add(value);
    return value;
  };
}
