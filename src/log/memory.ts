import type { Clock } from '../lib/clock.ts';
import { type BlockStore, type RememberedRequest, requireSamePartitions } from './block-store.ts';
import { createEmbeddedLog } from './embedded-log.ts';
import type { RecordLog } from './log.ts';

/** The content of a memory log. Pass it to a second log to simulate a restart. */
interface MemoryLogStorage {
  readonly partitions: { first: number; blocks: (Uint8Array | undefined)[] }[];
  readonly requests: Map<string, RememberedRequest>;
}

interface MemoryLogOptions {
  /** From 1 on. */
  readonly partitions: number;
  readonly clock: Clock;
  readonly storage?: MemoryLogStorage;
  /** Simulates the disk: an append is durable when this resolves, and `unavailable` when it rejects. */
  readonly sync?: () => Promise<void>;
  readonly recentBytes?: number;
}

export function memoryLogStorage(): MemoryLogStorage {
  return { partitions: [], requests: new Map() };
}

/** A record log in memory. Nothing outlives `storage`. */
export function createMemoryLog(options: MemoryLogOptions): RecordLog {
  const { storage = memoryLogStorage(), partitions, clock, recentBytes } = options;
  const store = memoryStore(storage, partitions, options.sync);
  return createEmbeddedLog(store, recentBytes === undefined ? { clock } : { clock, recentBytes });
}

function memoryStore(storage: MemoryLogStorage, partitions: number, sync?: () => Promise<void>): BlockStore {
  const { partitions: stored, requests } = storage;
  if (stored.length === 0) for (let i = 0; i < partitions; i++) stored.push({ first: 1, blocks: [] });
  requireSamePartitions(stored.length, partitions);
  const at = (partition: number) => stored[partition] as MemoryLogStorage['partitions'][number];

  return {
    partitions,
    extent: (partition) => ({
      first: at(partition).first,
      next: at(partition).first + at(partition).blocks.length,
    }),
    write: async (blocks, remembered) => {
      await sync?.();
      for (const { partition, bytes } of blocks) at(partition).blocks.push(Uint8Array.from(bytes));
      for (const request of remembered) requests.set(request.key, request);
    },
    get: (partition, sequence) => at(partition).blocks[sequence - at(partition).first],
    remove: async (partition, before) => {
      const from = at(partition);
      from.blocks.splice(0, before - from.first);
      from.first = before;
    },
    request: (key) => requests.get(key),
    forgetRequests: async (time) => {
      for (const [key, request] of requests) if (request.at < time) requests.delete(key);
      return false;
    },
    bytes: () =>
      stored.reduce(
        (sum, { blocks }) => sum + blocks.reduce((all, block) => all + (block?.length ?? 0), 0),
        0,
      ),
  };
}
