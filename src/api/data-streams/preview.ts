import { type Static, Type } from 'typebox';
import type { Identity } from '../../auth/identity.ts';
import type { Preview, PreviewStream } from '../../delivery/watching/preview.ts';
import type { Configured, Exchange } from '../../destinations/contract.ts';
import { faultsToError } from '../../errors.ts';
import type { Block } from '../../records/block.ts';
import type { RecordPrivacy } from '../../registry/data-stream.ts';
import { anyRecordSchema } from '../operator/record-schemas.ts';
import { defineRoute, type Route, type RouteRequest } from '../route.ts';
import { FieldReader } from './body.ts';
import type { CreateParts } from './create.ts';
import { mustCarry, prepareDestination } from './destination.ts';
import { createExamples } from './examples.ts';
import { ExchangeSchema, showExchange } from './exchange.ts';
import { type DataStreamSchemas, dataStreamSchemas, nullable } from './schema.ts';
import { findStream } from './store.ts';
import { iso } from './view.ts';

export interface PreviewParts {
  /** The records of the last 24 hours that such a stream would deliver. */
  preview(stream: PreviewStream & PreviewPrivacy, signal: AbortSignal): Promise<Preview>;
  /** The request that would be made for a record; nothing is sent. */
  requestOf(
    configured: Configured,
    stream: { readonly organisationId: number; readonly streamId: string },
    block: Block,
    signal: AbortSignal,
  ): Promise<Exchange | undefined>;
}

interface PreviewPrivacy {
  readonly privacy: RecordPrivacy | undefined;
}

type Body = Static<DataStreamSchemas['preview']>;

const Result = Type.Object(
  {
    hours: Type.Array(
      Type.Object({
        hour: Type.String({ format: 'date-time', description: 'Start of the hour of arrival' }),
        records: Type.Integer({ minimum: 0, description: 'Records of the type and the organisations' }),
        matched: Type.Integer({ minimum: 0, description: 'Of these, the records that pass the filters' }),
      }),
      { description: 'The last 24 hours, oldest first' },
    ),
    complete: Type.Boolean({
      description:
        'False: there were too many records to look at all of them. The oldest hours are missing or not complete.',
    }),
    samples: Type.Array(anyRecordSchema(), {
      description: 'Up to 20 records that pass, newest first, as a destination gets them',
    }),
    sample_request: nullable(
      Type.Object(
        { request: ExchangeSchema.properties.request },
        {
          description:
            'The request that would deliver the first sample, secrets masked. Null without a destination or without a sample, and for connection types that log in or upload before they send records.',
        },
      ),
    ),
  },
  { 'x-component': 'DataStreamPreview' },
);

/** `POST /api/v2/data_stream/preview` */
export function previewRoute(parts: CreateParts & PreviewParts): Route {
  const types = [...parts.destinationTypes.values()];
  return defineRoute({
    tags: ['Data Streamer'],
    method: 'POST',
    path: '/api/v2/data_stream/preview',
    operationId: 'PreviewDataStream',
    summary: 'See what a data stream would deliver',
    description:
      'Takes a body as for creation, in which `destination` may be missing. Applies the filters to the records of the last 24 hours, counts those that pass, and shows the newest of them. Creates and sends nothing.',
    access: 'write',
    body: dataStreamSchemas(parts.destinationTypes).preview,
    bodyExamples: createExamples(types),
    responses: {
      200: {
        description: 'The records that it would deliver.',
        schema: Result,
        contentType: 'application/json',
      },
    },
    errors: ['NotFound'],
    handler: (request) => preview(parts, request),
  });
}

async function preview(
  parts: CreateParts & PreviewParts,
  { body, identity, signal }: RouteRequest<unknown, unknown, Body, Identity>,
) {
  const { organisationId } = identity;
  const stored =
    body.id === undefined ? undefined : (await findStream(parts.registry, organisationId, body.id)).document;
  const reader = new FieldReader();
  const privacy = body.privacy === undefined ? stored?.privacy : reader.privacy(body.privacy);
  const kind = reader.kind(body.data_stream_type);
  const relation = body.relation_resolution ? reader.relation(body.relation_resolution) : 1;
  const filters = reader.filters(body.filters, kind ?? 'event');
  const destination = body.destination && prepareDestination(parts, body.destination, reader, stored);
  if (destination) mustCarry(destination.type, kind, reader);
  if (!kind || !relation || reader.faults.length > 0) throw faultsToError(reader.faults);
  const found = await parts.preview({ organisationId, kind, relation, filters, privacy }, signal);
  const { hours, complete, samples, newest } = found;
  const reference = { organisationId, streamId: stored?.id ?? '00000000' };
  const exchange =
    destination && newest
      ? await parts.requestOf(destination.configured, reference, newest, signal)
      : undefined;
  const rest = {
    hours: hours.map(({ hour, records, matched }) => ({ hour: iso(hour), records, matched })),
    complete,
    sample_request: exchange ? { request: showExchange(exchange).request } : null,
  };
  // The samples are the records' own bytes: no number in them is rounded.
  const text = `${JSON.stringify(rest).slice(0, -1)},"samples":[${samples.join(',')}]}`;
  return {
    status: 200,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: text,
  };
}
