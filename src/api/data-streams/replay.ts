import { isDeepStrictEqual } from 'node:util';
import { type Static, Type } from 'typebox';
import type { Identity } from '../../auth/identity.ts';
import { ApiError, faultsToError } from '../../errors.ts';
import { createKeyedQueue, type KeyedQueue } from '../../lib/keyed-queue.ts';
import type { Position } from '../../log/log.ts';
import { type DataStreamDocument, type ReplayDocument, replayEnded } from '../../registry/data-stream.ts';
import type { Json, Registry } from '../../registry/registry.ts';
import { defineRoute, type Route, type RouteRequest } from '../route.ts';
import { FieldReader } from './body.ts';
import { type CreateParts, newId } from './create.ts';
import {
  isFromAnswer,
  jobKey,
  progressOf,
  ReplayView,
  replayOf,
  showReplay,
  takenOverBy,
} from './replay-view.ts';
import { DataStreamParameters, Filters, GivenId, nullable } from './schema.ts';
import { changeStream, findStream, listStreams } from './store.ts';
import { successorOf } from './take-over.ts';
import { iso } from './view.ts';

/** A range of a stream's records is delivered again, beside the live flow. */
export interface ReplayParts extends CreateParts {
  /** Records of a range that the stream would deliver, with these filters on top of its own; as far as the call has time. */
  countRange(
    stream: DataStreamDocument,
    range: { readonly from: Position; readonly until: Position },
    filters: readonly Json[],
    signal: AbortSignal,
  ): Promise<{ readonly records: number; readonly filtered: number; readonly complete: boolean }>;
}

/** Replays that are not finished: each is a delivery of its own to the customer's receiver. */
export const MOST_REPLAYS = { stream: 3, organisation: 10 };
/** Replays of a stream that can be read; the oldest finished ones make room. */
export const REPLAYS_KEPT = 10;

const PATH = '/api/v2/data_stream/:id/replay';
const base = { tags: ['Data Streamer'] } as const;

const ReplayParameters = Type.Object({
  ...DataStreamParameters.properties,
  replay_id: Type.String({ description: 'Id of the replay.', examples: ['c0ffee12'] }),
});
const PACE = { minimum: 1, maximum: 1_000_000 };
const ReplayBody = Type.Object(
  {
    from: Type.String({
      maxLength: 64,
      description: 'A time within the retention, or `earliest`: records that arrived since then.',
      examples: ['earliest'],
    }),
    until: Type.Optional(
      Type.String({ maxLength: 64, description: 'Records that arrived before then. Default: now.' }),
    ),
    filters: Type.Optional(
      Type.Unsafe<unknown>({ 'x-any-of': [Filters], description: 'On top of those of the stream.' }),
    ),
    max_records_per_second: Type.Optional(
      Type.Integer({ ...PACE, description: 'Default: as fast as the destination takes them.' }),
    ),
    dry_run: Type.Optional(Type.Boolean({ description: 'Only count the records.' })),
  },
  { 'x-component': 'CreateReplay', additionalProperties: false },
);
const ReplayPatch = Type.Object(
  {
    status: Type.Optional(GivenId('1 Running, also out of Error, or 2 Paused.', 2)),
    max_records_per_second: Type.Optional(
      nullable(Type.Integer({ ...PACE, description: 'null: as fast as the destination takes them.' })),
    ),
  },
  // A replay that is sent back as it was read shows more.
  { 'x-component': 'PatchReplay' },
);
const Counted = Type.Object({
  records: Type.Integer({ description: 'Records that the replay would deliver.' }),
  filtered: Type.Integer({ description: 'Records of the range that do not pass the filters.' }),
  complete: Type.Boolean({ description: 'false: the range has more records than were counted.' }),
});

