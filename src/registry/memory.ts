import { createEmbeddedRegistry, type DocumentStore, type StoredDocument } from './embedded-registry.ts';
import type { Registry } from './registry.ts';

/** The documents of a memory registry; pass them to a second registry to simulate a restart. */
interface MemoryRegistryStorage {
  readonly documents: Map<string, StoredDocument>;
  lastRevision: number;
}

interface MemoryRegistryOptions {
  readonly storage?: MemoryRegistryStorage;
  /** Stands for the disk: a write is durable when this resolves, and `unavailable` when it rejects. */
  readonly sync?: () => Promise<void>;
}

export function memoryRegistryStorage(): MemoryRegistryStorage {
  return { documents: new Map(), lastRevision: 0 };
}

/** A registry in memory: nothing outlives `storage`. */
export function createMemoryRegistry(options: MemoryRegistryOptions = {}): Registry {
  return createEmbeddedRegistry(memoryStore(options.storage ?? memoryRegistryStorage(), options.sync));
}

function memoryStore(storage: MemoryRegistryStorage, sync?: () => Promise<void>): DocumentStore {
  const { documents } = storage;
  let sorted: string[] | undefined;

  const keys = () => {
    sorted ??= [...documents.keys()].sort();
    return sorted;
  };
  /** The position of the first key greater than `key`. */
  const positionAfter = (key: string) => {
    let low = 0;
    let high = keys().length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((keys()[middle] as string) > key) high = middle;
      else low = middle + 1;
    }
    return low;
  };

  return {
    get: (key) => documents.get(key),
    page: (after, end, most) => {
      const page: (StoredDocument & { key: string })[] = [];
      let bytes = 0;
      for (let at = positionAfter(after); page.length < most.documents && bytes < most.bytes; at++) {
        const key = keys()[at];
        if (key === undefined || key >= end) return { documents: page, more: false };
        const document = documents.get(key) as StoredDocument;
        page.push({ key, ...document });
        bytes += document.text.length;
      }
      return { documents: page, more: true };
    },
    lastRevision: () => storage.lastRevision,
    write: async (changes, lastRevision) => {
      await sync?.();
      for (const { key, text, revision } of changes) {
        if (text === undefined ? documents.delete(key) : !documents.has(key)) sorted = undefined;
        if (text !== undefined) documents.set(key, { text, revision });
      }
      storage.lastRevision = lastRevision;
    },
  };
}
