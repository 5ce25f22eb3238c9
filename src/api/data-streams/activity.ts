import { type TSchema, Type } from 'typebox';
import { QUARANTINE } from '../../delivery/stream/quarantine.ts';
import type { StreamActivity } from '../../delivery/watching/activity.ts';
import type { Quarantined, ResendResult } from '../../delivery/watching/resend.ts';
import type { Tail } from '../../delivery/watching/tail.ts';
import { ApiError } from '../../errors.ts';
import type { Position } from '../../log/log.ts';
import type { DataStreamDocument } from '../../registry/data-stream.ts';
import type { Registry } from '../../registry/registry.ts';
import { defineRoute, type Route } from '../route.ts';
import { DataStreamParameters } from './schema.ts';
import { findProgress, findStream } from './store.ts';

/** What can be watched of a data stream besides its own fields: attempts, series, tail, quarantine. */
export interface DataStreamActivityParts {
  readonly registry: Registry;
  activity(stream: DataStreamDocument): Promise<StreamActivity>;
  /** Records that lie behind the stream's cursor. */
  tail(
    stream: DataStreamDocument,
    cursor: Position,
    after: Position | undefined,
    limit: number,
  ): Promise<Tail>;
  resend(
    stream: DataStreamDocument,
    records: readonly Quarantined[],
    signal: AbortSignal,
  ): Promise<ResendResult>;
}

const PATH = '/api/v2/data_stream/:id';
const base = {
  tags: ['Data Streamer'],
  rateLimited: true,
  params: DataStreamParameters,
  errors: ['NotFound'],
} as const;
const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Time = Type.String({ format: 'date-time', description: 'UTC' });

const AttemptSchema = Type.Object({
  at: Time,
  delivery_id: Type.String(),
  records: Type.Integer(),
  bytes: Type.Integer(),
  duration_ms: Type.Number(),
  tries: Type.Integer({ description: 'Number of this try, from 1' }),
  outcome: Type.String({
    description: '`delivered`, `retry`, `partial`, `refused`, `too_large`, `rejected` or `platform`',
  }),
  code: nullable(Type.String({ description: 'Code of the cause, e.g. `http_503` or `connection_refused`' })),
  message: nullable(Type.String()),
  remote_status: nullable(Type.Integer()),
});

const BucketSchema = Type.Object({
  at: Time,
  delivered: Type.Integer(),
  attempts: Type.Integer(),
  failures: Type.Integer(),
  causes: Type.Record(Type.String(), Type.Integer()),
  latency_avg_ms: nullable(Type.Number({ description: 'From arrival to delivery, mean over batches' })),
  latency_max_ms: nullable(Type.Number()),
  pending: nullable(Type.Integer()),
});

const QuarantinedSchema = Type.Object({
  id: Type.String(),
  at: Time,
  arrived_at: Time,
  code: Type.String(),
  message: Type.String(),
  remote_status: nullable(Type.Integer()),
  record: Type.String({ description: 'The record as it came in' }),
});

const TailRecordSchema = Type.Object({ id: Type.String(), arrived_at: Time, record: Type.String() });

export function dataStreamActivityRoutes(parts: DataStreamActivityParts): Route[] {
  return [attemptRoute(parts), seriesRoute(parts), tailRoute(parts), ...quarantineRoutes(parts)];
}

function attemptRoute({ registry, activity }: DataStreamActivityParts): Route {
  return defineRoute({
    ...base,
    method: 'GET',
    path: `${PATH}/attempt`,
    operationId: 'ListDataStreamAttempts',
    summary: 'The last delivery attempts of a data stream, newest first.',
    access: 'read',
    responses: { 200: { description: 'Up to 50 attempts', schema: Type.Array(AttemptSchema) } },
    handler: async ({ params: { id }, identity }) => {
      const { document } = await findStream(registry, identity.organisationId, id);
      const { attempts } = await activity(document);
      const body = attempts.map((attempt) => ({
        at: iso(attempt.at),
        delivery_id: attempt.deliveryId,
        records: attempt.records,
        bytes: attempt.bytes,
        duration_ms: attempt.durationMs,
        tries: attempt.tries,
        outcome: attempt.outcome,
        code: attempt.code ?? null,
        message: attempt.message ?? null,
        remote_status: attempt.remoteStatus ?? null,
      }));
      return { status: 200, body };
    },
  });
}

