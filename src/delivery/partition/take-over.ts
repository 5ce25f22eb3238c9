import { StoreUnavailable } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import {
  type DataStreamDocument,
  PROGRESS,
  type ProgressDocument,
  progressKey,
  STREAM,
  streamKey,
  takenOver,
  takenOverMessage,
} from '../../registry/data-stream.ts';
import type { Stored } from '../../registry/documents.ts';
import { addStateChange } from '../../registry/history.ts';
import type { Registry } from '../../registry/registry.ts';

/**
 * One data stream takes over from another of the same organisation and kind: it begins exactly where the other one ends.
 *
 *   asked → stopping → handed over
 *
 *   asked        the new stream's document names the old one (`continueFrom`), and the new stream has no progress
 *   stopping     the old stream's document names the new one (`takenOverBy`) and is paused; requests in flight end
 *   handed over  the new stream has progress: a copy of the old one's position
 *
 *  O1  The first progress of the new stream is written once, from the committed progress of the old stream when no
 *      request of it is in flight. That write is the hand-over: before it, only the old stream has delivered; after it,
 *      only the new one does.
 *  O2  Each step can be repeated. After a crash at any point the next holder of the partition goes on from the documents.
 *  O3  An old stream is taken over once. A second creation that reached the store at the same time is undone.
 *  O4  Records that were delivered, quarantined or expired beyond the cursor are part of the position: they are not
 *      delivered again.
 */
interface TakeOver {
  readonly registry: Registry;
  readonly clock: Clock;
  /** Of the holder's lease. */
  readonly epoch: number;
  /**
   * Whether the old stream has ended: paused by this revision of its document or a later one, with no request in
   * flight. Its progress is durable when this resolves with true.
   */
  ended(old: Stored<DataStreamDocument>): Promise<boolean>;
}

/** How often the old stream is checked, ms: a request of it may be in flight for as long as its destination takes. */
const LOOK_MS = 20;

export type TakenOver =
  /** The new stream has progress. */
  | { readonly type: 'handed_over' }
  /** The old stream is gone: the new one begins at its own `start`. */
  | { readonly type: 'none' }
  /** The new stream was removed, because another one took over before or by its owner. */
  | { readonly type: 'undone' };

/**
 * @param stream the new stream, which has no progress
 * @returns undefined when `stop` aborted
 * @throws StoreUnavailable
 */
export async function takeOver(
  parts: TakeOver,
  stream: DataStreamDocument,
  stop: AbortSignal,
): Promise<TakenOver | undefined> {
  const { registry, clock } = parts;
  while (!stop.aborted) {
    const old = await STREAM.get(registry, streamKey(stream.organisationId, stream.continueFrom as string));
    if (!old) return { type: 'none' };
    const { takenOverBy } = old.document;
    if (takenOverBy === stream.id) {
      if (await parts.ended(old)) return handOver(parts, old.document, stream);
      await clock.sleep(LOOK_MS, stop).catch(() => undefined);
    } else if (takenOverBy !== undefined && (await exists(registry, stream, takenOverBy))) {
      const outcome = await registry.delete(streamKey(stream.organisationId, stream.id));
      if (outcome.type === 'unavailable') throw new StoreUnavailable(outcome.cause);
      return { type: 'undone' };
    } else if (!(await exists(registry, stream, stream.id))) {
      // If it was deleted, and then the old one resumed, the old one stays resumed. If it is deleted later, the
      // resumption meets another revision.
      return { type: 'undone' };
    } else await pause(parts, old, stream);
  }
  return undefined;
}

async function exists(registry: Registry, { organisationId }: DataStreamDocument, id: string) {
  return (await STREAM.get(registry, streamKey(organisationId, id))) !== undefined;
}

/** A conflict needs no handling: the next look finds the document that the faster writer stored. */
async function pause(
  { registry, clock }: TakeOver,
  old: Stored<DataStreamDocument>,
  stream: DataStreamDocument,
): Promise<void> {
  const at = clock.now();
  const document = takenOver(old.document, stream.id, at);
  const outcome = await STREAM.put(registry, old.key, document, old.revision);
  if (outcome.type === 'unavailable') throw new StoreUnavailable(outcome.cause);
  if (outcome.type === 'conflict') return;
  const change = { at, state: 'paused', message: takenOverMessage(stream.id), actor: 'simstream' } as const;
  await addStateChange(registry, stream.organisationId, old.document.id, change);
}

/** O1, O4 */
async function handOver(
  { registry, clock, epoch }: TakeOver,
  old: DataStreamDocument,
  stream: DataStreamDocument,
): Promise<TakenOver> {
  const ended = (await PROGRESS.get(registry, progressKey(old)))?.document;
  if (!ended) return { type: 'none' };
  const { cursor, done, selecting, pending, waiting, waitingHours, countedTo, oldestPendingAt } = ended;
  const { losing, unreadableTo } = ended;
  const progress: ProgressDocument = {
    epoch,
    generation: stream.generation,
    status: { state: 'pending', message: 'The stream is being started.', since: clock.now() },
    cursor,
    detached: true,
    ...(done === undefined ? {} : { done }),
    ...(selecting === undefined ? {} : { selecting }),
    counters: { delivered: 0, filtered: 0, quarantined: 0, expired: 0 },
    pending,
    ...(waiting === undefined ? {} : { waiting }),
    ...(waitingHours === undefined ? {} : { waitingHours }),
    countedTo,
    oldestPendingAt,
    lastDeliveredAt: null,
    lastError: null,
    retrying: null,
    expiredHours: [],
    ...(losing === undefined ? {} : { losing }),
    ...(unreadableTo === undefined ? {} : { unreadableTo }),
  };
  const outcome = await PROGRESS.put(registry, progressKey(stream), progress, 0);
  if (outcome.type === 'unavailable') throw new StoreUnavailable(outcome.cause);
  // A conflict: an earlier holder, or an earlier try whose answer was lost, has written it.
  return { type: 'handed_over' };
}