export function replayRoutes(parts: ReplayParts): Route[] {
  const { registry } = parts;
  // Those of an organisation are stored one after the other: the most that it may have counts those of all its streams.
  const queue = createKeyedQueue<number>();
  return [
    defineRoute({
      ...base,
      method: 'POST',
      path: PATH,
      operationId: 'CreateReplay',
      summary: 'Deliver a range of records again',
      description: `To the stream's destination, beside the live flow. Requests of a webhook carry \`Simstream-Replay\` with the id of the replay. A stream has up to ${MOST_REPLAYS.stream} unfinished replays, an organisation up to ${MOST_REPLAYS.organisation}.`,
      access: 'write',
      params: DataStreamParameters,
      body: ReplayBody,
      bodyExamples: {
        Everything: { summary: 'All kept records', value: { from: 'earliest' } },
        Pace: {
          summary: 'At most 100 records a second',
          value: { from: 'earliest', max_records_per_second: 100 },
        },
        Count: { summary: 'Count the records', value: { from: 'earliest', dry_run: true } },
      },
      responses: {
        200: { description: 'The count (`dry_run`); nothing is delivered.', schema: Counted },
        201: { description: 'Created.', headers: { Location: 'Relative address of the replay.' } },
      },
      errors: ['NotFound', 'NotAllowed', 'InvalidState', 'Busy'],
      handler: (request) => createReplay(parts, queue, request),
    }),
    defineRoute({
      ...base,
      method: 'GET',
      path: PATH,
      operationId: 'ListReplays',
      summary: 'Replays of a data stream, newest first',
      access: 'read',
      params: DataStreamParameters,
      responses: { 200: { description: 'Up to ten replays.', schema: Type.Array(ReplayView) } },
      errors: ['NotFound'],
      handler: async ({ params: { id }, identity }) => {
        const { document } = await findStream(registry, identity.organisationId, id);
        const body = await Promise.all(
          [...(document.replays ?? [])].reverse().map((replay) => showReplay(registry, document, replay)),
        );
        return { status: 200, body };
      },
    }),
    defineRoute({
      ...base,
      method: 'GET',
      path: `${PATH}/:replay_id`,
      operationId: 'GetReplay',
      summary: 'One replay',
      access: 'read',
      params: ReplayParameters,
      responses: { 200: { description: 'The replay.', schema: ReplayView } },
      errors: ['NotFound'],
      handler: async ({ params: { id, replay_id }, identity }) => {
        const { document } = await findStream(registry, identity.organisationId, id);
        return { status: 200, body: await showReplay(registry, document, replayOf(document, replay_id)) };
      },
    }),
    defineRoute({
      ...base,
      method: 'PATCH',
      path: `${PATH}/:replay_id`,
      operationId: 'PatchReplay',
      summary: 'Pause a replay, resume it, or change its pace',
      access: 'write',
      params: ReplayParameters,
      body: ReplayPatch,
      nullMembers: ['max_records_per_second'],
      bodyExamples: {
        Pause: { summary: 'It keeps its cursor', value: { status: { id: 2 } } },
        Resume: { summary: 'Goes on where it stopped; also out of Error', value: { status: { id: 1 } } },
        Pace: { summary: 'Another pace', value: { max_records_per_second: 50 } },
        NoPace: {
          summary: 'As fast as the destination takes them',
          value: { max_records_per_second: null },
        },
      },
      responses: { 202: { description: 'Accepted.' } },
      errors: ['NotFound', 'InvalidState', 'Busy'],
      handler: (request) => patchReplay(parts, request),
    }),
    defineRoute({
      ...base,
      method: 'DELETE',
      path: `${PATH}/:replay_id`,
      operationId: 'DeleteReplay',
      summary: 'Cancel a replay, or remove a finished one',
      access: 'write',
      params: ReplayParameters,
      responses: { 202: { description: 'Accepted.' } },
      errors: ['NotFound', 'Busy'],
      handler: async ({ params: { id, replay_id }, identity: { organisationId } }) => {
        let stream: DataStreamDocument | undefined;
        await changeStream(registry, organisationId, id, async (stored) => {
          replayOf(stored, replay_id);
          stream = stored;
          return withReplays(stored, (replay) => (replay.id === replay_id ? undefined : replay));
        });
        if (stream) await registry.delete(jobKey(stream, replay_id));
        return { status: 202 };
      },
    }),
  ];
}

type Request<Body> = RouteRequest<{ readonly id: string }, unknown, Body, Identity>;

