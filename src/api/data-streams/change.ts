import { isDeepStrictEqual } from 'node:util';
import type { Static } from 'typebox';
import type { Identity } from '../../auth/identity.ts';
import { ApiError, faultsToError } from '../../errors.ts';
import type { RecordKind } from '../../records/block.ts';
import {
  type DataStreamDocument,
  type RecordPrivacy,
  STATUS_DESCRIPTIONS,
  STATUS_IDS,
  type StateChange,
  type StreamState,
  timeOfChange,
} from '../../registry/data-stream.ts';
import { addStateChange } from '../../registry/history.ts';
import type { Json, Registry } from '../../registry/registry.ts';
import type { Answer, RouteRequest } from '../route.ts';
import { FieldReader } from './body.ts';
import type { CreateParts } from './create.ts';
import { changeDelivery } from './delivery.ts';
import {
  destinationFields,
  isAsShown,
  mustBeReachable,
  mustCarry,
  type PreparedDestination,
  prepareDestination,
} from './destination.ts';
import { removeStream } from './removal.ts';
import { mustFitReplays } from './replay-view.ts';
import { type DataStreamSchemas, Delivery } from './schema.ts';
import { changeStream, findProgress, findStream, lookUpStream } from './store.ts';
import { handOnPredecessors, onlyOnCreate, successorOf } from './take-over.ts';
import { etagOf, type MustBeKnown } from './version.ts';
import { iso, streamStatus } from './view.ts';

type PatchBody = Static<DataStreamSchemas['patch']>;
type Request<Body = undefined> = RouteRequest<{ readonly id: string }, unknown, Body, Identity>;
type GivenStatus = NonNullable<PatchBody['status']>;
type HistoryEntry = Pick<StateChange, 'state' | 'message'>;

interface Changes {
  /** undefined: not given; empty: none from now on. */
  readonly name: string | undefined;
  readonly kind: RecordKind;
  readonly relation: 1 | 2 | 3;
  readonly desired: 'running' | 'paused';
  readonly filters: readonly Json[];
  readonly destination: PreparedDestination | undefined;
  readonly delivery: PatchBody['delivery'];
  readonly privacy: RecordPrivacy | undefined;
  /** undefined: not given. */
  readonly autoRestart: boolean | undefined;
  /** Whether the body asks for the stream to run or to be paused. */
  readonly wished: boolean;
}

/**
 * `PATCH /api/v2/data_stream/{id}`: all or nothing. Fields that are not given keep their value.
 * @param body a function makes it of the stream as it is stored, again if another call changed the stream meanwhile
 */
export async function patchDataStream(
  parts: CreateParts,
  {
    params: { id },
    body,
    identity,
    signal,
  }: Request<PatchBody | ((stored: DataStreamDocument) => PatchBody)>,
  mustBeKnown: MustBeKnown = () => {},
): Promise<Answer> {
  const { registry, clock, verifyDestinations = true } = parts;
  const { organisationId } = identity;
  let entries: readonly HistoryEntry[] = [];
  const changed = await changeStream(registry, organisationId, id, async (stored) => {
    mustBeKnown(stored);
    const { state } = streamStatus(stored, await findProgress(registry, stored));
    const changes = readChanges(parts, typeof body === 'function' ? body(stored) : body, stored, state);
    if (changes.desired === 'running') await mustNotBeTakenOver(registry, stored);
    if (changes.kind !== stored.kind) await mustFitReplays(registry, stored, changes.kind);
    const { destination } = changes;
    if (isMoved(destination) && verifyDestinations) {
      await mustBeReachable(parts, destination.configured, { organisationId, streamId: id }, signal);
    }
    const restarted = state === 'error' && (isMoved(destination) || changes.wished);
    const changed = applyChanges(parts, stored, changes, restarted && changes.desired === 'running');
    const next = await withFormerKind(parts, stored, changed);
    entries = historyOf(stored, next, changes, restarted);
    if (isDeepStrictEqual(stored, next)) return undefined;
    const now = clock.now();
    const way = isSameWay(stored, next) ? {} : { wayChanged: iso(now) };
    return { ...next, ...way, modified: timeOfChange(stored, now) };
  });
  for (const change of entries) {
    const at = clock.now();
    await addStateChange(registry, organisationId, id, { at, ...change, actor: identity.actor });
  }
  return { status: 202, headers: { etag: etagOf(changed) } };
}

/**
 * A stream as an answer shows it is a valid change of it, in every state, and changes nothing: a destination or
 * filters as the answer showed them, and the present status, count as not given.
 * @throws ApiError for all faults of the body at once
 */
