import { isDeepStrictEqual } from 'node:util';
import type { Static } from 'typebox';
import type { Identity } from '../../auth/identity.ts';
import { ApiError, faultsToError } from '../../errors.ts';
import type { RecordKind } from '../../records/block.ts';
import type { DataStreamDocument, StateChange } from '../../registry/data-stream.ts';
import { recordStateChange } from '../../registry/history.ts';
import type { Json } from '../../registry/registry.ts';
import type { Answer, RouteRequest } from '../route.ts';
import { FieldReader } from './body.ts';
import type { CreateParts } from './create.ts';
import {
  destinationFields,
  mustBeReachable,
  type PreparedDestination,
  prepareDestination,
} from './destination.ts';
import type { DataStreamSchemas } from './schema.ts';
import { changeStream, findProgress, removeStream } from './store.ts';
import { iso, streamStatus } from './view.ts';

type PatchBody = Static<DataStreamSchemas['patch']>;
type Request<Body = undefined> = RouteRequest<{ readonly id: string }, unknown, Body, Identity>;
type Told = Pick<StateChange, 'state' | 'message'>;

interface Changes {
  /** undefined: not given; empty: none from now on. */
  readonly name: string | undefined;
  readonly kind: RecordKind;
  readonly relation: 1 | 2 | 3;
  readonly desired: 'running' | 'paused';
  readonly filters: readonly Json[];
  readonly destination: PreparedDestination | undefined;
}

/** `PATCH /api/v2/data_stream/{id}`: all or nothing; what is not given stays. */
export async function patchDataStream(
  parts: CreateParts,
  { params: { id }, body, identity, signal }: Request<PatchBody>,
): Promise<Answer> {
  const { registry, clock, verifyDestinations = true } = parts;
  const { organisationId } = identity;
  let told: readonly Told[] = [];
  await changeStream(registry, organisationId, id, async (stored) => {
    const changes = readChanges(parts, body, stored);
    const { destination } = changes;
    if (destination && !destination.unchanged && verifyDestinations) {
      await mustBeReachable(parts, destination.configured, { organisationId, streamId: id }, signal);
    }
    const state = streamStatus(stored, await findProgress(registry, stored)).state;
    // New words for the destination, or the wish that it run, take a stream out of Error.
    const restarted = state === 'error' && (destination !== undefined || body.status !== undefined);
    const next = applyChanges(parts, stored, changes, restarted && changes.desired === 'running');
    told = tell(stored, next, changes, restarted);
    if (isDeepStrictEqual(stored, next)) return undefined;
    return { ...next, modified: iso(clock.now()) };
  });
  for (const change of told) {
    const at = clock.now();
    await recordStateChange(registry, organisationId, id, { at, ...change, actor: identity.actor });
  }
  return { status: 202 };
}

/** @throws ApiError for all faults of the body at once */
function readChanges(parts: CreateParts, body: PatchBody, stored: DataStreamDocument): Changes {
  const reader = new FieldReader();
  const kind = body.data_stream_type ? reader.kind(body.data_stream_type) : stored.kind;
  const relation = body.relation_resolution ? reader.relation(body.relation_resolution) : stored.relation;
  const desired = body.status ? reader.desired(body.status) : stored.desired;
  if (body.filters === undefined && kind === 'usage' && stored.filters.length > 0) {
    const message = 'the stream has filters, and a stream of usage data cannot have any: send an empty array';
    reader.fault('NotAllowed', '/filters', message);
  }
  const filters =
    body.filters === undefined ? stored.filters : reader.filters(body.filters, kind ?? stored.kind);
  const destination = body.destination && prepareDestination(parts, body.destination, reader, stored);
  if (!kind || !relation || !desired || reader.faults.length > 0) throw faultsToError(reader.faults);
  return { name: body.name, kind, relation, desired, filters, destination };
}

function applyChanges(
  { sealer }: CreateParts,
  stored: DataStreamDocument,
  { name, destination, ...changes }: Changes,
  restarted: boolean,
): DataStreamDocument {
  const { name: storedName, ...rest } = stored;
  const named = name === undefined ? storedName : name || undefined;
  const moved = destination !== undefined && !destination.unchanged;
  const resumed = stored.desired === 'paused' && changes.desired === 'running';
  return {
    ...rest,
    ...(named === undefined ? {} : { name: named }),
    ...changes,
    ...(moved ? destinationFields(destination, sealer, stored.organisationId, stored.id) : {}),
    generation: stored.generation + (moved || resumed || restarted ? 1 : 0),
  };
}

/** What the history says of a change. */
function tell(
  before: DataStreamDocument,
  after: DataStreamDocument,
  { destination }: Changes,
  restarted: boolean,
): Told[] {
  const told: Told[] = [];
  const state = after.desired;
  if (destination && !destination.unchanged) {
    told.push({ state, message: `The destination was changed: ${destination.configured.target}.` });
  }
  if (before.desired === 'running' && after.desired === 'paused') told.push({ state, message: 'Paused.' });
  else if (before.desired === 'paused' && after.desired === 'running')
    told.push({ state, message: 'Resumed.' });
  else if (restarted && state === 'running' && told.length === 0) told.push({ state, message: 'Restarted.' });
  return told;
}

/** `POST /api/v2/data_stream/{id}/restart`: from Error, and harmless on a stream that runs. */
export async function restartDataStream(
  { registry, clock }: Pick<CreateParts, 'registry' | 'clock'>,
  { params: { id }, identity }: Request,
): Promise<Answer> {
  const { organisationId, actor } = identity;
  await changeStream(registry, organisationId, id, async (stored) => {
    const { state } = streamStatus(stored, await findProgress(registry, stored));
    if (state === 'paused') {
      const message = 'The data stream is paused: resume it with PATCH {"status": {"id": 1}}.';
      throw new ApiError('InvalidState', message);
    }
    if (state === 'pending') {
      throw new ApiError('InvalidState', 'The data stream is being started already; wait until it runs.');
    }
    return { ...stored, generation: stored.generation + 1, modified: iso(clock.now()) };
  });
  const change = { at: clock.now(), state: 'running', message: 'Restarted.', actor } as const;
  await recordStateChange(registry, organisationId, id, change);
  return { status: 202 };
}

/** `DELETE /api/v2/data_stream/{id}`, in any state; a delivery that is under way is cancelled. */
export async function deleteDataStream(
  { registry, forget }: Pick<CreateParts, 'registry' | 'forget'>,
  { params: { id }, identity: { organisationId } }: Request,
): Promise<Answer> {
  await removeStream(registry, organisationId, id);
  await forget?.(organisationId, id);
  return { status: 202 };
}
