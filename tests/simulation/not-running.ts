import type { DataStreamDocument } from '../../src/registry/data-stream.ts';
import { hasFate, verdictOf, verdicts } from './check.ts';
import type { Model, StreamModel } from './model.ts';
import type { Storage } from './storage.ts';

/**
 * Streams that are paused or in Error, and whose progress says that other records wait than those that do: by id, in words. Of a
 * stream whose present holder has not written its progress yet, or says that it still counts, nothing is known. Nor does anybody
 * count what arrives while no node holds the partition.
 * @param runs whether a node runs
 */
export function miscounted(
  model: Model,
  storage: Storage,
  now: number,
  runs: (node: string) => boolean,
): Map<string, string> {
  model.look();
  const found = new Map<string, string>();
  for (const stream of model.streams.values()) {
    const document = stream.wishes.at(-1)?.document;
    const { progress, deletedAt } = stream;
    if (!document || !progress || deletedAt !== undefined) continue;
    const { epoch, status, selecting, losing, pending } = progress;
    if (status.state !== 'paused' && status.state !== 'error') continue;
    if (epoch !== model.claimOf(document.partition) || selecting === '' || losing) continue;
    const holder = model.holderOf(document.partition);
    if (holder === undefined || !runs(holder)) continue;
    const { least, most } = waitingRecords(stream, document, model, storage, now);
    if (pending < least || pending > most)
      found.set(
        stream.id,
        `it is ${status.state}, ${least} to ${most} records wait, and ${pending} are shown`,
      );
  }
  return found;
}

function waitingRecords(
  stream: StreamModel,
  document: DataStreamDocument,
  model: Model,
  storage: Storage,
  now: number,
): { readonly least: number; readonly most: number } {
  const { cursor, done = [] } = stream.progress ?? {};
  let least = 0;
  let most = 0;
  for (const record of model.records.values()) {
    if (cursor && hasFate({ cursor, done }, record)) continue;
    const possible = verdicts(stream, record, now);
    // A filter of fields cannot judge damaged bytes: such a record passes, so that it is seen.
    if (possible.has('wanted') || (record.damaged && !possible.has('uncovered'))) most++;
    const isThere = !record.damaged && record.sequence >= storage.extent(record.partition).first;
    if (isThere && !possible.has('uncovered') && verdictOf(document, record) === 'wanted') least++;
  }
  // Records from before the last check wait for ever, and the model has forgotten them.
  return { least, most: document.takenOverBy === undefined ? most : Number.POSITIVE_INFINITY };
}
