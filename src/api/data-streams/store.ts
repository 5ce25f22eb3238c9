import { quarantinePrefix } from '../../delivery/stream/quarantine.ts';
import { ApiError } from '../../errors.ts';
import {
  type DataStreamDocument,
  historyKey,
  type ProgressDocument,
  progressKey,
  type StateChange,
  streamKey,
} from '../../registry/data-stream.ts';
import { type Json, type Registry, registryKey, type WriteOutcome } from '../../registry/registry.ts';

/** A data stream as it was read; `revision` is what a change of it expects. */
export interface StoredStream {
  readonly document: DataStreamDocument;
  readonly revision: number;
}

/** Ids that are given out: 8 lower-case hex digits. */
const ID = /^[0-9a-f]{8}$/;

/** How often a change is begun anew because somebody else was faster; more is a fault, not a race. */
const MOST_TRIES = 20;

/** @throws ApiError NotFound, whether the stream belongs to somebody else or to nobody */
export async function findStream(
  registry: Registry,
  organisationId: number,
  id: string,
): Promise<StoredStream> {
  const entry = ID.test(id) ? await registry.get(streamKey(organisationId, id)) : undefined;
  if (!entry) throw notFound(id);
  return { document: entry.value as unknown as DataStreamDocument, revision: entry.revision };
}

export async function findProgress(
  registry: Registry,
  stream: DataStreamDocument,
): Promise<ProgressDocument | undefined> {
  return (await registry.get(progressKey(stream)))?.value as unknown as ProgressDocument | undefined;
}

/** All streams of an organisation, in no order that means anything. */
export async function listStreams(registry: Registry, organisationId: number): Promise<StoredStream[]> {
  const streams: StoredStream[] = [];
  for await (const { value, revision } of registry.list(registryKey('stream', organisationId))) {
    streams.push({ document: value as unknown as DataStreamDocument, revision });
  }
  return streams;
}

/** What the engine has told of an organisation's streams, by stream id. */
export async function listProgress(
  registry: Registry,
  streams: readonly StoredStream[],
): Promise<ReadonlyMap<string, ProgressDocument>> {
  const found = new Map<string, ProgressDocument>();
  // All streams of an organisation lie in one partition; a set, in case that ever changes.
  const prefixes = new Set(
    streams.map(({ document: { partition, organisationId } }) =>
      registryKey('progress', partition, organisationId),
    ),
  );
  for (const prefix of prefixes) {
    for await (const { key, value } of registry.list(prefix)) {
      found.set(key.slice(prefix.length + 1), value as unknown as ProgressDocument);
    }
  }
  return found;
}

/**
 * Stores a new stream. Its history is there first: the engine adds to it as soon as it finds the stream.
 * @returns false if its id is taken
 */
export async function insertStream(
  registry: Registry,
  document: DataStreamDocument,
  first: StateChange,
): Promise<boolean> {
  const { organisationId, id } = document;
  const history = await registry.put(historyKey(organisationId, id), [first] as unknown as Json, 0);
  if (history.type === 'unavailable') throw unavailable(history);
  if (history.type === 'conflict') return false;
  const outcome = await registry.put(streamKey(organisationId, id), json(document), 0);
  if (outcome.type === 'unavailable') throw unavailable(outcome);
  if (outcome.type === 'conflict') await registry.delete(historyKey(organisationId, id), history.revision);
  return outcome.type === 'stored';
}

/**
 * Changes a stream by compare-and-set: `change` gets the newest version, again if somebody else was faster, and gives
 * what to store; undefined stores nothing.
 * @throws ApiError NotFound when it is gone by then, Busy; and what `change` throws
 */
export async function changeStream(
  registry: Registry,
  organisationId: number,
  id: string,
  change: (stored: DataStreamDocument) => Promise<DataStreamDocument | undefined>,
): Promise<void> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const { document, revision } = await findStream(registry, organisationId, id);
    const changed = await change(document);
    if (!changed) return;
    const outcome = await registry.put(streamKey(organisationId, id), json(changed), revision);
    if (outcome.type === 'stored') return;
    if (outcome.type === 'unavailable') throw unavailable(outcome);
  }
  throw new ApiError('InvalidState', `Data stream ${id} is being changed by others all the time; try again.`);
}

/**
 * Removes a stream, then all that is known of it. Who deletes it first gets true, everybody else NotFound.
 * The stream goes first: the engine stops, and nobody sees a stream without its past.
 */
export async function removeStream(registry: Registry, organisationId: number, id: string): Promise<void> {
  for (;;) {
    const { document, revision } = await findStream(registry, organisationId, id);
    const outcome = await registry.delete(streamKey(organisationId, id), revision);
    if (outcome.type === 'unavailable') throw unavailable(outcome);
    if (outcome.type === 'conflict') continue;
    await registry.delete(progressKey(document));
    await registry.delete(historyKey(organisationId, id));
    for await (const { key } of registry.list(quarantinePrefix(organisationId, id)))
      await registry.delete(key);
    return;
  }
}

function notFound(id: string): ApiError {
  const shown = id.length > 64 ? `${id.slice(0, 64)}…` : id;
  return new ApiError('NotFound', `There is no data stream ${shown} in this organisation.`);
}

function unavailable({ cause }: Extract<WriteOutcome, { type: 'unavailable' }>): ApiError {
  return new ApiError('Busy', `Nothing was stored: ${cause}.`, { retryAfter: 1 });
}

function json(document: DataStreamDocument): Json {
  return document as unknown as Json;
}
