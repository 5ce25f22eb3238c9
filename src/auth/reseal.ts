import type { Clock } from '../lib/clock.ts';
import { type DataStreamDocument, STREAM, streamKey } from '../registry/data-stream.ts';
import type { Stored } from '../registry/documents.ts';
import type { Registry, Write } from '../registry/registry.ts';
import type { Sealer } from './seal.ts';

/**
 * The second half of a change of the node's secret: what the previous secret sealed is sealed with the current one, so
 * that the previous one can be forgotten.
 */
interface ResealParts {
  readonly registry: Registry;
  readonly sealer: Sealer;
  readonly clock: Clock;
  /** Told once, when nothing is left to be done. */
  done(result: Resealed): void;
}

export interface Resealed {
  readonly sealed: number;
  /** `organisation/stream` of those that neither secret opens: their credentials have to be entered again. */
  readonly unreadable: readonly string[];
}

/** Documents that are read, sealed and written together: a few hundred KiB, and one commit. */
const AT_ONCE = 200;
/** When the storage does not take it, or others write the same documents. */
const AGAIN_AFTER_MS = 10_000;

/**
 * Seals all credentials again that were not sealed with the current secret. Nodes may do so at the same time: a stream
 * that somebody else wrote meanwhile is looked at anew. Resolves when all is done or `signal` aborts.
 */
export async function resealCredentials(parts: ResealParts, signal: AbortSignal): Promise<void> {
  const { registry, sealer, clock } = parts;
  let sealed = 0;
  while (!signal.aborted) {
    const unreadable: string[] = [];
    let left = 0;
    for await (const streams of inBatches(STREAM.list(registry), AT_ONCE)) {
      if (signal.aborted) return;
      const writes = streams.flatMap((stream) => resealed(stream, sealer, unreadable));
      if (writes.length === 0) continue;
      const outcomes = await registry.putMany(writes);
      const stored = outcomes.filter(({ type }) => type === 'stored').length;
      sealed += stored;
      left += outcomes.length - stored;
    }
    if (left === 0) return parts.done({ sealed, unreadable });
    await clock.sleep(AGAIN_AFTER_MS, signal).catch(() => {});
  }
}

function resealed(
  { key, document, revision }: Stored<DataStreamDocument>,
  sealer: Sealer,
  unreadable: string[],
): Write[] {
  if (sealer.isCurrent(document.sealedCredentials)) return [];
  const context = streamKey(document.organisationId, document.id);
  const opened = sealer.open(document.sealedCredentials, context);
  if (opened.type === 'fault') {
    unreadable.push(`${document.organisationId}/${document.id}`);
    return [];
  }
  const sealedCredentials = sealer.seal(opened.value, context);
  return [STREAM.write(key, { ...document, sealedCredentials }, revision)];
}

async function* inBatches<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<readonly T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
