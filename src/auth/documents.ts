import { ApiError } from '../errors.ts';
import type { Random } from '../lib/clock.ts';
import type { DocumentKind } from '../registry/documents.ts';
import type { Registry, WriteOutcome } from '../registry/registry.ts';

/** Whether a write was stored; false means a conflict. @throws ApiError Busy if the registry cannot store it now */
export function wasStored(outcome: WriteOutcome): boolean {
  if (outcome.type === 'unavailable') {
    throw new ApiError('Busy', 'The registry cannot store this now; try again in a moment.', {
      retryAfter: 2,
    });
  }
  return outcome.type === 'stored';
}

/** Reads, changes and writes a document; repeats this if another write came in between. undefined if it does not exist. */
export async function changeDocument<T extends object>(
  kind: DocumentKind<T>,
  registry: Registry,
  key: string,
  change: (document: T) => T,
): Promise<T | undefined> {
  for (;;) {
    const stored = await kind.get(registry, key);
    if (!stored) return undefined;
    const changed = change(stored.document);
    if (wasStored(await kind.put(registry, key, changed, stored.revision))) return changed;
  }
}

/** An id that clients with 32-bit integers can hold; the caller makes sure that no document has it yet. */
export function randomId(random: Random): number {
  const bytes = Buffer.from(random.bytes(4));
  return (bytes.readUInt32LE() % (2 ** 31 - 1)) + 1;
}