function seriesRoute({ registry, activity }: DataStreamActivityParts): Route {
  return defineRoute({
    ...base,
    method: 'GET',
    path: `${PATH}/series`,
    operationId: 'GetDataStreamSeries',
    summary: 'Delivered records, failures, latency and backlog of a data stream over time.',
    access: 'read',
    query: Type.Object({
      range: Type.Optional(
        Type.Union([Type.Literal('1h'), Type.Literal('24h'), Type.Literal('7d')], {
          default: '24h',
          description: 'One hour by minutes, a day by quarters of an hour, a week by hours',
        }),
      ),
    }),
    responses: {
      200: {
        description: 'Buckets in which something happened, oldest first',
        schema: Type.Object({ step_seconds: Type.Integer(), buckets: Type.Array(BucketSchema) }),
      },
    },
    handler: async ({ params: { id }, query, identity }) => {
      const { document } = await findStream(registry, identity.organisationId, id);
      const { series } = await activity(document);
      const chosen = series[{ '1h': 0, '24h': 1, '7d': 2 }[query.range ?? '24h']];
      const buckets = (chosen?.buckets ?? []).map((bucket) => ({
        at: iso(bucket.at),
        delivered: bucket.delivered,
        attempts: bucket.attempts,
        failures: bucket.failures,
        causes: bucket.causes,
        latency_avg_ms: bucket.batches > 0 ? bucket.latencySum / bucket.batches : null,
        latency_max_ms: bucket.batches > 0 ? bucket.latencyMax : null,
        pending: bucket.pending,
      }));
      return { status: 200, body: { step_seconds: (chosen?.step ?? 0) / 1000, buckets } };
    },
  });
}

function tailRoute({ registry, tail }: DataStreamActivityParts): Route {
  return defineRoute({
    ...base,
    method: 'GET',
    path: `${PATH}/tail`,
    operationId: 'TailDataStream',
    summary: 'The records that a data stream delivered last; call again with `next` to follow it.',
    access: 'read',
    query: Type.Object({
      after: Type.Optional(
        Type.String({ pattern: '^\\d{1,15}\\.\\d{1,9}$', description: '`next` of the last answer' }),
      ),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
    }),
    responses: {
      200: {
        description: 'Records, oldest first; `skipped`: more were delivered since `after` than `limit`',
        schema: Type.Object({
          records: Type.Array(TailRecordSchema),
          next: Type.String(),
          skipped: Type.Boolean(),
        }),
      },
    },
    handler: async ({ params: { id }, query, identity }) => {
      const { document: stream } = await findStream(registry, identity.organisationId, id);
      const cursor = (await findProgress(registry, stream))?.cursor ?? stream.start;
      const [sequence = 0, index = 0] = (query.after ?? '').split('.').map(Number);
      const after = query.after === undefined ? undefined : { sequence, index };
      const { records, next, skipped } = await tail(stream, cursor, after, query.limit ?? 50);
      const body = {
        records: records.map(({ position, arrivedAt, text }) => ({
          id: `${position.sequence}.${position.index}`,
          arrived_at: iso(arrivedAt),
          record: text,
        })),
        next: `${next.sequence}.${next.index}`,
        skipped,
      };
      return { status: 200, body };
    },
  });
}

