import { Type } from 'typebox';
import type { StreamActivity } from '../../delivery/watching/activity.ts';
import type { Exchange } from '../../destinations/contract.ts';
import { ApiError } from '../../errors.ts';
import type { DataStreamDocument } from '../../registry/data-stream.ts';
import type { Registry } from '../../registry/registry.ts';
import { answerPage, PAGE_HEADERS, PageQuery, pageOf } from '../pagination.ts';
import { defineRoute, type Route } from '../route.ts';
import { ExchangeSchema, showExchange } from './exchange.ts';
import { DataStreamParameters, nullable } from './schema.ts';
import { findStream } from './store.ts';
import { iso } from './view.ts';

export interface AttemptParts {
  readonly registry: Registry;
  activity(stream: DataStreamDocument): Promise<StreamActivity>;
  /** Request and answer of an attempt; undefined where they are not kept. */
  exchange(stream: DataStreamDocument, attempt: string): Promise<Exchange | undefined>;
}

const PATH = '/api/v2/data_stream/:id/attempt';
const base = { tags: ['Data Streamer'], method: 'GET', access: 'read', errors: ['NotFound'] } as const;

const AttemptSchema = Type.Object({
  id: nullable(Type.String({ description: 'Null for attempts of an older version' })),
  at: Type.String({ format: 'date-time', description: 'UTC' }),
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
  has_exchange: Type.Boolean({ description: 'Whether its request and answer can be read' }),
});

const AttemptParameters = Type.Object({
  ...DataStreamParameters.properties,
  attempt_id: Type.String({ maxLength: 64, description: 'Id of an attempt, from the list' }),
});

/** `GET …/attempt`, and the request and answer of one. */
export function attemptRoutes({ registry, activity, exchange }: AttemptParts): Route[] {
  return [
    defineRoute({
      ...base,
      path: PATH,
      operationId: 'ListDataStreamAttempts',
      summary: 'The last delivery attempts of a data stream, newest first.',
      params: DataStreamParameters,
      query: PageQuery,
      responses: {
        200: { description: 'Up to 50 attempts', schema: Type.Array(AttemptSchema), headers: PAGE_HEADERS },
      },
      handler: async ({ params: { id }, query, identity }) => {
        const { document } = await findStream(registry, identity.organisationId, id);
        const { attempts } = await activity(document);
        return answerPage(pageOf(attempts, query), PATH.replace(':id', id), (attempt) => ({
          id: attempt.id ?? null,
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
          has_exchange: attempt.hasExchange ?? false,
        }));
      },
    }),
    defineRoute({
      ...base,
      path: `${PATH}/:attempt_id`,
      operationId: 'GetDataStreamAttempt',
      summary: 'Request and answer of a delivery attempt',
      description:
        'The most informative request of the attempt: the first that failed, or the last. Values of headers that may be secret are masked, bodies are cut. The node that delivered keeps them in memory: for the last ten attempts of a stream that have one, for every failed attempt, and for at least one delivered attempt a second.',
      params: AttemptParameters,
      responses: { 200: { description: 'The request and its answer.', schema: ExchangeSchema } },
      handler: async ({ params: { id, attempt_id }, identity }) => {
        const { document } = await findStream(registry, identity.organisationId, id);
        const found = await exchange(document, attempt_id);
        if (!found) {
          const message = `The request of attempt ${attempt_id} is not kept, or no longer kept.`;
          throw new ApiError('NotFound', message);
        }
        return { status: 200, body: showExchange(found) };
      },
    }),
  ];
}
