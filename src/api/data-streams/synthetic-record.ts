import { Type } from 'typebox';
import type { TestRecordResult } from '../../delivery/watching/synthetic-record.ts';
import type { DataStreamDocument } from '../../registry/data-stream.ts';
import type { Registry } from '../../registry/registry.ts';
import { defineRoute, type Route } from '../route.ts';
import { ExchangeSchema, showExchange } from './exchange.ts';
import { DataStreamParameters, nullable } from './schema.ts';
import { findStream } from './store.ts';

export interface TestRecordParts {
  readonly registry: Registry;
  /** Opens the stream's destination for this record alone, at the node that takes the call. */
  testRecord(
    stream: DataStreamDocument,
    organisationName: string,
    signal: AbortSignal,
  ): Promise<TestRecordResult>;
  readonly rateLimits: { testRecord(organisationId: number): void };
}

/** The meaning of each outcome for real records. */
const OUTCOMES = {
  delivered: 'the destination took the record',
  retry: 'it is busy or cannot be reached; real records are tried again',
  refused: 'a person must change something first: see the message',
  rejected: 'it refuses this record; real records that are refused like this are quarantined',
  too_large: 'it takes no request of this size',
  platform: 'simstream itself could not send it; ask its operator',
} as const satisfies Record<TestRecordResult['outcome'], string>;

const described = Object.entries(OUTCOMES).map(([outcome, meaning]) => `\`${outcome}\`: ${meaning}`);

export const describeTest = 'The outcome, delivered or not.';

/** The result of a test. */
export const TestResult = Type.Object(
  {
    outcome: Type.Union(
      Object.keys(OUTCOMES).map((outcome) => Type.Literal(outcome)),
      { description: described.join('; ') },
    ),
    code: nullable(
      Type.String({ description: 'Code of the cause, e.g. `http_503` or `connection_refused`' }),
    ),
    remote_status: nullable(Type.Integer({ description: 'Status that the destination answered with' })),
    message: Type.String({ description: 'What happened and what to do, in plain words' }),
    duration_ms: Type.Number({ minimum: 0 }),
    exchange: nullable(ExchangeSchema),
  },
  {
    'x-component': 'TestRecordResult',
    examples: [
      {
        outcome: 'delivered',
        code: null,
        remote_status: 200,
        message: 'The destination took the test record.',
        duration_ms: 84.2,
        exchange: null,
      },
      {
        outcome: 'refused',
        code: 'http_401',
        remote_status: 401,
        message: 'example.com answered 401 Unauthorized. Check the credentials.',
        duration_ms: 51.7,
        exchange: null,
      },
    ],
  },
);

/** `POST …/test_record` */
export function testRecordRoute({ registry, testRecord, rateLimits }: TestRecordParts): Route {
  return defineRoute({
    tags: ['Data Streamer'],
    method: 'POST',
    path: '/api/v2/data_stream/:id/test_record',
    operationId: 'SendDataStreamTestRecord',
    summary: 'Send a test record to the destination of a data stream',
    description:
      'Sends one synthetic record through the stream’s real destination, also while the stream is paused or in Error. All ids in it are 0 but the organisation’s, and its volume and cost are 0. A webhook gets it with the header `Simstream-Test: true`. Filters do not apply to it. It moves no cursor and no counter, and does not appear in the history.',
    access: 'write',
    params: DataStreamParameters,
    responses: {
      200: {
        description: describeTest,
        schema: TestResult,
      },
    },
    errors: ['NotFound'],
    handler: async ({ params: { id }, identity, signal }) => {
      const { document } = await findStream(registry, identity.organisationId, id);
      rateLimits.testRecord(identity.organisationId);
      const result = await testRecord(document, identity.organisationName, signal);
      const body = showTest(result, 'The destination took the test record.');
      return { status: 200, body };
    },
  });
}

/** @param taken the text for a delivered record */
export function showTest(
  { outcome, cause, remoteStatus, durationMs, exchange }: TestRecordResult,
  taken: string,
) {
  return {
    outcome,
    code: cause?.code ?? null,
    remote_status: remoteStatus ?? null,
    message: cause?.message ?? taken,
    duration_ms: Math.round(durationMs * 10) / 10,
    exchange: exchange ? showExchange(exchange) : null,
  };
}
