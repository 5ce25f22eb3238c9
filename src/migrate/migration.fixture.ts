import type { Clock } from '../lib/clock.ts';
import type { NewBlock, RecordLog } from '../log/log.ts';
import { createMemoryLog, memoryLogStorage } from '../log/memory.ts';
import { createMemoryRegistry, memoryRegistryStorage } from '../registry/memory.ts';
import type { Registry, Write } from '../registry/registry.ts';
import { type MigrationContext, type MigrationOutcome, migrate } from './migrate.ts';
import type { MigrationSource } from './source.ts';
import type { MigrationTarget } from './target.ts';

/** What a killed process throws from the middle of a call. */
class Killed extends Error {}

/**
 * A target in memory that outlives the processes that write to it. A write to it is a step; at the step `killAt` the
 * process dies: before anything of it is stored, after a part, or after all of it, as `killAt` modulo 3 says.
 */
export class TestTarget {
  readonly #clock: Clock;
  readonly #logStorage = memoryLogStorage();
  readonly #registryStorage = memoryRegistryStorage();
  readonly #partitions: number;
  readonly mostBytes: number;
  steps = 0;
  killAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, partitions: number, mostBytes = Number.MAX_SAFE_INTEGER) {
    this.#clock = clock;
    this.#partitions = partitions;
    this.mostBytes = mostBytes;
    this.log();
  }

  log(): RecordLog {
    return createMemoryLog({
      clock: this.#clock,
      partitions: this.#partitions,
      storage: this.#logStorage,
      recentBytes: 0,
    });
  }

  registry(): Registry {
    return createMemoryRegistry({ storage: this.#registryStorage });
  }

  /** As a process opens it. */
  open(): MigrationTarget {
    let log = this.log();
    const registry = this.registry();
    const step = async <T>(
      whole: () => Promise<T>,
      part: () => Promise<unknown> = async () => {},
    ): Promise<T> => {
      this.steps++;
      if (this.steps > this.killAt) throw new Killed();
      if (this.steps < this.killAt) return whole();
      if (this.killAt % 3 === 1) await part();
      if (this.killAt % 3 === 2) await whole();
      throw new Killed();
    };
    return {
      mostBytes: this.mostBytes,
      nodes: registry,
      begin: (partition, sequence) =>
        step(async () => {
          Object.assign(this.#logStorage.partitions[partition] as object, { first: sequence });
          log = this.log();
        }),
      log: {
        partitions: this.#partitions,
        atomic: false,
        extent: (partition) => log.extent(partition),
        read: (...given) => log.read(...given),
        seek: (...given) => log.seek(...given),
        follow: (...given) => log.follow(...given),
        trim: (...given) => log.trim(...given),
        usage: () => log.usage(),
        append: (blocks: readonly NewBlock[], options) =>
          step(
            () => log.append(blocks, options),
            () => log.append(blocks.slice(0, Math.ceil(blocks.length / 2))),
          ),
      },
      registry: {
        watchIsCurrent: false,
        get: (key) => registry.get(key),
        list: (prefix) => registry.list(prefix),
        watch: (...given) => registry.watch(...given),
        put: (...given) => step(() => registry.put(...given)),
        delete: (...given) => step(() => registry.delete(...given)),
        putMany: (writes: readonly Write[]) =>
          step(
            () => registry.putMany(writes),
            () => registry.putMany(writes.slice(0, Math.ceil(writes.length / 2))),
          ),
      },
    };
  }
}

interface RunOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  readonly context?: Partial<MigrationContext>;
}

/** One process that migrates. `killed`: it ended in the middle. */
export async function runMigration(
  source: MigrationSource,
  target: TestTarget,
  { clock, signal = new AbortController().signal, context = {} }: RunOptions,
): Promise<MigrationOutcome | { readonly type: 'killed' }> {
  try {
    return await migrate(
      {
        source,
        target: target.open(),
        clock,
        retentionMs: 7 * 86_400_000,
        opens: () => undefined,
        newId: () => 'the-source',
        progress: { advanced: () => {}, waiting: () => {} },
        ...context,
      },
      signal,
    );
  } catch (error) {
    if (error instanceof Killed) return { type: 'killed' };
    throw error;
  }
}
