import { ApiError } from '../errors.ts';
import type { Random } from '../lib/clock.ts';
import type { Entry, Json, Registry, WriteOutcome } from '../registry/registry.ts';

/** Whether a write was stored; false is a conflict. @throws ApiError Busy where the registry cannot take it now */
export function wasStored(outcome: WriteOutcome): boolean {
  if (outcome.type === 'unavailable') {
    throw new ApiError('Busy', 'The registry cannot store this now; try again in a moment.', {
      retryAfter: 2,
    });
  }
  return outcome.type === 'stored';
}

/** Reads, changes and writes a document until nobody came in between; undefined if there is none. */
export async function changeDocument<T extends object>(
  registry: Registry,
  key: string,
  change: (document: T) => T,
): Promise<T | undefined> {
  for (;;) {
    const entry = await registry.get(key);
    if (!entry) return undefined;
    const changed = change(documentOf<T>(entry));
    if (wasStored(await registry.put(key, jsonOf(changed), entry.revision))) return changed;
  }
}

/** The document of an entry: the folder that owns the key is the only one that writes it. */
export function documentOf<T extends object>(entry: Entry): T {
  return entry.value as unknown as T;
}

export function jsonOf(document: object): Json {
  return document as unknown as Json;
}

/** An id that clients with 32-bit integers can hold; whoever stores a document under it makes sure that it is free. */
export function randomId(random: Random): number {
  const bytes = Buffer.from(random.bytes(4));
  return (bytes.readUInt32LE() % (2 ** 31 - 1)) + 1;
}
