import { Type } from 'typebox';
import { stateHistory } from '../../registry/history.ts';
import type { NodesParts } from '../operator/nodes.ts';
import { ALL_OR_PAGES, answerPage, PAGE_HEADERS, PageQuery, pageOf } from '../pagination.ts';
import { defineRoute, type Route } from '../route.ts';
import { deleteDataStream, patchDataStream, restartDataStream } from './change.ts';
import { type CreateParts, createCreation, testDataStream } from './create.ts';
import { createExamples, patchExamples } from './examples.ts';
import { dataStreamLookupRoutes } from './lookups.ts';
import { dataStreamPlatformRoute, type PlatformParts } from './platform.ts';
import { DataStreamParameters, dataStreamSchemas } from './schema.ts';
import { findProgress, findStream, listProgress, listStreams, type StoredStream } from './store.ts';
import { etagOf, readIfMatch } from './version.ts';
import { iso, showDataStream, showState } from './view.ts';

export type DataStreamParts = CreateParts & PlatformParts & NodesParts;

const PATH = '/api/v2/data_stream';
const base = { tags: ['Data Streamer'] } as const;

const ETAG = { ETag: 'The version of what people have set, for `If-Match` of a change.' };

const HistoryEntry = Type.Object(
  {
    at: Type.String({ format: 'date-time' }),
    status: Type.Object({ id: Type.Integer(), description: Type.String() }),
    message: Type.String(),
    actor: Type.String({ description: '`user:<name>`, `application:<id>`, `operator` or `simstream`.' }),
  },
  { 'x-component': 'StateChange' },
);

/** `/api/v2/data_stream`: emnify's calls, and a dry run and the history beside them. */
export function dataStreamRoutes(parts: DataStreamParts): Route[] {
  return [
    ...dataStreamLookupRoutes(parts.destinationTypes),
    dataStreamPlatformRoute(parts),
    ...readRoutes(parts),
    ...writeRoutes(parts),
  ];
}

function readRoutes({ registry, destinationTypes, nodes }: DataStreamParts): Route[] {
  const { view } = dataStreamSchemas(destinationTypes);
  return [
    defineRoute({
      ...base,
      method: 'GET',
      path: PATH,
      operationId: 'ListDataStreamerV2s',
      summary: 'List data streams',
      description: `Newest first. ${ALL_OR_PAGES}`,
      access: 'read',
      query: PageQuery,
      responses: {
        200: {
          description: 'The data streams of the organisation.',
          schema: Type.Array(view),
          headers: PAGE_HEADERS,
        },
      },
      handler: async ({ identity, query }) => {
        const streams = (await listStreams(registry, identity.organisationId)).sort(newestFirst);
        const page = pageOf(streams, query);
        const progress = await listProgress(registry, page.items);
        const { stuck } = nodes();
        return answerPage(page, PATH, ({ document }) =>
          showDataStream(document, progress.get(document.id), stuck),
        );
      },
    }),
    defineRoute({
      ...base,
      method: 'GET',
      path: `${PATH}/:id`,
      operationId: 'GetDataStreamerByIdV2',
      summary: 'One data stream',
      access: 'read',
      params: DataStreamParameters,
      responses: { 200: { description: 'The data stream.', schema: view, headers: ETAG } },
      errors: ['NotFound'],
      handler: async ({ identity, params }) => {
        const { document } = await findStream(registry, identity.organisationId, params.id);
        const progress = await findProgress(registry, document);
        const body = showDataStream(document, progress, nodes().stuck);
        return { status: 200, body, headers: { etag: etagOf(document) } };
      },
    }),
    defineRoute({
      ...base,
      method: 'GET',
      path: `${PATH}/:id/history`,
      operationId: 'ListDataStreamStateChanges',
      summary: 'The last changes of state of a data stream',
      description: 'Newest first, up to 100, each with its cause and its author.',
      access: 'read',
      params: DataStreamParameters,
      query: PageQuery,
      responses: {
        200: { description: 'The changes.', schema: Type.Array(HistoryEntry), headers: PAGE_HEADERS },
      },
      errors: ['NotFound'],
      handler: async ({ identity: { organisationId }, params: { id }, query }) => {
        await findStream(registry, organisationId, id);
        const changes = await stateHistory(registry, organisationId, id);
        const shown = changes.toReversed().flatMap(({ at, state, message, actor }) =>
          // A stream that can be found is not deleted.
          state === 'deleted' ? [] : [{ at: iso(at), status: showState(state), message, actor }],
        );
        return answerPage(pageOf(shown, query), `${PATH}/${id}/history`, (change) => change);
      },
    }),
  ];
}

