import type { Clock } from '../lib/clock.ts';
import type { Entry, Registry } from '../registry/registry.ts';

/** The delays of a registry of several servers, which one in memory does not have. */
export interface Sloth {
  /** How long the storage takes for each document that it lists, ms. */
  readonly listingMs?: (() => number) | undefined;
  /** Whether a read of this key still returns the document from before the last write, as R4 allows. */
  readonly readsLate?: ((key: string) => boolean) | undefined;
}

/** For tests: a registry as slow and as late as the port allows. It also affects methods that a test replaces on `registry`. */
export function slothful(registry: Registry, clock: Clock, { listingMs, readsLate }: Sloth): Registry {
  const shown = new Map<string, Entry | undefined>();
  async function* list(prefix: string): AsyncIterable<Entry> {
    for await (const entry of registry.list(prefix)) {
      if (listingMs) await clock.sleep(listingMs());
      yield entry;
    }
  }
  const get = async (key: string) => {
    if (readsLate?.(key)) return shown.get(key);
    const entry = await registry.get(key);
    shown.set(key, entry);
    return entry;
  };
  return Object.assign(Object.create(registry), { list, get });
}
