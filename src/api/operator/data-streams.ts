import { Type } from 'typebox';
import type { Clock } from '../../lib/clock.ts';
import { Slices } from '../../lib/slices.ts';
import { RECORD_KINDS } from '../../records/kinds.ts';
import {
  type DataStreamDocument,
  PROGRESS,
  type ProgressDocument,
  progressKey,
  STATUS_IDS,
  STREAM,
  type StreamState,
} from '../../registry/data-stream.ts';
import type { Registry } from '../../registry/registry.ts';
import { nullable } from '../data-streams/schema.ts';
import { iso, showProgress, showStatus, statusOfHeld, streamStatus } from '../data-streams/view.ts';
import { defineRoute, type Route } from '../route.ts';
import type { NodesParts } from './nodes.ts';

export interface OperatorDataStreamParts extends NodesParts {
  readonly registry: Registry;
  readonly clock: Pick<Clock, 'now'>;
}

const PATH = '/operator/v1/data_streams';
const PER_PAGE = { default: 100, most: 1_000 };
/** The most data streams that one call reads, so that its cost is bounded even if few of them are in the given state. */
const MOST_LOOKED_AT = 5_000;
/** About the size of the two documents of a stream, bytes. */
const DOCUMENT_BYTES = 2_048;
const STATES = Object.keys(STATUS_IDS) as StreamState[];
const KEY = '^stream\\.[0-9]{1,16}\\.[0-9a-f]{8}$';

const Query = Type.Object({
  state: Type.Optional(
    Type.Union(
      STATES.map((state) => Type.Literal(state)),
      { description: 'Only data streams in this state.' },
    ),
  ),
  organisation_id: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'Only data streams of this organisation.',
    }),
  ),
  per_page: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: PER_PAGE.most,
      description: `The most data streams of a page; default ${PER_PAGE.default}.`,
    }),
  ),
  after: Type.Optional(Type.String({ pattern: KEY, description: '`next` of the page before.' })),
});

const time = Type.String({ format: 'date-time' });
const DataStreamOfAll = Type.Object(
  {
    id: Type.String(),
    organisation_id: Type.Integer(),
    name: nullable(Type.String()),
    data_stream_type: Type.Union(RECORD_KINDS.map((kind) => Type.Literal(kind))),
    connection_type: Type.String(),
    target: Type.String({ description: 'The address of its destination, without secrets.' }),
    status: Type.Object({
      id: Type.Integer(),
      description: Type.String(),
      message: Type.String(),
      since: time,
    }),
    lag_seconds: nullable(Type.Number({ description: 'Age of the oldest pending record; null: none.' })),
    progress: Type.Object({
      delivered: Type.Integer(),
      filtered: Type.Integer(),
      quarantined: Type.Integer(),
      expired: Type.Integer(),
      pending: Type.Integer(),
      oldest_pending_at: nullable(time),
      last_delivered_at: nullable(time),
    }),
    last_error: nullable(Type.Object({ code: Type.String(), message: Type.String(), at: time })),
  },
  { 'x-component': 'OperatorDataStream' },
);

/** `GET /operator/v1/data_streams`: the data streams of all organisations and their states. */
export function operatorDataStreamRoutes(parts: OperatorDataStreamParts): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: PATH,
      operationId: 'ListAllDataStreams',
      tags: ['Operator: data streams'],
      summary: 'List the data streams of all organisations',
      description:
        'With state, backlog and lag, as last committed. A page may hold fewer data streams than asked for, or none, ' +
        `because one call looks at ${MOST_LOOKED_AT} of them at most: continue with \`next\` until it is null.`,
      access: 'operator',
      query: Query,
      responses: {
        200: {
          description: 'A page of data streams, by organisation and id.',
          schema: Type.Object({ data_streams: Type.Array(DataStreamOfAll), next: nullable(Type.String()) }),
        },
      },
      handler: async ({ query, signal }) => {
        const { state, organisation_id: organisation, per_page: perPage = PER_PAGE.default, after } = query;
        const found: ReturnType<typeof show>[] = [];
        const slices = new Slices();
        let last: string | undefined;
        let looked = 0;
        for await (const { key, document } of listFrom(parts.registry, organisation, after)) {
          if (key === after) continue;
          if (found.length === perPage || looked === MOST_LOOKED_AT || signal.aborted)
            return { status: 200, body: { data_streams: found, next: last ?? null } };
          const progress = await PROGRESS.get(parts.registry, progressKey(document));
          looked++;
          last = key;
          if (state === undefined || streamStatus(document, progress?.document).state === state)
            found.push(show(document, progress?.document, parts));
          await slices.add(DOCUMENT_BYTES);
        }
        return { status: 200, body: { data_streams: found, next: null } };
      },
    }),
  ];
}

async function* listFrom(registry: Registry, organisation: number | undefined, after: string | undefined) {
  const prefix = organisation === undefined ? STREAM.prefix : `${STREAM.prefix}.${organisation}`;
  for await (const { key, value } of registry.list(prefix, { from: after }))
    yield { key, document: STREAM.parse(value) };
}

function show(
  stream: DataStreamDocument,
  progress: ProgressDocument | undefined,
  { clock, nodes }: Pick<OperatorDataStreamParts, 'clock' | 'nodes'>,
) {
  const oldest = progress?.pending ? progress.oldestPendingAt : null;
  const error = progress?.lastError;
  return {
    id: stream.id,
    organisation_id: stream.organisationId,
    name: stream.name ?? null,
    data_stream_type: stream.kind,
    connection_type: stream.connectionType,
    target: stream.target,
    status: showStatus(statusOfHeld(stream, progress, nodes().stuck)),
    lag_seconds: oldest === null || oldest === undefined ? null : Math.max(0, clock.now() - oldest) / 1_000,
    progress: showProgress(progress),
    last_error: error ? { code: error.code, message: error.message, at: iso(error.at) } : null,
  };
}