function readChanges(
  parts: CreateParts,
  body: PatchBody,
  stored: DataStreamDocument,
  state: StreamState,
): Changes {
  const reader = new FieldReader();
  const privacy = body.privacy === undefined ? stored.privacy : reader.privacy(body.privacy);
  const kind = body.data_stream_type ? reader.kind(body.data_stream_type) : stored.kind;
  const relation = body.relation_resolution ? reader.relation(body.relation_resolution) : stored.relation;
  const wish = body.status && !saysState(body.status, state) ? body.status : undefined;
  const desired = wish ? reader.desired(wish) : stored.desired;
  const given = isDeepStrictEqual(body.filters, stored.filters) ? undefined : body.filters;
  // If the type changes, the stream's filters must be valid for the new type, too.
  const kept = given === undefined && (kind ?? stored.kind) === stored.kind;
  const filters = kept ? stored.filters : reader.filters(given ?? stored.filters, kind ?? stored.kind);
  const destination =
    body.destination && !isAsShown(body.destination, stored)
      ? prepareDestination(parts, body.destination, reader, stored)
      : undefined;
  reader.members(body.delivery, '/delivery', Object.keys(Delivery.properties));
  onlyOnCreate(body, stored, reader);
  const type = destination?.type ?? parts.destinationTypes.get(stored.connectionType);
  if (type) mustCarry(type, kind, reader);
  if (!kind || !relation || !desired || reader.faults.length > 0) throw faultsToError(reader.faults);
  const { name, delivery, auto_restart: autoRestart } = body;
  const wished = wish !== undefined;
  return { name, kind, relation, desired, filters, destination, delivery, privacy, autoRestart, wished };
}

type MovedDestination = PreparedDestination & { readonly unchanged: false };

function isMoved(destination: PreparedDestination | undefined): destination is MovedDestination {
  return destination !== undefined && !destination.unchanged;
}

/**
 * Whether a status only repeats an answer. Error and Pending cannot be wished for: with its description such an id comes
 * from an answer, although the state may have passed on since; without it, it must be the present state.
 */
function saysState({ id, description }: GivenStatus, state: StreamState): boolean {
  if (Number(id) === STATUS_IDS[state] && (state === 'error' || state === 'pending')) return true;
  return (['error', 'pending'] as const).some(
    (each) => Number(id) === STATUS_IDS[each] && description === STATUS_DESCRIPTIONS[each],
  );
}

function applyChanges(
  { sealer }: CreateParts,
  stored: DataStreamDocument,
  changes: Changes,
  restarted: boolean,
): DataStreamDocument {
  const { name, destination, delivery: given, privacy, autoRestart, wished: _, ...others } = changes;
  const { name: storedName, takenOverBy, delivery: storedDelivery, privacy: _before, ...kept } = stored;
  const { autoRestart: storedRestart, ...rest } = kept;
  const delivery = changeDelivery(storedDelivery, given);
  const named = name === undefined ? storedName : name || undefined;
  const moved = isMoved(destination);
  const resumed = stored.desired === 'paused' && changes.desired === 'running';
  return {
    ...rest,
    ...(named === undefined ? {} : { name: named }),
    ...(delivery === undefined ? {} : { delivery }),
    ...(privacy === undefined ? {} : { privacy }),
    ...((autoRestart ?? storedRestart) ? { autoRestart: true } : {}),
    ...(takenOverBy === undefined || changes.desired === 'running' ? {} : { takenOverBy }),
    ...others,
    ...(moved ? destinationFields(destination, sealer, stored.organisationId, stored.id) : {}),
    generation: stored.generation + (moved || resumed || restarted ? 1 : 0),
  };
}

/** A stream changes its kind of records: the waiting records of the old kind count as filtered. */
export async function withFormerKind(
  { startPosition }: Pick<CreateParts, 'startPosition'>,
  stored: DataStreamDocument,
  changed: DataStreamDocument,
): Promise<DataStreamDocument> {
  if (changed.kind === stored.kind) return changed;
  const { former: before = [], ...rest } = changed;
  const former = before.filter(({ kind }) => kind !== stored.kind && kind !== changed.kind);
  const { partition, position } = await startPosition(stored.organisationId);
  // Elsewhere since the organisation got a parent: where the stream's own partition ends is not known here.
  if (partition === stored.partition) former.push({ kind: stored.kind, until: position.sequence });
  return former.length > 0 ? { ...rest, former } : rest;
}

