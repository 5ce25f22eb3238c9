import { ApiError } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { comparePositions, type Position } from '../../log/log.ts';
import { KINDS, type RecordKind } from '../../records/kinds.ts';
import {
  type DataStreamDocument,
  takenOver,
  takenOverMessage,
  WATERMARK,
  watermarkKey,
} from '../../registry/data-stream.ts';
import { addStateChange } from '../../registry/history.ts';
import type { Registry } from '../../registry/registry.ts';
import type { FieldReader } from './body.ts';
import { removeStream } from './removal.ts';
import { changeStream, findProgress, listStreams, lookUpStream } from './store.ts';

/**
 * The API's part of `continue_from`. It stores the new stream, then pauses the old one; the holder of the partition hands the
 * place over, and does all of this if the API does not come to it: see delivery/partition/take-over.ts.
 */
interface TakeOverParts {
  readonly registry: Registry;
  readonly clock: Clock;
  startPosition(organisationId: number): Promise<{ readonly partition: number }>;
}

/**
 * The stream that a new one takes over from; undefined when it names none.
 * @throws ApiError InvalidReference, NotAllowed or InvalidState when it cannot be taken over
 */
export async function findPredecessor(
  { registry, startPosition }: TakeOverParts,
  organisationId: number,
  { continueFrom: id, kind }: { readonly continueFrom: string | undefined; readonly kind: RecordKind },
): Promise<DataStreamDocument | undefined> {
  if (id === undefined) return undefined;
  const old = (await lookUpStream(registry, organisationId, id))?.document;
  if (!old) throw notThere(id);
  if (old.kind !== kind) {
    const message = `/continue_from: data stream ${id} delivers ${KINDS[old.kind].words}, and the new one ${KINDS[kind].words}.`;
    throw new ApiError('NotAllowed', message);
  }
  const successor = await successorOf(registry, old);
  if (successor !== undefined) throw takenAlready(id, successor);
  if (old.partition !== (await startPosition(organisationId)).partition) {
    const message = `Data stream ${id} was created before the organisation got its parent: it cannot be taken over.`;
    throw new ApiError('InvalidState', message);
  }
  return old;
}

/**
 * The committed position of a stream: a new one begins there if the old one is deleted before the hand-over.
 * @throws ApiError InvalidReference when it has been deleted by now
 */
export async function placeOf(
  registry: Registry,
  old: DataStreamDocument,
): Promise<{ readonly partition: number; readonly position: Position }> {
  const { partition } = old;
  const progress = await findProgress(registry, old);
  // The deletion of a stream removes its document before its progress: its position is not known any more.
  if (!progress && !(await lookUpStream(registry, old.organisationId, old.id))) throw notThere(old.id);
  if (!progress || progress.detached) return { partition, position: progress?.cursor ?? old.start };
  const watermark = await WATERMARK.get(registry, watermarkKey(partition));
  const attached = { sequence: watermark?.document.sequence ?? 0, index: 0 };
  const later = comparePositions(attached, progress.cursor) > 0;
  return { partition, position: later ? attached : progress.cursor };
}

function notThere(id: string): ApiError {
  const message = `/continue_from: there is no data stream ${id} in this organisation.`;
  return new ApiError('InvalidReference', message);
}

/**
 * Pauses the old stream for the new one, which is stored.
 * @throws ApiError InvalidState when another stream was faster; the new one is removed then
 */
export async function endPredecessor(
  { registry, clock }: TakeOverParts,
  { organisationId, id, continueFrom }: DataStreamDocument,
  actor: string,
): Promise<void> {
  const at = clock.now();
  let paused = false;
  let faster: string | undefined;
  try {
    await changeStream(registry, organisationId, continueFrom as string, async (old) => {
      paused = false;
      // The engine may have been faster than this call.
      if (old.takenOverBy === id) return undefined;
      faster = await successorOf(registry, old);
      if (faster !== undefined) return undefined;
      paused = true;
      return takenOver(old, id, at);
    });
  } catch (error) {
    // It was deleted meanwhile: the new one begins at the last known position of the old one.
    if (!(error instanceof ApiError) || error.token !== 'NotFound') throw error;
  }
  if (faster !== undefined) {
    await removeStream(registry, organisationId, id, at);
    throw takenAlready(continueFrom as string, faster);
  }
  if (!paused) return;
  const change = { at, state: 'paused', message: takenOverMessage(id), actor } as const;
  await addStateChange(registry, organisationId, continueFrom as string, change);
}

/**
 * Before a stream is removed that another one has taken over: what it had taken over from itself must not deliver the records
 * again that its successor delivers.
 */
export async function handOnPredecessors(
  registry: Registry,
  { organisationId, id }: DataStreamDocument,
  successor: string,
): Promise<void> {
  for (const { document } of await listStreams(registry, organisationId)) {
    if (document.takenOverBy !== id) continue;
    try {
      await changeStream(registry, organisationId, document.id, async (stored) =>
        stored.takenOverBy === id ? { ...stored, takenOverBy: successor } : undefined,
      );
    } catch (error) {
      if (!(error instanceof ApiError) || error.token !== 'NotFound') throw error;
    }
  }
}

/** The start of a stream has no meaning later; answers show `continue_from`, so a change may repeat it. */
export function onlyOnCreate(body: object, { continueFrom }: DataStreamDocument, reader: FieldReader): void {
  const { start_from, continue_from } = body as {
    readonly start_from?: unknown;
    readonly continue_from?: unknown;
  };
  if (start_from !== undefined)
    reader.fault('NotAllowed', '/start_from', 'is for a new data stream; a replay delivers older records');
  if (continue_from !== undefined && continue_from !== continueFrom)
    reader.fault('NotAllowed', '/continue_from', 'is for a new data stream, which takes over from another');
}

/** The stream that took over from this one, unless it was deleted since. */
export async function successorOf(
  registry: Registry,
  { organisationId, takenOverBy }: DataStreamDocument,
): Promise<string | undefined> {
  if (takenOverBy === undefined) return undefined;
  return (await lookUpStream(registry, organisationId, takenOverBy)) ? takenOverBy : undefined;
}

function takenAlready(id: string, by: string): ApiError {
  return new ApiError(
    'InvalidState',
    `Data stream ${by} has taken over from ${id} already: use {"continue_from": "${by}"}.`,
  );
}
