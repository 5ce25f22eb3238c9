import { Type } from 'typebox';
import type { Identity } from '../../auth/identity.ts';
import { ApiError, faultsToError } from '../../errors.ts';
import { EVENT_TYPES } from '../../records/event-types.ts';
import { STREAM_TYPES } from '../../records/kinds.ts';
import type { DataStreamDocument, ProgressDocument } from '../../registry/data-stream.ts';
import { deleteDataStream, patchDataStream } from '../data-streams/change.ts';
import { type CreateParts, createCreation } from '../data-streams/create.ts';
import { nullable } from '../data-streams/schema.ts';
import { findProgress, findStream, listProgress, listStreams } from '../data-streams/store.ts';
import { iso, streamStatus } from '../data-streams/view.ts';
import { ALL_OR_PAGES, answerPage, PAGE_HEADERS, PageQuery, pageOf } from '../pagination.ts';
import { defineRoute, type Route, type RouteRequest } from '../route.ts';
import {
  API_TYPES,
  destinationOfV1,
  eventTypesOf,
  faultsOfV1,
  idOfV1,
  idOfV2,
  inNamesOfV1,
  toV2,
  type V1Create,
} from './translation.ts';

const PATH = '/api/v1/data_stream';
const FILTER = `${PATH}/:id/filter/event_type`;
const base = { tags: ['Data Streamer, first version'] } as const;

const Id = Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1, description: 'The id as a whole number.' });
const Parameters = Type.Object({ id: Id });
const FilterParameters = Type.Object({
  id: Id,
  event_type_id: Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1, description: 'An event type.' }),
});
const Named = Type.Object({ id: Type.Integer(), description: Type.String() });
const Text = Type.Optional(Type.String({ maxLength: 2_048 }));

const Create = Type.Object({
  data_stream_type: Type.Object({ id: Type.Integer({ description: '1 Usage or 2 Events' }) }),
  api_type: Type.Object({
    id: Type.Integer({
      description: API_TYPES.map(({ id, description }) => `${id} ${description}`).join(', '),
    }),
  }),
  api_callback: Type.Optional(
    Type.Object({
      id: Type.Optional(Type.Integer()),
      url: Type.Optional(Type.String({ maxLength: 16_384 })),
    }),
  ),
  api_parameter: Text,
  api_username: Text,
  api_password: Text,
  stream_historic_data: Type.Optional(
    Type.Integer({
      enum: [0, 1],
      description: '1: from the oldest record that is kept, 0 (default): from now.',
    }),
  ),
});

const View = Type.Object(
  {
    id: Type.Integer(),
    organisation: Type.Object({ id: Type.Integer() }),
    data_stream_type: Named,
    api_type: Named,
    api_callback: nullable(Type.Object({ url: Type.String({ description: 'Secrets are masked.' }) })),
    api_parameter: nullable(Type.String()),
    api_username: nullable(Type.String()),
    active: Type.Boolean({ description: 'It is not paused.' }),
    running: Type.Boolean({ description: 'It delivers.' }),
    last_dispatched_timestamp: nullable(Type.String({ description: 'UTC' })),
    last_result: nullable(Type.String({ description: 'The last error; null after success.' })),
  },
  { 'x-component': 'DataStreamV1' },
);

