import { showNumbers } from '../../filters/sent-number.ts';
import { STREAM_TYPES } from '../../records/kinds.ts';
import {
  type DataStreamDocument,
  type LastError,
  type ProgressDocument,
  STATUS_DESCRIPTIONS,
  STATUS_IDS,
  type StreamState,
  type StreamStatus,
  takenOverMessage,
} from '../../registry/data-stream.ts';
import { showDelivery } from './delivery.ts';
import { RELATIONS } from './schema.ts';
import { etagOf } from './version.ts';

/**
 * The state of a data stream as people see it. A change by a user shows at once; the engine's state shows once it has
 * written its progress. Until the engine has followed the wish, the stream is pending.
 */
export function streamStatus(
  stream: DataStreamDocument,
  progress: ProgressDocument | undefined,
): StreamStatus {
  const status = progress?.status;
  const changed = Date.parse(stream.modified);
  if (stream.desired === 'paused') {
    const message = 'Paused. Records are kept and delivered when the stream is resumed.';
    const paused: StreamStatus =
      status?.state === 'paused' ? status : { state: 'paused', message, since: changed };
    if (stream.takenOverBy === undefined) return paused;
    return { ...paused, message: takenOverMessage(stream.takenOverBy) };
  }
  if (status?.state === 'paused') {
    return { state: 'pending', message: 'The stream is being resumed.', since: changed };
  }
  if (!progress || !status || progress.generation < stream.generation) {
    return { state: 'pending', message: 'The stream is being started.', since: changed };
  }
  return status;
}

/**
 * Says so in plain words when no node runs the data stream's partition, which lasts longer than a change of nodes takes.
 * @param stuck the partitions without a holder
 */
export function statusOfHeld(
  stream: DataStreamDocument,
  progress: ProgressDocument | undefined,
  stuck: readonly number[],
): StreamStatus {
  const status = streamStatus(stream, progress);
  const isAtWork = status.state === 'running' || status.state === 'pending';
  if (!isAtWork || !stuck.includes(stream.partition)) return status;
  return {
    ...status,
    message: `${status.message} At the moment no node of simstream runs this data stream. Its records wait; none is lost.`,
  };
}

/** A data stream as the API shows it; secrets masked. `stuck`: the partitions without a holder. */
export function showDataStream(
  stream: DataStreamDocument,
  progress: ProgressDocument | undefined,
  stuck: readonly number[],
) {
  const retrying = progress?.retrying;
  return {
    id: stream.id,
    ...(stream.name === undefined ? {} : { name: stream.name }),
    destination: {
      connection_type: stream.connectionType,
      credentials: stream.maskedCredentials,
      format: stream.format,
      target: stream.target,
    },
    filters: showNumbers(stream.filters),
    data_stream_type: STREAM_TYPES[stream.kind],
    relation_resolution: { id: stream.relation, description: RELATIONS[stream.relation] },
    status: showStatus(statusOfHeld(stream, progress, stuck)),
    ...(stream.continueFrom === undefined ? {} : { continue_from: stream.continueFrom }),
    ...(stream.takenOverBy === undefined ? {} : { taken_over_by: stream.takenOverBy }),
    ...(stream.delivery === undefined ? {} : { delivery: showDelivery(stream.delivery) }),
    ...(stream.privacy === undefined ? {} : { privacy: stream.privacy }),
    auto_restart: stream.autoRestart === true,
    created: stream.created,
    modified: stream.modified,
    etag: etagOf(stream),
    last_error: showLastError(progress?.lastError),
    retrying: retrying
      ? {
          since: iso(retrying.since),
          tries: retrying.tries,
          message: retrying.cause,
          next_at: isoOrNull(retrying.nextAt),
        }
      : null,
    progress: showProgress(progress),
    expired_hours: (progress?.expiredHours ?? []).map(({ hour, records }) => ({ hour: iso(hour), records })),
  };
}

export function showLastError(lastError: LastError | null | undefined) {
  return lastError ? { code: lastError.code, message: lastError.message, at: iso(lastError.at) } : null;
}

export function showProgress(progress: ProgressDocument | undefined) {
  const { delivered = 0, filtered = 0, quarantined = 0, expired = 0 } = progress?.counters ?? {};
  return {
    delivered,
    filtered,
    quarantined,
    expired,
    pending: progress?.pending ?? 0,
    oldest_pending_at: isoOrNull(progress?.oldestPendingAt),
    last_delivered_at: isoOrNull(progress?.lastDeliveredAt),
  };
}

export function showStatus({ state, message, since }: StreamStatus) {
  return { ...showState(state), message, since: iso(since) };
}

export function showState(state: StreamState) {
  return { id: STATUS_IDS[state], description: STATUS_DESCRIPTIONS[state] };
}

export function iso(time: number): string {
  return new Date(time).toISOString();
}

function isoOrNull(time: number | null | undefined): string | null {
  return time === null || time === undefined ? null : iso(time);
}
