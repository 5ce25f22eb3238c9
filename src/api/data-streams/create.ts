import type { Static } from 'typebox';
import type { Identity } from '../../auth/identity.ts';
import type { Organisations } from '../../auth/organisations.ts';
import { ApiError, faultsToError } from '../../errors.ts';
import type { Random } from '../../lib/clock.ts';
import { createKeyedQueue } from '../../lib/keyed-queue.ts';
import type { Position } from '../../log/log.ts';
import type { RecordKind } from '../../records/block.ts';
import type { DataStreamDocument, DeliveryWishes, RecordPrivacy } from '../../registry/data-stream.ts';
import type { Json, Registry } from '../../registry/registry.ts';
import type { Answer, RouteRequest } from '../route.ts';
import { mustStillExist } from '../still-exists.ts';
import { FieldReader } from './body.ts';
import { changeDelivery } from './delivery.ts';
import {
  type DestinationParts,
  destinationFields,
  mustBeReachable,
  mustCarry,
  type PreparedDestination,
  prepareDestination,
} from './destination.ts';
import { removeStream } from './removal.ts';
import { type DataStreamSchemas, Delivery } from './schema.ts';
import { findStream, insertStream, listStreams, lookUpStream } from './store.ts';
import { endPredecessor, findPredecessor, placeOf } from './take-over.ts';
import { iso } from './view.ts';

export interface CreateParts extends DestinationParts {
  readonly registry: Registry;
  readonly organisations: Pick<Organisations, 'get'>;
  readonly random: Random;
  /** The position of the organisation's records in the log: from `time` (ms since the epoch) on, or from now. */
  startPosition(
    organisationId: number,
    time?: number,
  ): Promise<{ readonly partition: number; readonly position: Position }>;
  /** false: creations and changes do not reach the destination (SIMSTREAM_VERIFY_DESTINATIONS); a dry run still does. */
  readonly verifyDestinations?: boolean;
  readonly retentionMs: number;
  /** Called for every deleted stream, so that other parts forget its data. */
  forget?(organisationId: number, streamId: string): Promise<void>;
  /** Streams that an organisation may have; see MOST_STREAMS. */
  readonly mostStreams?: number;
}

/** Data streams of one organisation, unless the operator sets another limit. */
export const MOST_STREAMS = 100;

type CreateBody = Static<DataStreamSchemas['create']>;
type TestBody = Static<DataStreamSchemas['test']>;
type CreateRequest<Body> = RouteRequest<unknown, unknown, Body, Identity>;

interface NewStream {
  readonly name: string | undefined;
  readonly kind: RecordKind;
  readonly relation: 1 | 2 | 3;
  readonly desired: 'running' | 'paused';
  readonly filters: readonly Json[];
  readonly startFrom: number | undefined;
  /** The stream that this one takes over from. */
  readonly continueFrom: string | undefined;
  readonly delivery: DeliveryWishes | undefined;
  readonly privacy: RecordPrivacy | undefined;
  readonly autoRestart: boolean;
  readonly destination: PreparedDestination;
}

/** `POST /api/v2/data_stream`: checks everything, reaches the destination, then stores. */
export function createCreation(parts: CreateParts) {
  const { verifyDestinations = true } = parts;
  // Creations of an organisation are stored one after the other, so that two cannot take the last place.
  const queue = createKeyedQueue<number>();

  return async ({ body, identity, signal }: CreateRequest<CreateBody>): Promise<Answer> => {
    const { organisationId } = identity;
    const stream = readNewStream(parts, body);
    await mustHaveRoom(parts, organisationId);
    await findPredecessor(parts, organisationId, stream);
    if (verifyDestinations) {
      const reference = { organisationId, streamId: newId(parts.random) };
      await mustBeReachable(parts, stream.destination.configured, reference, signal);
    }
    const document = await queue.run(organisationId, () => insert(parts, identity, stream));
    return { status: 201, headers: { location: `/api/v2/data_stream/${document.id}` } };
  };
}

/** `POST /api/v2/data_stream/test`: a creation without storing. */
export async function testDataStream(
  parts: CreateParts,
  { body, identity, signal }: CreateRequest<TestBody>,
): Promise<Answer> {
  const { organisationId } = identity;
  const stored =
    body.id === undefined ? undefined : await findStream(parts.registry, organisationId, body.id);
  const stream = readNewStream(parts, body, stored?.document);
  const { destination } = stream;
  await findPredecessor(parts, organisationId, stream);
  const reference = { organisationId, streamId: stored?.document.id ?? newId(parts.random) };
  const { target } = destination.configured;
  const checked = await mustBeReachable(parts, destination.configured, reference, signal);
  const message =
    checked === 'connection'
      ? `${target}: the address answers. No request was sent, so it is not known yet whether it accepts records.`
      : `${target} accepts these credentials. No record was delivered.`;
  return { status: 200, body: { reachable: true, target, checked, message } };
}

