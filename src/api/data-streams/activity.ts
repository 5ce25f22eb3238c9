import { Type } from 'typebox';
import type { Tail } from '../../delivery/watching/tail.ts';
import { nextSlice } from '../../lib/slices.ts';
import type { Position } from '../../log/log.ts';
import type { DataStreamDocument } from '../../registry/data-stream.ts';
import { listAnswer, writeItems } from '../pagination.ts';
import { defineRoute, type Route } from '../route.ts';
import { type AttemptParts, attemptRoutes } from './attempts.ts';
import { type QuarantineParts, quarantineRoutes } from './quarantine.ts';
import { DataStreamParameters, nullable } from './schema.ts';
import { findProgress, findStream, lookUpStream } from './store.ts';

/** The activity of a data stream beside its own fields: series, tail, quarantine. */
export interface DataStreamActivityParts extends AttemptParts, QuarantineParts {
  /** Records that lie behind the stream's cursor. */
  tail(
    stream: DataStreamDocument,
    cursor: Position,
    after: Position | undefined,
    limit: number,
  ): Promise<Tail>;
}

const PATH = '/api/v2/data_stream/:id';
const base = {
  tags: ['Data Streamer'],
  params: DataStreamParameters,
  errors: ['NotFound'],
} as const;
const Time = Type.String({ format: 'date-time', description: 'UTC' });

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

const Range = Type.Optional(
  Type.Union([Type.Literal('1h'), Type.Literal('24h'), Type.Literal('7d')], {
    default: '24h',
    description: 'One hour by minutes, a day by quarters of an hour, a week by hours',
  }),
);
const RANGES = { '1h': 0, '24h': 1, '7d': 2 } as const;
/** Streams that one call shows the series of: as many cards as a page has near its window. */
const MOST_SERIES = 50;
/** Streams that are read in one slice of work. */
const SERIES_AT_ONCE = 10;

const TailRecordSchema = Type.Object({ id: Type.String(), arrived_at: Time, record: Type.String() });

export function dataStreamActivityRoutes(parts: DataStreamActivityParts): Route[] {
  return [
    ...attemptRoutes(parts),
    seriesRoute(parts),
    manySeriesRoute(parts),
    tailRoute(parts),
    ...quarantineRoutes(parts),
  ];
}

function seriesRoute({ registry, activity }: DataStreamActivityParts): Route {
  return defineRoute({
    ...base,
    method: 'GET',
    path: `${PATH}/series`,
    operationId: 'GetDataStreamSeries',
    summary: 'Delivered records, failures, latency and backlog of a data stream over time.',
    access: 'read',
    query: Type.Object({ range: Range }),
    responses: {
      200: {
        description: 'Buckets in which something happened, oldest first',
        schema: Type.Object({ step_seconds: Type.Integer(), buckets: Type.Array(BucketSchema) }),
      },
    },
    handler: async ({ params: { id }, query, identity }) => {
      const { document } = await findStream(registry, identity.organisationId, id);
      const { series } = await activity(document);
      const chosen = series[RANGES[query.range ?? '24h']];
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

function manySeriesRoute({ registry, activity }: DataStreamActivityParts): Route {
  const id = '[A-Za-z0-9_-]{1,64}';
  return defineRoute({
    tags: base.tags,
    method: 'GET',
    path: '/api/v2/data_stream/series',
    operationId: 'ListDataStreamSeries',
    summary: 'Delivered records of several data streams over time, in one call.',
    access: 'read',
    query: Type.Object({
      ids: Type.String({
        pattern: `^${id}(,${id}){0,${MOST_SERIES - 1}}$`,
        description: `Ids of data streams, up to ${MOST_SERIES}, joined by commas. Unknown ids are left out.`,
        examples: ['5f3a9c1e'],
      }),
      range: Range,
    }),
    responses: {
      200: {
        description: 'Buckets in which records were delivered, oldest first, by data stream',
        schema: Type.Object({
          step_seconds: Type.Integer(),
          streams: Type.Array(
            Type.Object({
              id: Type.String(),
              buckets: Type.Array(Type.Object({ at: Time, delivered: Type.Integer() })),
            }),
          ),
        }),
      },
    },
    handler: async ({ query, identity: { organisationId } }) => {
      const range = RANGES[query.range ?? '24h'];
      const read = async (id: string) => {
        const stored = await lookUpStream(registry, organisationId, id);
        if (!stored) return [];
        const { step = 0, buckets = [] } = (await activity(stored.document)).series[range] ?? {};
        const delivered = buckets
          .filter((bucket) => bucket.delivered > 0)
          .map((bucket) => ({ at: iso(bucket.at), delivered: bucket.delivered }));
        return [{ id, step, buckets: delivered }];
      };
      const ids = [...new Set(query.ids.split(','))];
      const found: Awaited<ReturnType<typeof read>> = [];
      for (let at = 0; at < ids.length; at += SERIES_AT_ONCE) {
        await nextSlice();
        found.push(...(await Promise.all(ids.slice(at, at + SERIES_AT_ONCE).map(read))).flat());
      }
      const step = found[0]?.step ?? 0;
      const streams = found.map(({ id, buckets }) => ({ id, buckets }));
      return { status: 200, body: { step_seconds: step / 1000, streams } };
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
      const texts = await writeItems(
        records,
        ({ position, arrivedAt, text }) => ({
          id: `${position.sequence}.${position.index}`,
          arrived_at: iso(arrivedAt),
          record: text,
        }),
        Number.POSITIVE_INFINITY,
      );
      return listAnswer(texts, {}, { next: `${next.sequence}.${next.index}`, skipped }, 'records');
    },
  });
}

const iso = (time: number) => new Date(time).toISOString();