function quarantineRoutes({ registry, resend }: DataStreamActivityParts): Route[] {
  const Selection = Type.Object({
    ids: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: 1000,
        description: 'Ids of records in quarantine; absent: the oldest 1,000',
      }),
    ),
  });
  return [
    defineRoute({
      ...base,
      method: 'GET',
      path: `${PATH}/quarantine`,
      operationId: 'ListQuarantinedRecords',
      summary: 'Records that the destination refused alone, with the reason, oldest first.',
      access: 'read',
      query: Type.Object({
        after: Type.Optional(Type.String({ description: 'Id of the last record of the page before' })),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
      }),
      responses: { 200: { description: 'A page of records', schema: Type.Array(QuarantinedSchema) } },
      handler: async ({ params: { id }, query, identity }) => {
        const { document: stream } = await findStream(registry, identity.organisationId, id);
        const body = [];
        for await (const record of quarantined(registry, stream)) {
          if (query.after !== undefined && record.place <= query.after) continue;
          body.push({
            id: record.place,
            at: iso(record.at),
            arrived_at: iso(record.arrivedAt),
            code: record.code,
            message: record.message,
            remote_status: record.remoteStatus ?? null,
            record: record.record,
          });
          if (body.length >= (query.limit ?? 100)) break;
        }
        return { status: 200, body };
      },
    }),
    defineRoute({
      ...base,
      method: 'POST',
      path: `${PATH}/quarantine/resend`,
      operationId: 'ResendQuarantinedRecords',
      summary: 'Sends records in quarantine again, one by one; what is taken leaves the quarantine.',
      access: 'write',
      errors: [...base.errors, 'InvalidReference', 'Failed'],
      body: Selection,
      bodyExamples: { 'The oldest': { summary: 'The oldest 1,000 records', value: {} } },
      bodyOptional: true,
      responses: {
        200: {
          description: 'How many were taken, and why the others were not',
          schema: Type.Object({
            delivered: Type.Integer(),
            failed: Type.Array(
              Type.Object({ id: Type.String(), code: Type.String(), message: Type.String() }),
            ),
          }),
        },
      },
      handler: async ({ params: { id }, body, identity, signal }) => {
        const { document: stream } = await findStream(registry, identity.organisationId, id);
        const records = await chosen(registry, stream, body?.ids);
        const result = await resend(stream, records, signal);
        const failed = result.failed.map(({ place, cause }) => ({
          id: place,
          code: cause.code,
          message: cause.message,
        }));
        return { status: 200, body: { delivered: result.delivered, failed } };
      },
    }),
    defineRoute({
      ...base,
      method: 'POST',
      path: `${PATH}/quarantine/discard`,
      operationId: 'DiscardQuarantinedRecords',
      summary: 'Removes records from the quarantine for good.',
      access: 'write',
      errors: [...base.errors, 'InvalidReference'],
      body: Selection,
      bodyExamples: { 'The oldest': { summary: 'The oldest 1,000 records', value: {} } },
      bodyOptional: true,
      responses: {
        200: { description: 'How many were removed', schema: Type.Object({ discarded: Type.Integer() }) },
      },
      handler: async ({ params: { id }, body, identity }) => {
        const { document: stream } = await findStream(registry, identity.organisationId, id);
        const records = await chosen(registry, stream, body?.ids);
        for (const { key } of records) await registry.delete(key);
        return { status: 200, body: { discarded: records.length } };
      },
    }),
  ];
}

async function chosen(
  registry: Registry,
  stream: DataStreamDocument,
  ids: readonly string[] | undefined,
): Promise<Quarantined[]> {
  const wanted = ids && new Set(ids);
  const records: Quarantined[] = [];
  for await (const record of quarantined(registry, stream)) {
    if (wanted && !wanted.has(record.place)) continue;
    records.push(record);
    if (records.length >= 1000) break;
  }
  if (wanted && records.length < wanted.size) {
    const there = new Set(records.map((record) => record.place));
    const missing = [...wanted].filter((id) => !there.has(id));
    throw new ApiError('InvalidReference', `Not in quarantine: ${missing.slice(0, 20).join(', ')}.`);
  }
  return records;
}

async function* quarantined(registry: Registry, stream: DataStreamDocument): AsyncGenerator<Quarantined> {
  for await (const { key, document } of QUARANTINE.list(registry, stream.organisationId, stream.id)) {
    yield { ...document, key, place: key.slice(key.lastIndexOf('.') + 1) };
  }
}

const iso = (time: number) => new Date(time).toISOString();