/** @throws ApiError for all faults of the body at once */
function readNewStream(parts: CreateParts, body: TestBody, stored?: DataStreamDocument): NewStream {
  const reader = new FieldReader();
  const kind = reader.kind(body.data_stream_type);
  const relation = body.relation_resolution ? reader.relation(body.relation_resolution) : 1;
  const desired = body.status ? reader.desired(body.status) : 'running';
  const filters = reader.filters(body.filters, kind ?? 'event');
  const privacy = reader.privacy(body.privacy);
  reader.members(body.delivery, '/delivery', Object.keys(Delivery.properties));
  const { start_from } = body;
  const startFrom =
    start_from === undefined ? undefined : reader.startFrom(start_from, parts.clock.now(), parts.retentionMs);
  const continueFrom = body.continue_from || undefined;
  if (continueFrom !== undefined && start_from !== undefined)
    reader.fault('NotAllowed', '/start_from', 'cannot be given together with continue_from');
  const destination = prepareDestination(parts, body.destination, reader, stored);
  if (destination) mustCarry(destination.type, kind, reader);
  if (!kind || !relation || !desired || !destination || reader.faults.length > 0) {
    throw faultsToError(reader.faults);
  }
  const name = body.name || undefined;
  const delivery = changeDelivery(undefined, body.delivery);
  const { auto_restart: autoRestart = true } = body;
  const places = { startFrom, continueFrom };
  return { delivery, privacy, autoRestart, name, kind, relation, desired, filters, ...places, destination };
}

async function insert(
  parts: CreateParts,
  { organisationId, actor }: Identity,
  stream: NewStream,
): Promise<DataStreamDocument> {
  const { registry, clock, sealer } = parts;
  await mustHaveRoom(parts, organisationId);
  const old = await findPredecessor(parts, organisationId, stream);
  const start = old
    ? await placeOf(registry, old)
    : await parts.startPosition(organisationId, stream.startFrom);
  const created = iso(clock.now());
  for (;;) {
    const id = newId(parts.random);
    const document: DataStreamDocument = {
      id,
      organisationId,
      ...(stream.name === undefined ? {} : { name: stream.name }),
      kind: stream.kind,
      relation: stream.relation,
      ...destinationFields(stream.destination, sealer, organisationId, id),
      filters: stream.filters,
      desired: stream.desired,
      generation: 1,
      start: start.position,
      ...(old ? { continueFrom: old.id } : {}),
      ...(old?.former ? { former: old.former } : {}),
      ...(stream.delivery ? { delivery: stream.delivery } : {}),
      ...(stream.privacy ? { privacy: stream.privacy } : {}),
      ...(stream.autoRestart ? { autoRestart: true } : {}),
      partition: start.partition,
      created,
      modified: created,
    };
    const at = Date.parse(created);
    const change =
      stream.desired === 'paused'
        ? ({ state: 'paused', message: 'Created paused.' } as const)
        : ({ state: 'pending', message: 'Created.' } as const);
    if (!(await insertStream(registry, document, { at, ...change, actor }))) continue;
    await mustStillHaveRoom(parts, document);
    await mustStillExist(parts.organisations, organisationId, 'member', async () => {
      const left = await lookUpStream(registry, organisationId, id);
      if (left) await removeStream(registry, organisationId, id, clock.now());
    });
    if (old) await endPredecessor(parts, document, actor);
    return document;
  }
}

async function mustHaveRoom({ registry, mostStreams = MOST_STREAMS }: CreateParts, organisationId: number) {
  if ((await listStreams(registry, organisationId)).length >= mostStreams) throw tooMany(mostStreams);
}

/**
 * Looks again after the stream was stored, for creations on other nodes at the same time: the limit is never exceeded
 * for longer than this takes. Two nodes that take the last place at once may both give it up; then there is room again.
 */
async function mustStillHaveRoom(
  { registry, clock, mostStreams = MOST_STREAMS }: CreateParts,
  { organisationId, id }: DataStreamDocument,
): Promise<void> {
  if ((await listStreams(registry, organisationId)).length <= mostStreams) return;
  await removeStream(registry, organisationId, id, clock.now());
  throw tooMany(mostStreams);
}

function tooMany(most: number): ApiError {
  return new ApiError(
    'NotAllowed',
    `The organisation has ${most} data streams, which is the limit; delete one first.`,
  );
}

/** 8 lower-case hex digits, as emnify's ids look. */
export function newId(random: Random): string {
  return Buffer.from(random.bytes(4)).toString('hex');
}
