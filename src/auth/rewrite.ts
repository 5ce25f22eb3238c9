import type { Clock } from '../lib/clock.ts';
import type { DocumentKind, Stored } from '../registry/documents.ts';
import type { Registry } from '../registry/registry.ts';

interface RewriteParts {
  readonly registry: Registry;
  readonly clock: Clock;
}

/** Documents per round of read, change and write: a few hundred KiB, and one commit. */
const AT_ONCE = 200;
/** Pause after the storage refused a write, or another writer changed the same documents. */
const AGAIN_AFTER_MS = 10_000;

/**
 * Changes all documents of a kind. Several nodes may do this at the same time: the next round reads a document again that
 * another writer has changed.
 * @param change returns the changed document; undefined if nothing must change
 * @returns the number of written documents; undefined if `signal` aborted before the end
 */
export async function rewriteAll<T extends object>(
  { registry, clock }: RewriteParts,
  kind: DocumentKind<T>,
  change: (stored: Stored<T>) => T | undefined,
  signal: AbortSignal,
): Promise<number | undefined> {
  let written = 0;
  while (!signal.aborted) {
    let left = 0;
    for await (const batch of inBatches(kind.list(registry), AT_ONCE)) {
      if (signal.aborted) return undefined;
      const writes = batch.flatMap((stored) => {
        const changed = change(stored);
        return changed ? [kind.write(stored.key, changed, stored.revision)] : [];
      });
      if (writes.length === 0) continue;
      const outcomes = await registry.putMany(writes);
      const done = outcomes.filter(({ type }) => type === 'stored').length;
      written += done;
      left += outcomes.length - done;
    }
    if (left === 0) return written;
    await clock.sleep(AGAIN_AFTER_MS, signal).catch(() => {});
  }
  return undefined;
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