/** Whether the same records go to the same place in the same form. */
function isSameWay(before: DataStreamDocument, after: DataStreamDocument): boolean {
  const way = ({ sealedCredentials, kind, relation, filters, privacy }: DataStreamDocument) => [
    sealedCredentials,
    kind,
    relation,
    filters,
    privacy,
  ];
  return isDeepStrictEqual(way(before), way(after));
}

/** The entries of the history that a change makes. */
function historyOf(
  before: DataStreamDocument,
  after: DataStreamDocument,
  { destination }: Changes,
  restarted: boolean,
): HistoryEntry[] {
  const entries: HistoryEntry[] = [];
  const state = after.desired;
  if (isMoved(destination)) {
    entries.push({ state, message: `The destination was changed: ${destination.configured.target}.` });
  }
  if (!isDeepStrictEqual(before.privacy, after.privacy)) {
    entries.push({ state, message: `The privacy of records was changed: ${privacyInWords(after.privacy)}.` });
  }
  if (before.desired === 'running' && after.desired === 'paused') entries.push({ state, message: 'Paused.' });
  else if (before.desired === 'paused' && after.desired === 'running')
    entries.push({ state, message: 'Resumed.' });
  else if (restarted && state === 'running' && entries.length === 0)
    entries.push({ state, message: 'Restarted.' });
  return entries;
}

function privacyInWords(privacy: RecordPrivacy | undefined): string {
  if (!privacy) return 'receivers get all fields';
  const { drop, hash } = privacy;
  const removed = drop.length > 0 ? [`without ${drop.join(', ')}`] : [];
  const hashed = hash.length > 0 ? [`with a hash in place of ${hash.join(', ')}`] : [];
  return [...removed, ...hashed].join('; ');
}

/** `POST /api/v2/data_stream/{id}/restart`: from Error, and harmless on a stream that runs. */
export async function restartDataStream(
  { registry, clock }: Pick<CreateParts, 'registry' | 'clock'>,
  { params: { id }, identity }: Request,
  mustBeKnown: MustBeKnown,
): Promise<Answer> {
  const { organisationId, actor } = identity;
  const changed = await changeStream(registry, organisationId, id, async (stored) => {
    mustBeKnown(stored);
    const { state } = streamStatus(stored, await findProgress(registry, stored));
    if (state === 'paused') {
      await mustNotBeTakenOver(registry, stored);
      const message = 'The data stream is paused: resume it with PATCH {"status": {"id": 1}}.';
      throw new ApiError('InvalidState', message);
    }
    if (state === 'pending') {
      throw new ApiError('InvalidState', 'The data stream is being started already; wait until it runs.');
    }
    return { ...stored, generation: stored.generation + 1, modified: timeOfChange(stored, clock.now()) };
  });
  const change = { at: clock.now(), state: 'running', message: 'Restarted.', actor } as const;
  await addStateChange(registry, organisationId, id, change);
  return { status: 202, headers: { etag: etagOf(changed) } };
}

/** Both would deliver the same records. Once the other one is deleted, this one may go on from its own place. */
async function mustNotBeTakenOver(registry: Registry, stored: DataStreamDocument): Promise<void> {
  const by = await successorOf(registry, stored);
  if (by === undefined) return;
  const message = `Data stream ${by} has taken over from this one: both would deliver the same records. Delete ${by} first.`;
  throw new ApiError('InvalidState', message);
}

/**
 * `DELETE /api/v2/data_stream/{id}`, in any state; a delivery in flight is cancelled. A stream whose place is being
 * handed over waits for that: it takes no longer than a delivery.
 */
export async function deleteDataStream(
  { registry, clock, forget }: Pick<CreateParts, 'registry' | 'clock' | 'forget'>,
  { params: { id }, identity: { organisationId } }: Request,
  mustBeKnown: MustBeKnown = () => {},
): Promise<Answer> {
  const { document } = await findStream(registry, organisationId, id);
  mustBeKnown(document);
  const by = document.takenOverBy && (await lookUpStream(registry, organisationId, document.takenOverBy));
  if (by && !(await findProgress(registry, by.document))) {
    const message = `Data stream ${by.document.id} is taking over from this one; try again in a moment.`;
    throw new ApiError('InvalidState', message);
  }
  if (by) await handOnPredecessors(registry, document, by.document.id);
  await removeStream(registry, organisationId, id, clock.now(), mustBeKnown);
  await forget?.(organisationId, id);
  return { status: 202 };
}
