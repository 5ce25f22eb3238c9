import { ApiError } from '../../errors.ts';
import { noteChange } from '../../lib/call-cost.ts';
import {
  type DataStreamDocument,
  HISTORY,
  historyKey,
  PROGRESS,
  type ProgressDocument,
  progressKey,
  STREAM,
  type StateChange,
  streamKey,
} from '../../registry/data-stream.ts';
import type { Stored } from '../../registry/documents.ts';
import { type Registry, registryKey, type WriteOutcome } from '../../registry/registry.ts';

/** A data stream as it was read. */
export type StoredStream = Pick<Stored<DataStreamDocument>, 'document' | 'revision'>;

/** Ids that are given out: 8 lower-case hex digits. */
const ID = /^[0-9a-f]{8}$/;

/** How often a change is repeated because another writer was faster; more is a fault, not a race. */
const MOST_TRIES = 20;

/** @throws ApiError NotFound, whether the stream belongs to another organisation or does not exist */
export async function findStream(
  registry: Registry,
  organisationId: number,
  id: string,
): Promise<StoredStream> {
  const stored = await lookUpStream(registry, organisationId, id);
  if (!stored) throw notFound(id);
  return stored;
}

/** As findStream, for callers that go on without the stream. */
export async function lookUpStream(
  registry: Registry,
  organisationId: number,
  id: string,
): Promise<StoredStream | undefined> {
  return ID.test(id) ? STREAM.get(registry, streamKey(organisationId, id)) : undefined;
}

export async function findProgress(
  registry: Registry,
  stream: DataStreamDocument,
): Promise<ProgressDocument | undefined> {
  return (await PROGRESS.get(registry, progressKey(stream)))?.document;
}

/** All streams of an organisation, in no particular order. */
export async function listStreams(registry: Registry, organisationId: number): Promise<StoredStream[]> {
  return Array.fromAsync(STREAM.list(registry, organisationId));
}

/** Up to this many documents are read one by one; more are read in one listing of the organisation. */
const READ_ONE_BY_ONE = 10;

/** The engine's progress of an organisation's streams, by stream id. */
export async function listProgress(
  registry: Registry,
  streams: readonly StoredStream[],
): Promise<ReadonlyMap<string, ProgressDocument>> {
  const found = new Map<string, ProgressDocument>();
  if (streams.length <= READ_ONE_BY_ONE) {
    const read = async ({ document }: StoredStream) => {
      const progress = await findProgress(registry, document);
      if (progress) found.set(document.id, progress);
    };
    await Promise.all(streams.map(read));
    return found;
  }
  // All streams of an organisation lie in one partition; a set, in case that ever changes.
  const prefixes = new Set(
    streams.map(({ document: { partition, organisationId } }) => registryKey(partition, organisationId)),
  );
  for (const prefix of prefixes) {
    for await (const { key, document } of PROGRESS.list(registry, prefix)) {
      const [, , , id, job] = key.split('.');
      if (id && job === undefined) found.set(id, document);
    }
  }
  return found;
}

/**
 * Stores a new stream, its history first: the engine adds to the history as soon as it finds the stream.
 * @returns false if its id is taken
 */
export async function insertStream(
  registry: Registry,
  document: DataStreamDocument,
  first: StateChange,
): Promise<boolean> {
  const { organisationId, id } = document;
  const history = await HISTORY.put(registry, historyKey(organisationId, id), [first], 0);
  if (history.type === 'unavailable') throw unavailable(history);
  if (history.type === 'conflict') return false;
  const outcome = await STREAM.put(registry, streamKey(organisationId, id), document, 0);
  if (outcome.type === 'unavailable') throw unavailable(outcome);
  if (outcome.type === 'conflict') await registry.delete(historyKey(organisationId, id), history.revision);
  return outcome.type === 'stored';
}

/**
 * Changes a stream by compare-and-set: `change` gets the newest version, again if another writer was faster, and returns
 * the document to store; undefined stores nothing.
 * @returns the document as it is stored now
 * @throws ApiError NotFound when it was deleted meanwhile, Busy; and the errors of `change`
 */
export async function changeStream(
  registry: Registry,
  organisationId: number,
  id: string,
  change: (stored: DataStreamDocument) => Promise<DataStreamDocument | undefined>,
): Promise<DataStreamDocument> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const { document, revision } = await findStream(registry, organisationId, id);
    const changed = await change(document);
    if (!changed) return document;
    const outcome = await STREAM.put(registry, streamKey(organisationId, id), changed, revision);
    if (outcome.type === 'stored') {
      noteChange(ofInterest(document), ofInterest(changed));
      return changed;
    }
    if (outcome.type === 'unavailable') throw unavailable(outcome);
  }
  throw new ApiError(
    'InvalidState',
    `Data stream ${id} was changed by other calls at the same time; try again.`,
  );
}

/** A stream in the audit log: the settings of users, with secrets masked, and nothing that the engine writes. */
export function ofInterest(stream: DataStreamDocument): object {
  const { name, kind, relation, desired, filters, delivery, privacy, replays } = stream;
  const { connectionType: connection_type, format, target, maskedCredentials: credentials } = stream;
  const destination = { connection_type, format, target, credentials };
  return { name, kind, relation, desired, filters, delivery, privacy, replays, destination };
}

function notFound(id: string): ApiError {
  const shown = id.length > 64 ? `${id.slice(0, 64)}…` : id;
  return new ApiError('NotFound', `There is no data stream ${shown} in this organisation.`);
}

function unavailable({ cause }: Extract<WriteOutcome, { type: 'unavailable' }>): ApiError {
  const message = `It is not certain whether this was stored: ${cause}. Check before you send it again.`;
  return new ApiError('Busy', message, { retryAfter: 1 });
}
