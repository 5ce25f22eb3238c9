import type { Clock } from '../../lib/clock.ts';
import {
  type DataStreamDocument,
  PROGRESS,
  type ProgressDocument,
  progressKey,
  STREAM,
  streamKey,
} from '../../registry/data-stream.ts';
import type { Registry } from '../../registry/registry.ts';

/** The registry's documents of a data stream. */
export interface StreamDocuments {
  readonly document: DataStreamDocument;
  readonly revision: number;
  /** undefined: it never ran. */
  readonly progress: ProgressDocument | undefined;
  readonly progressRevision: number;
  /** See `isOvertaken`. */
  readonly overtaken?: boolean;
}

/** Nine milliseconds is the longest that was measured, on a machine with more work than cores. */
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 1_000;
/**
 * For this long the watcher counts, and not the storage's leader. On NATS the watcher may have read a replica whose
 * sequences differ from the leader's: then the revision that it reported never comes. This is longer than such a
 * watcher takes to notice.
 */
const BELIEVED_MS = 15_000;

/**
 * Reads the documents of a data stream, none older than what a watcher reported (R4 of registry.ts). An older document
 * would deliver the stream to its previous destination until its next change. After `BELIEVED_MS` the document of the
 * storage counts as the one that the watcher reported.
 * @param known the newest revision of the stream's document that a watcher reported; undefined once it reported the deletion
 * @returns undefined when the stream was deleted, or `stop` aborted
 * @throws StoreUnavailable
 */
export async function readStreamDocuments(
  registry: Registry,
  clock: Clock,
  stream: Parameters<typeof progressKey>[0],
  known: () => number | undefined,
  stop: AbortSignal,
): Promise<StreamDocuments | undefined> {
  const begun = clock.monotonic();
  for (let pause = FIRST_PAUSE_MS; !stop.aborted; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    const key = streamKey(stream.organisationId, stream.id);
    const [stored, progress] = await Promise.all([
      STREAM.get(registry, key),
      PROGRESS.get(registry, progressKey(stream)),
    ]);
    // The deletion of a stream removes its document before its progress. So a stream that still has its document, but
    // no progress, has not run yet.
    const isThere = stored && (progress || (await STREAM.get(registry, key)));
    const newest = known();
    if (newest === undefined) return undefined;
    const isBelieved = clock.monotonic() - begun < BELIEVED_MS;
    if (stored && isThere && (stored.revision >= newest || !isBelieved)) {
      return {
        document: stored.document,
        revision: Math.max(stored.revision, newest),
        progress: progress?.document,
        progressRevision: progress?.revision ?? 0,
      };
    }
    await clock.sleep(pause, stop).catch(() => undefined);
  }
  return undefined;
}