/** The calls of emnify's first version, each a translation into one of the second. */
export function v1DataStreamRoutes(parts: CreateParts): Route[] {
  const { registry } = parts;
  const create = createCreation(parts);

  /** Changes the event types of a stream. Each of several calls at once changes what the one before has stored. */
  const changeTypes = async (
    request: RouteRequest<{ id: number; event_type_id: number }, unknown, unknown, Identity>,
    change: (types: readonly number[], type: number) => readonly number[],
  ) => {
    const { params } = request;
    const body = (stored: DataStreamDocument) => {
      const types = change(typesOf(stored), params.event_type_id);
      return { filters: types.length === 0 ? [] : [{ field: 'event_type_id', value: types }] };
    };
    await patchDataStream(parts, { ...request, params: { id: idOfV2(params.id) }, body });
    return { status: 204 };
  };

  return [
    defineRoute({
      ...base,
      method: 'GET',
      path: PATH,
      operationId: 'ListDataStreamsV1',
      summary: 'List the data streams of the organisation',
      description: `For programs that use the first version. ${ALL_OR_PAGES}`,
      access: 'read',
      query: PageQuery,
      responses: {
        200: { description: 'The data streams.', schema: Type.Array(View), headers: PAGE_HEADERS },
      },
      errors: ['OutOfRange'],
      handler: async ({ identity, query }) => {
        const page = pageOf(await listStreams(registry, identity.organisationId), query);
        const progress = await listProgress(registry, page.items);
        return answerPage(page, PATH, ({ document }) => show(document, progress.get(document.id)));
      },
    }),
    defineRoute({
      ...base,
      method: 'POST',
      path: PATH,
      operationId: 'CreateDataStreamV1',
      summary: 'Create a data stream',
      description: 'As the call of the second version. Callbacks with an id of their own are not supported.',
      access: 'write',
      body: Create,
      bodyExamples: {
        Webhook: {
          summary: 'All events to a webhook, many per request',
          value: {
            data_stream_type: { id: 2 },
            api_type: { id: 6 },
            api_callback: { url: 'https://example.com/simstream' },
          },
        },
      },
      responses: { 201: { description: 'Created.', headers: { Location: 'Address of the data stream.' } } },
      errors: ['Failed', 'NotAllowed', 'InvalidReference', 'InvalidState', 'NotFound', 'Busy'],
      handler: async (request) => {
        const body = request.body as V1Create;
        const faults = faultsOfV1(body);
        if (faults.length > 0) throw faultsToError(faults);
        const answer = await inV1(() => create({ ...request, body: toV2(body) as never }));
        const id = String(answer.headers?.location).split('/').at(-1) as string;
        return { status: 201, headers: { location: `${PATH}/${idOfV1(id)}` } };
      },
    }),
    defineRoute({
      ...base,
      method: 'GET',
      path: `${PATH}/:id`,
      operationId: 'GetDataStreamV1',
      summary: 'One data stream',
      access: 'read',
      params: Parameters,
      responses: { 200: { description: 'The data stream.', schema: View } },
      errors: ['NotFound'],
      handler: async ({ identity, params }) => {
        const { document } = await findStream(registry, identity.organisationId, idOfV2(params.id));
        return { status: 200, body: show(document, await findProgress(registry, document)) };
      },
    }),
    defineRoute({
      ...base,
      method: 'DELETE',
      path: `${PATH}/:id`,
      operationId: 'DeleteDataStreamV1',
      summary: 'Delete a data stream',
      access: 'write',
      params: Parameters,
      responses: { 204: { description: 'Deleted.' } },
      errors: ['NotFound', 'InvalidState', 'Busy'],
      handler: async (request) => {
        await deleteDataStream(parts, { ...request, params: { id: idOfV2(request.params.id) } });
        return { status: 204 };
      },
    }),
    defineRoute({
      ...base,
      method: 'GET',
      path: FILTER,
      operationId: 'ListDataStreamEventTypesV1',
      summary: 'The event types that a data stream delivers',
      description: 'Empty: all of them.',
      access: 'read',
      params: Parameters,
      responses: { 200: { description: 'The event types.', schema: Type.Array(Named) } },
      errors: ['NotFound', 'InvalidState'],
      handler: async ({ identity, params }) => {
        const { document } = await findStream(registry, identity.organisationId, idOfV2(params.id));
        const types = typesOf(document).map((id) => ({ id, description: EVENT_TYPES.get(id)?.name ?? '' }));
        return { status: 200, body: types };
      },
    }),
    defineRoute({
      ...base,
      method: 'PUT',
      path: `${FILTER}/:event_type_id`,
      operationId: 'AddDataStreamEventTypeV1',
      summary: 'Deliver an event type',
      access: 'write',
      params: FilterParameters,
      responses: { 204: { description: 'It is delivered.' } },
      errors: ['NotFound', 'NotAllowed', 'InvalidState', 'Failed', 'Busy', 'OutOfRange'],
      handler: (request) => changeTypes(request, (types, type) => [...new Set([...types, type])]),
    }),
    defineRoute({
      ...base,
      method: 'DELETE',
      path: `${FILTER}/:event_type_id`,
      operationId: 'RemoveDataStreamEventTypeV1',
      summary: 'Do not deliver an event type',
      description: 'Without the last one, a data stream delivers all event types.',
      access: 'write',
      params: FilterParameters,
      responses: { 204: { description: 'It is not delivered, unless the list is empty now.' } },
      errors: ['NotFound', 'NotAllowed', 'InvalidState', 'Failed', 'Busy'],
      handler: (request) =>
        changeTypes(request, (types, type) => {
          if (!types.includes(type))
            throw new ApiError('NotFound', `The data stream does not list the event type ${type}.`);
          return types.filter((each) => each !== type);
        }),
    }),
  ];
}

function typesOf({ filters }: DataStreamDocument): readonly number[] {
  const types = eventTypesOf(filters);
  if (types) return types;
  const message =
    'The data stream has filters on more than event types: use the calls of /api/v2/data_stream.';
  throw new ApiError('InvalidState', message);
}

/** Faults of the second version, in names of the first. */
async function inV1<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { token, message, errors, status, retryAfter } = error;
    throw new ApiError(token, inNamesOfV1(message), {
      status,
      ...(errors ? { errors: JSON.parse(inNamesOfV1(JSON.stringify(errors))) } : {}),
      ...(retryAfter === undefined ? {} : { retryAfter }),
    });
  }
}

function show(document: DataStreamDocument, progress: ProgressDocument | undefined) {
  const { id, organisationId, kind } = document;
  const { state } = streamStatus(document, progress);
  return {
    id: idOfV1(id),
    organisation: { id: organisationId },
    data_stream_type: STREAM_TYPES[kind],
    ...destinationOfV1(document),
    active: state !== 'paused',
    running: state === 'running',
    last_dispatched_timestamp: progress?.lastDeliveredAt == null ? null : iso(progress.lastDeliveredAt),
    last_result: progress?.lastError?.message ?? null,
  };
}
