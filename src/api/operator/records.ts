import { Type } from 'typebox';
import type { RecordsAnswer, RecordsCall } from '../../ingest/http.ts';
import { KINDS, RECORD_KINDS, type RecordKind } from '../../records/kinds.ts';
import { defineRoute, type Route } from '../route.ts';
import { recordBodies } from './record-schemas.ts';

export interface RecordsParts {
  /** Stores records; see ingest/http.ts. */
  takeRecords(call: RecordsCall): Promise<RecordsAnswer>;
}

const Fault = Type.Object(
  {
    index: Type.Integer({ description: 'Which record, from 0.' }),
    path: Type.String({
      description: 'JSON pointer into the record; empty: the record as a whole.',
      examples: ['/organisation/id'],
    }),
    message: Type.String(),
  },
  { 'x-component': 'RecordFault' },
);

const Accepted = Type.Object({
  accepted: Type.Integer({ description: 'Records that are stored, durably.' }),
  left_out: Type.Optional(
    Type.Integer({ description: 'Records of another platform that the mapping leaves out.' }),
  ),
  rejected: Type.Optional(Type.Integer({ description: 'Records that were left out, with `invalid=skip`.' })),
  rejected_indexes: Type.Optional(
    Type.Array(Type.Integer(), { description: 'The indexes of all records that were left out, from 0.' }),
  ),
  errors: Type.Optional(Type.Array(Fault, { description: 'The faults of the first 20 of them.' })),
});

const Query = Type.Object({
  invalid: Type.Optional(
    Type.Unknown({ description: '`skip`: store the valid records and list the others.', examples: ['skip'] }),
  ),
});

/** As payment services name it. */
const REPLAYED = 'Idempotent-Replayed';
const HEADERS = {
  [REPLAYED]: '`true`: the same request was stored before under its Idempotency-Key; nothing was stored now.',
};

const OPERATIONS: Readonly<Record<RecordKind, string>> = {
  usage: 'IngestUsageRecords',
  event: 'IngestEvents',
  sms: 'IngestSmsRecords',
};

/** The one way in for records: `POST /operator/v1/records/usage`, `…/events` and `…/sms`. */
export function recordsRoutes({ takeRecords }: RecordsParts): Route[] {
  return RECORD_KINDS.map((kind) =>
    defineRoute({
      method: 'POST',
      path: `/operator/v1/records/${KINDS[kind].name}`,
      operationId: OPERATIONS[kind],
      tags: ['Operator: records'],
      summary: `Take ${KINDS[kind].words}`,
      description: `The answer comes when all records are durable. With a header \`Idempotency-Key\` a request that is repeated within 24 h stores nothing twice. Without \`invalid=skip\` a request is taken whole or not at all: if a record is invalid, \`errors\` of the answer lists up to 20 of \`{index, path, message}\`.`,
      access: 'operator',
      query: Query,
      streamBody: {
        contentTypes: recordBodies(kind),
        description:
          'A JSON array, or one record per line; optionally with `Content-Encoding: gzip` or `zstd`. Up to 32 MiB decoded, 256 KiB a record. CloudEvents 1.0 are taken in each of their modes: structured, batch, and binary with attributes in headers. Records of another platform are sent as `application/vnd.simstream.NAME+csv`, `+json` or `+x-ndjson`, where NAME is a mapping of the installation.',
      },
      responses: {
        202: { description: 'Taken.', schema: Accepted, headers: HEADERS },
        408: {
          description:
            'The body arrived too slowly (no byte for 10 s, or less than 8 KiB/s on average); nothing was stored, and the connection is closed.',
        },
      },
      errors: [
        'BadRequest',
        'PayloadTooLarge',
        'UnsupportedMediaType',
        'InvalidQueryCriteria',
        'InvalidFormat',
        'InputValidationFailed',
        'NotAllowed',
        'Busy',
      ],
      handler: async ({ headers, query, body }) => {
        const { repeated, ...answer } = await takeRecords({ kind, headers, invalid: query.invalid, body });
        return {
          status: 202,
          body: answer,
          headers: repeated ? { [REPLAYED]: 'true' } : {},
        };
      },
    }),
  );
}
