import { createHash } from 'node:crypto';
import { EVENT_TYPES } from '../records/event-types.ts';
import { STREAM_TYPES } from '../records/kinds.ts';
import {
  type DataStreamDocument,
  type LastError,
  STATUS_DESCRIPTIONS,
  STATUS_IDS,
  type StreamStatus,
} from '../registry/data-stream.ts';
import type { NotificationEvent } from '../registry/notification.ts';
import type { News } from './told.ts';

/** Types of the events that simstream itself writes into the event streams of an organisation. */
const OWN_EVENT_TYPES: Readonly<Record<NotificationEvent, number>> = {
  error: 10_001,
  recovered: 10_002,
  expiring: 10_003,
  lag: 10_004,
  quarantine: 10_005,
};

/** The facts about the stream when a notice is written. */
export interface Subject {
  readonly stream: Pick<DataStreamDocument, 'id' | 'name' | 'kind' | 'organisationId'>;
  readonly organisationName: string;
  readonly status: StreamStatus;
  readonly lastError: LastError | null;
  readonly pending: number;
  readonly oldestPendingAt: number | null;
}

/** The body of a webhook in the form of Standard Webhooks: `type`, `timestamp`, `data`. */
export function webhookText(news: News, subject: Subject, now: number): string {
  return JSON.stringify({
    type: `data_stream.${news.event}`,
    timestamp: iso(now),
    data: dataOf(news, subject),
  });
}

/** The body of a test message. */
export function testText(organisationId: number, now: number): string {
  const message = 'A test message of simstream. Nothing happened.';
  const data = { event: 'test', organisation: { id: organisationId }, message };
  return JSON.stringify({ type: 'data_stream.test', timestamp: iso(now), data });
}

/**
 * The same fact as an event of the organisation.
 * @param id of the notice: the same notice is the same event
 */
export function recordText(id: string, news: News, subject: Subject, now: number): string {
  const { stream, organisationName } = subject;
  const type = OWN_EVENT_TYPES[news.event];
  const bad = news.event !== 'recovered';
  const rest = {
    timestamp: iso(now),
    event_type: { id: type, description: EVENT_TYPES.get(type)?.name ?? '' },
    description: messageOf(news, subject),
    event_severity: bad ? { id: 1, description: 'WARN' } : { id: 0, description: 'INFO' },
    alert: bad,
    event_source: { id: 2, description: 'API' },
    organisation: { id: stream.organisationId, name: organisationName },
    detail: dataOf(news, subject),
  };
  // Ids have more digits than a double.
  return `{"id":${recordId(id)},${JSON.stringify(rest).slice(1)}`;
}

/** 63 bits of a hash: a collision with another event is as rare as for random ids. */
function recordId(noticeId: string): string {
  const digest = createHash('sha256').update(noticeId).digest();
  return String(digest.readBigUInt64BE(0) >> 1n);
}

function dataOf(news: News, subject: Subject) {
  const { stream, status, lastError, pending, oldestPendingAt } = subject;
  return {
    event: news.event,
    organisation: { id: stream.organisationId },
    data_stream: {
      id: stream.id,
      ...(stream.name === undefined ? {} : { name: stream.name }),
      data_stream_type: STREAM_TYPES[stream.kind],
    },
    message: messageOf(news, subject),
    status: {
      id: STATUS_IDS[status.state],
      description: STATUS_DESCRIPTIONS[status.state],
      message: status.message,
      since: iso(status.since),
    },
    last_error: lastError
      ? { code: lastError.code, message: lastError.message, at: iso(lastError.at) }
      : null,
    pending,
    oldest_pending_at: oldestPendingAt === null ? null : iso(oldestPendingAt),
    ...(news.records === undefined ? {} : { records: news.records }),
    ...(news.expiresAt === undefined ? {} : { expires_at: iso(news.expiresAt) }),
  };
}

function messageOf({ event, records = 0, expiresAt = 0 }: News, subject: Subject): string {
  const { stream, status, pending, oldestPendingAt } = subject;
  const name = stream.name === undefined ? stream.id : `"${stream.name}" (${stream.id})`;
  switch (event) {
    case 'error':
      return `Data stream ${name} is in Error and delivers nothing. ${status.message}`;
    case 'recovered':
      return `Data stream ${name} delivers again.`;
    case 'expiring':
      return `${counted(pending)} in data stream ${name}. The oldest expires at ${iso(expiresAt)}. ${status.message}`;
    case 'lag':
      return `Data stream ${name} is behind. ${counted(pending)}, the oldest since ${iso(oldestPendingAt ?? 0)}. ${status.message}`;
    case 'quarantine':
      return `The destination of data stream ${name} refused ${records} more ${records === 1 ? 'record' : 'records'}. They are in quarantine.`;
  }
}

const counted = (records: number) => (records === 1 ? '1 record waits' : `${records} records are waiting`);
const iso = (time: number) => new Date(time).toISOString();
