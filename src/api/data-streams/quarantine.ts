import { Type } from 'typebox';
import type { Quarantined } from '../../delivery/quarantine/document.ts';
import {
  allQuarantined,
  findQuarantined,
  listQuarantined,
  removeQuarantined,
} from '../../delivery/quarantine/reading.ts';
import type { ResendResult } from '../../delivery/watching/resend.ts';
import { ApiError, faultsToError } from '../../errors.ts';
import type { DataStreamDocument } from '../../registry/data-stream.ts';
import type { Registry } from '../../registry/registry.ts';
import { listAnswer, MOST_LIST_BYTES, writeItems } from '../pagination.ts';
import { defineRoute, type Route } from '../route.ts';
import { groupOf, groupQuarantined } from './quarantine-groups.ts';
import { DataStreamParameters, nullable } from './schema.ts';
import { findStream } from './store.ts';

export interface QuarantineParts {
  readonly registry: Registry;
  /** Turns a stored record into the form that the destination of the stream gets. */
  shownRecord(stream: DataStreamDocument): Promise<(record: Uint8Array) => Uint8Array>;
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

const QuarantinedSchema = Type.Object({
  id: Type.String(),
  at: Time,
  arrived_at: Time,
  code: Type.String(),
  message: Type.String(),
  remote_status: nullable(Type.Integer()),
  record: Type.String({ description: 'The record as the destination gets it' }),
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

/** The records of a data stream that its destination refused: list, groups, resend, discard. */
export function quarantineRoutes({ registry, resend, shownRecord }: QuarantineParts): Route[] {
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
      summary: 'Records that the destination refused one by one, with the reason, oldest first.',
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
        const shown = await shownRecord(stream);
        const show = (record: Quarantined) => showQuarantined(record, shown);
        const texts = await writeItems(records, show, Number.POSITIVE_INFINITY);
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
        const shown = await shownRecord(stream);
        const { groups, records, more } = await groupQuarantined(allQuarantined(registry, stream));
        const show = (group: (typeof groups)[number]) => ({
          group: group.group,
          code: group.code,
          message: group.message,
          remote_status: group.remoteStatus ?? null,
          records: group.records,
          first_at: iso(group.firstAt),
          last_at: iso(group.lastAt),
          example: showQuarantined(group.example, shown),
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

function showQuarantined(
  { id, at, arrivedAt, cause, bytes }: Quarantined,
  shown: (record: Uint8Array) => Uint8Array,
) {
  return {
    id,
    at: iso(at),
    arrived_at: iso(arrivedAt),
    code: cause.code,
    message: cause.message,
    remote_status: cause.remoteStatus ?? null,
    record: Buffer.from(bytes.length === 0 ? bytes : shown(bytes)).toString('utf8'),
  };
}

const iso = (time: number) => new Date(time).toISOString();