function writeRoutes(parts: DataStreamParts): Route[] {
  const schemas = dataStreamSchemas(parts.destinationTypes);
  return [
    defineRoute({
      ...base,
      method: 'POST',
      path: PATH,
      operationId: 'CreateDataStreamer',
      summary: 'Create a data stream',
      description:
        'simstream tries the destination first. If the destination cannot be used, nothing is created, and the error names the cause.',
      access: 'write',
      body: schemas.create,
      bodyExamples: createExamples([...parts.destinationTypes.values()]),
      responses: {
        201: { description: 'Created.', headers: { Location: 'Relative address of the new data stream.' } },
      },
      errors: ['Failed', 'NotAllowed', 'InvalidReference', 'InvalidState', 'Busy'],
      handler: createCreation(parts),
    }),
    defineRoute({
      ...base,
      method: 'POST',
      path: `${PATH}/test`,
      operationId: 'TestDataStream',
      summary: 'Try a data stream without creating it',
      description: 'Takes a body as for creation, checks it and reaches the destination. Delivers no record.',
      access: 'write',
      body: schemas.test,
      bodyExamples: createExamples([...parts.destinationTypes.values()]),
      responses: {
        200: {
          description: 'The stream can be created.',
          schema: Type.Object({
            reachable: Type.Literal(true),
            target: Type.String(),
            checked: Type.Union([Type.Literal('access'), Type.Literal('connection')], {
              description:
                '`access`: the destination accepts these credentials; `connection`: the address answers, and no request was sent',
            }),
            message: Type.String({ description: 'The result of the test, in plain words' }),
          }),
        },
      },
      errors: ['Failed', 'NotAllowed', 'InvalidReference', 'InvalidState', 'NotFound'],
      handler: (request) => testDataStream(parts, request),
    }),
    defineRoute({
      ...base,
      method: 'PATCH',
      path: `${PATH}/:id`,
      operationId: 'PatchV2DataStream',
      summary: 'Change a data stream',
      description:
        'Changes the fields that are given, and keeps the cursor. `status` 2 pauses; 1 resumes, or restarts from Error. The id of the present state changes nothing. A changed destination also takes a stream out of Error.',
      access: 'write',
      params: DataStreamParameters,
      body: schemas.patch,
      bodyExamples: patchExamples(),
      ifMatch: true,
      responses: { 202: { description: 'Accepted.', headers: ETAG } },
      errors: ['NotFound', 'Failed', 'NotAllowed', 'InvalidState', 'Busy'],
      handler: (request) => patchDataStream(parts, request, readIfMatch(request.headers['if-match'])),
    }),
    defineRoute({
      ...base,
      method: 'DELETE',
      path: `${PATH}/:id`,
      operationId: 'DeleteDataStreamerV2',
      summary: 'Delete a data stream',
      description: 'A delivery in flight is cancelled. Waiting records are not delivered any more.',
      access: 'write',
      params: DataStreamParameters,
      responses: { 202: { description: 'Accepted.' } },
      errors: ['NotFound', 'InvalidState', 'Busy'],
      ifMatch: true,
      handler: (request) => deleteDataStream(parts, request, readIfMatch(request.headers['if-match'])),
    }),
    defineRoute({
      ...base,
      method: 'POST',
      path: `${PATH}/:id/restart`,
      operationId: 'DataStreamerV2ByIdRestart',
      summary: 'Restart a data stream',
      description:
        'Takes the stream out of Error; it continues where it stopped. Harmless on a running stream.',
      access: 'write',
      params: DataStreamParameters,
      ifMatch: true,
      responses: { 202: { description: 'Accepted.', headers: ETAG } },
      errors: ['NotFound', 'InvalidState', 'Busy'],
      handler: (request) => restartDataStream(parts, request, readIfMatch(request.headers['if-match'])),
    }),
  ];
}

function newestFirst({ document: a }: StoredStream, { document: b }: StoredStream): number {
  if (a.created !== b.created) return a.created < b.created ? 1 : -1;
  return a.id < b.id ? 1 : -1;
}
