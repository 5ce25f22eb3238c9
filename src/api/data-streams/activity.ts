import { Type } from 'typebox';
import type { Quarantined } from '../../delivery/quarantine/document.ts';
import {
  allQuarantined,
  findQuarantined,
  listQuarantined,
  removeQuarantined,
} from '../../delivery/quarantine/reading.ts';
import type { ResendResult } from '../../delivery/watching/resend.ts';
import type { Tail } from '../../delivery/watching/tail.ts';
import { ApiError, faultsToError } from '../../errors.ts';
import { nextSlice } from '../../lib/slices.ts';
import type { Position } from '../../log/log.ts';
import type { DataStreamDocument } from '../../registry/data-stream.ts';
import type { Registry } from '../../registry/registry.ts';
import { listAnswer, MOST_LIST_BYTES, writeItems } from '../pagination.ts';
import { defineRoute, type Route } from '../route.ts';
import { type AttemptParts, attemptRoutes } from './attempts.ts';
import { groupOf, groupQuarantined } from './quarantine-groups.ts';
import { DataStreamParameters, nullable } from './schema.ts';
import { findProgress, findStream, lookUpStream } from './store.ts';

/** What can be watched of a data stream besides its own fields: series, tail, quarantine. */
export interface DataStreamActivityParts extends AttemptParts {
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
/** Bytes of records that one call sends again or discards: they are in memory until it ends. */
const MOST_CHOSEN_BYTES = 16 * 2 ** 20;
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

const QuarantinedSchema = Type.Object({
  id: Type.String(),
  at: Time,
  arrived_at: Time,
  code: Type.String(),
  message: Type.String(),
  remote_status: nullable(Type.Integer()),
  record: Type.String({ description: 'The record as it came in' }),
});

const QuarantineGroupsSchema = Type.Object({
  records: Type.Integer({ description: 'Records that were counted' }),
  more: Type.Boolean(),
  groups: Type.Array(
    Type.Object({
      group: Type.String({ description: 'Names the group in the other calls' }),
      code: Type.String(),
      message: Type.String({ description: 'Of the newest record of the group' }),
      remote_status: nullable(Type.Integer()),
      records: Type.Integer(),
      first_at: Time,
      last_at: Time,
      example: QuarantinedSchema,
    }),
  ),
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
        description: `Ids of data streams, up to ${MOST_SERIES}, joined by commas. One that is not found is left out.`,
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

function quarantineRoutes({ registry, resend }: DataStreamActivityParts): Route[] {
  const Selection = Type.Object({
    ids: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: 1000,
        description: 'Ids of records in quarantine; absent: the oldest 1,000, up to 16 MiB',
      }),
    ),
    group: Type.Optional(
      Type.String({ description: 'Only records of this group, as the call for groups names it' }),
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
        group: Type.Optional(
          Type.String({ description: 'Only records of this group, as the call for groups names it' }),
        ),
      }),
      responses: {
        200: {
          description: 'A page of records, up to 4 MiB; `Link` names the next page, if there is one',
          schema: Type.Array(QuarantinedSchema),
          headers: { Link: 'The next page.' },
        },
      },
      handler: async ({ params: { id }, query, identity }) => {
        const { document: stream } = await findStream(registry, identity.organisationId, id);
        const { after, limit = 100, group } = query;
        const page = { after, limit, only: inGroup(group) };
        const { records, more } = await listQuarantined(registry, stream, page);
        const texts = await writeItems(records, showQuarantined, Number.POSITIVE_INFINITY);
        const next = { after: records.at(-1)?.id ?? '', limit: String(limit), ...(group ? { group } : {}) };
        const path = `${PATH.replace(':id', id)}/quarantine?${new URLSearchParams(next)}`;
        return listAnswer(texts, more ? { link: `<${path}>; rel="next"` } : {});
      },
    }),
    defineRoute({
      ...base,
      method: 'GET',
      path: `${PATH}/quarantine/group`,
      operationId: 'ListQuarantineGroups',
      summary: 'Records in quarantine, counted by the reason of their refusal, the largest group first.',
      access: 'read',
      responses: {
        200: {
          description:
            'Up to 50 groups and 4 MiB; `more`: there are more records than one call counts, or more groups',
          schema: QuarantineGroupsSchema,
        },
      },
      handler: async ({ params: { id }, identity }) => {
        const { document: stream } = await findStream(registry, identity.organisationId, id);
        const { groups, records, more } = await groupQuarantined(allQuarantined(registry, stream));
        const show = (group: (typeof groups)[number]) => ({
          group: group.group,
          code: group.code,
          message: group.message,
          remote_status: group.remoteStatus ?? null,
          records: group.records,
          first_at: iso(group.firstAt),
          last_at: iso(group.lastAt),
          example: showQuarantined(group.example),
        });
        const texts = await writeItems(groups, show, MOST_LIST_BYTES);
        return listAnswer(texts, {}, { records, more: more || texts.length < groups.length }, 'groups');
      },
    }),
    defineRoute({
      ...base,
      method: 'POST',
      path: `${PATH}/quarantine/resend`,
      operationId: 'ResendQuarantinedRecords',
      summary:
        'Sends records in quarantine again, one by one. Records that the destination takes leave the quarantine.',
      access: 'write',
      errors: [...base.errors, 'InvalidReference', 'Failed'],
      body: Selection,
      bodyExamples: { 'The oldest': { summary: 'The oldest 1,000 records', value: {} } },
      bodyOptional: true,
      responses: {
        200: {
          description: 'How many records were taken, and why the others were refused',
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
        const records = await chosen(registry, stream, body ?? {});
        const result = await resend(stream, records, signal);
        const failed = result.failed.map(({ id, cause }) => ({
          id,
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
        const records = await chosen(registry, stream, body ?? {});
        const ids = records.map(({ id }) => id);
        const removed = await removeQuarantined(registry, stream, ids);
        return { status: 200, body: { discarded: removed.size } };
      },
    }),
  ];
}

async function chosen(
  registry: Registry,
  stream: DataStreamDocument,
  { ids, group }: { readonly ids?: readonly string[]; readonly group?: string },
): Promise<readonly Quarantined[]> {
  if (!ids) {
    const page = { limit: 1000, mostBytes: MOST_CHOSEN_BYTES, only: inGroup(group) };
    return (await listQuarantined(registry, stream, page)).records;
  }
  const records = await findQuarantined(registry, stream, ids, MOST_CHOSEN_BYTES);
  if (!records) {
    const message = `the records have more than ${MOST_CHOSEN_BYTES / 2 ** 20} MiB together; choose fewer at a time`;
    throw faultsToError([{ token: 'OutOfRange', path: '/ids', message }]);
  }
  const present = new Set(records.map(({ id }) => id));
  const missing = ids.filter((id) => !present.has(id));
  if (missing.length > 0)
    throw new ApiError('InvalidReference', `Not in quarantine: ${missing.slice(0, 20).join(', ')}.`);
  return records;
}

const inGroup = (group: string | undefined) =>
  group === undefined ? undefined : (record: Quarantined) => groupOf(record) === group;

function showQuarantined({ id, at, arrivedAt, cause, bytes }: Quarantined) {
  return {
    id,
    at: iso(at),
    arrived_at: iso(arrivedAt),
    code: cause.code,
    message: cause.message,
    remote_status: cause.remoteStatus ?? null,
    record: Buffer.from(bytes).toString('utf8'),
  };
}

const iso = (time: number) => new Date(time).toISOString();
