import { wasStored } from '../../auth/documents.ts';
import { removeLedger } from '../../delivery/ledger/store.ts';
import { quarantinePrefix } from '../../delivery/quarantine/document.ts';
import { StoreUnavailable } from '../../errors.ts';
import { noteChange } from '../../lib/call-cost.ts';
import { type DataStreamDocument, historyKey, progressKey, streamKey } from '../../registry/data-stream.ts';
import { noticesKey } from '../../registry/notification.ts';
import type { Registry } from '../../registry/registry.ts';
import { REMOVAL, type RemovalDocument, removalKey } from '../../registry/removal.ts';
import { findStream, ofInterest } from './store.ts';

/**
 *   no removal → noted     the removal is stored; the stream exists
 *   noted → deleted        the stream is deleted: this is the answer to the caller
 *   deleted → no removal   everything that belonged to the stream is removed, and the removal last
 *
 * If the storage stops answering, or the node crashes, the stream still exists, or it is deleted. `finishRemovals`
 * removes the rest later.
 */

/** A removal whose stream still exists has failed: longer than any call to the storage, and than a node is suspended. */
const GIVEN_UP_MS = 3_600_000;

/**
 * Removes a stream, then everything that belongs to it. Only the first of several calls succeeds; the others get NotFound.
 * The stream goes first: the engine stops, and no reader sees a stream without its history.
 * @param now ms since the epoch
 * @param mayBeRemoved throws if the stream must stay, in the version in which it would be removed
 * @throws ApiError NotFound; Busy when the stream could not be deleted
 */
export async function removeStream(
  registry: Registry,
  organisationId: number,
  id: string,
  now: number,
  mayBeRemoved: (stored: DataStreamDocument) => void = () => {},
): Promise<void> {
  for (;;) {
    const { document, revision } = await findStream(registry, organisationId, id);
    mayBeRemoved(document);
    const removal = { partition: document.partition, organisationId, id, at: now };
    wasStored(await REMOVAL.put(registry, removalKey(removal), removal));
    if (!wasStored(await registry.delete(streamKey(organisationId, id), revision))) continue;
    noteChange(ofInterest(document), undefined);
    await removeRest(registry, removal, now);
    return;
  }
}

/**
 * Removes the rest of streams that were deleted while the storage stopped answering, or the node crashed.
 * @param now ms since the epoch
 * @throws StoreUnavailable
 */
export async function finishRemovals(registry: Registry, now: number): Promise<void> {
  for await (const { document: removal } of REMOVAL.list(registry)) {
    const isThere = await registry.get(streamKey(removal.organisationId, removal.id));
    if (!isThere) await removeRest(registry, removal, now);
    else if (now - removal.at > GIVEN_UP_MS) await registry.delete(removalKey(removal));
  }
}

/** Ends at the first write that the storage does not take. */
async function removeRest(registry: Registry, removal: RemovalDocument, now: number): Promise<void> {
  try {
    const { organisationId, id } = removal;
    const remove = async (key: string) => {
      const outcome = await registry.delete(key);
      if (outcome.type === 'unavailable') throw new StoreUnavailable(outcome.cause);
    };
    await remove(progressKey(removal));
    // Of the jobs that ran beside the live one.
    for await (const { key } of registry.list(progressKey(removal))) await remove(key);
    await remove(historyKey(organisationId, id));
    await remove(noticesKey(removal));
    for await (const { key } of registry.list(quarantinePrefix(organisationId, id))) await remove(key);
    await removeLedger(registry, removal, now);
    await remove(removalKey(removal));
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
  }
}
