import type { DeliveryTelemetry } from '../delivery/partition/runner-context.ts';
import type { Attempt, StreamSummary } from '../delivery/stream/stream-context.ts';
import type { Activity } from '../delivery/watching/activity.ts';
import { causeOf } from '../destinations/outcome-cause.ts';
import type { DeliveryAttempt, Telemetry } from '../telemetry/telemetry.ts';

/** Passes the delivery engine's reports to the operator's telemetry and to the streams' own activity. */
export function observeDelivery(telemetry: Telemetry, activity: Activity): DeliveryTelemetry {
  return {
    attempted: (attempt) => {
      activity.attempted(attempt);
      telemetry.deliveryAttempted(describe(attempt));
    },
    sampled: (stream, pending) => activity.sampled(stream, pending),
    stateChanged: (stream, state, message) =>
      telemetry.streamStateChanged({ ...refOf(stream), state, message }),
    recordsExpired: (stream, records) => telemetry.recordsExpired({ ...refOf(stream), records }),
    concurrencyLowered: (reason) => telemetry.concurrencyLowered({ reason }),
    recordsQuarantined: (stream, records, cause) =>
      telemetry.recordsQuarantined({
        ...refOf(stream),
        records,
        causeCode: cause?.code ?? 'unknown',
        message: cause?.message ?? '',
      }),
    committed: (cursors, durationMs) => {
      for (const outcome of COMMIT_OUTCOMES) {
        const count = cursors.filter(({ type }) => type === outcome).length;
        if (count > 0) telemetry.cursorsCommitted({ cursors: count, outcome, durationMs });
      }
    },
    deliveryFault: (message, stream) =>
      telemetry.platformFault({
        component: 'delivery',
        message,
        ...(stream ? { stream: refOf(stream) } : {}),
      }),
  };
}

/** A conflict: another node wrote the cursor, or the stream was deleted. */
const COMMIT_OUTCOMES = ['stored', 'conflict', 'unavailable'] as const;

function refOf(stream: StreamSummary) {
  return { streamId: stream.id, organisationId: stream.organisationId };
}

function describe(attempt: Attempt): DeliveryAttempt {
  const { outcome, stream, records } = attempt;
  const cause = causeOf(outcome);
  const remoteStatus = 'remoteStatus' in outcome ? outcome.remoteStatus : cause?.remoteStatus;
  const described: { -readonly [Key in keyof DeliveryAttempt]: DeliveryAttempt[Key] } = {
    streamId: stream.id,
    organisationId: stream.organisationId,
    connectionType: attempt.connectionType,
    deliveryId: attempt.deliveryId,
    records,
    bytes: attempt.bytes,
    durationMs: attempt.durationMs,
    latencyMs: attempt.latencyMs,
    outcome: outcome.type,
    attempt: attempt.tries,
  };
  if (outcome.type === 'partial') described.taken = records - outcome.failures.length;
  if (remoteStatus !== undefined) described.remoteStatus = remoteStatus;
  if (cause) {
    described.causeCode = cause.code;
    described.message = cause.message;
  }
  return described;
}