async function createReplay(
  parts: ReplayParts,
  queue: KeyedQueue<number>,
  { params: { id }, body, identity: { organisationId }, signal }: Request<Static<typeof ReplayBody>>,
) {
  const { registry, clock } = parts;
  const { document: stream } = await findStream(registry, organisationId, id);
  const by = await successorOf(registry, stream);
  if (by !== undefined && !body.dry_run) throw new ApiError('InvalidState', takenOverBy(by));
  const range = readRange(parts, body);
  const reader = new FieldReader();
  const filters = reader.filters(body.filters, stream.kind);
  if (reader.faults.length > 0) throw faultsToError(reader.faults);
  const from = (await parts.startPosition(organisationId, range.from)).position;
  const until = (await parts.startPosition(organisationId, range.until)).position;
  if (body.dry_run) {
    return { status: 200, body: await parts.countRange(stream, { from, until }, filters, signal) };
  }
  const now = clock.now();
  const replay: ReplayDocument = {
    id: newId(parts.random),
    from,
    until,
    fromTime: iso(range.from),
    untilTime: iso(range.until ?? now),
    filters,
    ...(body.max_records_per_second === undefined ? {} : { recordsPerSecond: body.max_records_per_second }),
    desired: 'running',
    generation: 1,
    created: iso(now),
  };
  const forgotten: string[] = [];
  const insert = async (stored: DataStreamDocument): Promise<DataStreamDocument> => {
    forgotten.length = 0;
    const unfinished = await mustHaveRoom(registry, stored);
    const kept = [...(stored.replays ?? [])];
    while (kept.length >= REPLAYS_KEPT) {
      const oldest = kept.findIndex((each) => !unfinished.has(each.id));
      forgotten.push(...kept.splice(oldest, 1).map((each) => each.id));
    }
    return { ...stored, replays: [...kept, replay] };
  };
  await queue.run(organisationId, () => changeStream(registry, organisationId, id, insert));
  for (const old of forgotten) await registry.delete(jobKey(stream, old));
  return { status: 201, headers: { location: `/api/v2/data_stream/${id}/replay/${replay.id}` } };
}

/** @returns the ids of the stream's unfinished replays @throws ApiError NotAllowed */
async function mustHaveRoom(registry: Registry, stream: DataStreamDocument): Promise<ReadonlySet<string>> {
  let own = new Set<string>();
  let count = 0;
  for (const { document } of await listStreams(registry, stream.organisationId)) {
    const unfinished = new Set<string>();
    for (const replay of document.replays ?? [])
      if (!replayEnded(replay, await progressOf(registry, document, replay.id))) unfinished.add(replay.id);
    count += unfinished.size;
    if (document.id === stream.id) own = unfinished;
  }
  const what =
    own.size >= MOST_REPLAYS.stream
      ? 'stream'
      : count >= MOST_REPLAYS.organisation
        ? 'organisation'
        : undefined;
  if (what === undefined) return own;
  const message = `The ${what} has ${MOST_REPLAYS[what]} unfinished replays, which is the limit: wait for one, or cancel it.`;
  throw new ApiError('NotAllowed', message);
}

/** @returns ms since the epoch @throws ApiError */
function readRange(
  { clock, retentionMs }: ReplayParts,
  { from, until }: { readonly from: string; readonly until?: string },
): { readonly from: number; readonly until: number | undefined } {
  const reader = new FieldReader();
  const now = clock.now();
  const begin = reader.timeWithin(from, '/from', now, retentionMs);
  const end = until === undefined ? undefined : reader.timeWithin(until, '/until', now, retentionMs);
  if (begin !== undefined && end !== undefined && end <= begin)
    reader.fault('OutOfRange', '/until', 'must lie after from');
  if (begin === undefined || reader.faults.length > 0) throw faultsToError(reader.faults);
  return { from: begin, until: end };
}

async function patchReplay(
  { registry }: ReplayParts,
  request: RouteRequest<
    { readonly id: string; readonly replay_id: string },
    unknown,
    Static<typeof ReplayPatch>,
    Identity
  >,
) {
  const { params, body, identity } = request;
  await changeStream(registry, identity.organisationId, params.id, async (stored) => {
    const replay = replayOf(stored, params.replay_id);
    const { status: shown } = await showReplay(registry, stored, replay);
    const reader = new FieldReader();
    const wish = body.status && !isFromAnswer(body.status, shown) ? body.status : undefined;
    const desired = wish && reader.desired(wish);
    if (reader.faults.length > 0) throw faultsToError(reader.faults);
    const pace = body.max_records_per_second;
    const { recordsPerSecond, ...others } = replay;
    const wanted = pace === undefined ? recordsPerSecond : (pace ?? undefined);
    const changed: ReplayDocument = {
      ...others,
      ...(wanted === undefined ? {} : { recordsPerSecond: wanted }),
      ...(desired === undefined ? {} : { desired }),
      generation: replay.generation + (desired === 'running' ? 1 : 0),
    };
    if (isDeepStrictEqual(changed, replay)) return undefined;
    if (replayEnded(replay, await progressOf(registry, stored, replay.id)))
      throw new ApiError('InvalidState', `Replay ${replay.id} has finished: create another one.`);
    return withReplays(stored, (each) => (each.id === replay.id ? changed : each));
  });
  return { status: 202 };
}

function withReplays(
  stream: DataStreamDocument,
  change: (replay: ReplayDocument) => ReplayDocument | undefined,
): DataStreamDocument {
  const replays = (stream.replays ?? []).map(change).filter((replay) => replay !== undefined);
  return { ...stream, replays };
}
