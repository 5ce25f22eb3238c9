import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Clock } from '../lib/clock.ts';
import { createNatsLog } from '../log/nats.ts';
import { beginNatsPartition } from '../log/nats-begin.ts';
import { createSegmentedLog } from '../log/segments.ts';
import type { MigrationSource } from '../migrate/source.ts';
import type { MigrationTarget } from '../migrate/target.ts';
import { PREFIX } from '../node/storage-nats.ts';
import { createLmdbRegistry } from '../registry/lmdb.ts';
import { createNatsRegistry } from '../registry/nats.ts';
import { DISTRIBUTED_VERSION, openStoreVersion, readStoreVersion } from '../registry/store-version.ts';
import { LMDB_FILE, openLmdb } from '../storage/lmdb.ts';
import { type Nats, openNats } from '../storage/nats.ts';
import { VERSION } from '../version.ts';

type Closing = { close(): Promise<void> };

/** Reads and writes go to the store, not to a cache: otherwise reading a copy back would prove nothing. */
const recentBytes = 0;

/**
 * Opens an embedded storage and locks it, so a node that runs on it must be stopped first.
 * @throws Error that says what to do
 */
export async function openMigrationSource(
  config: Config,
  clock: Clock,
  fault: (message: string) => void,
): Promise<MigrationSource & Closing> {
  const { dataDir, partitions } = config;
  if (!existsSync(join(dataDir, LMDB_FILE)))
    throw new Error(`${dataDir} holds no storage of simstream (${LMDB_FILE})`);
  const lmdb = await openLmdb(dataDir, { clock });
  try {
    const { log, close } = await createSegmentedLog(lmdb, { partitions, clock, recentBytes, fault });
    const registry = createLmdbRegistry(lmdb);
    await readStoreVersion(registry);
    return { log, registry, close: () => close().then(() => lmdb.close()) };
  } catch (error) {
    await lmdb.close();
    throw error;
  }
}

/**
 * Opens the storage of distributed nodes, and creates it if it does not exist.
 * @returns undefined if it does not exist and `create` is false
 */
export async function openMigrationTarget(
  config: Config,
  clock: Clock,
  create: boolean,
): Promise<(MigrationTarget & Closing) | undefined> {
  const nats = await openNats({ servers: config.natsUrl, replicas: config.natsReplicas, clock });
  try {
    if (!create && !(await exists(nats))) {
      await nats.close();
      return undefined;
    }
    const { partitions, retention: retentionMs } = config;
    const registry = await createNatsRegistry(nats, { prefix: PREFIX });
    if (create)
      await openStoreVersion(registry, { program: VERSION, now: clock.now(), version: DISTRIBUTED_VERSION });
    else await readStoreVersion(registry);
    return {
      log: await createNatsLog(nats, { prefix: PREFIX, partitions, clock, retentionMs, recentBytes }),
      registry,
      nodes: await createNatsRegistry(nats, { prefix: `${PREFIX}-leases` }),
      mostBytes: nats.mostBytes,
      begin: (partition, sequence) => beginNatsPartition(nats, { prefix: PREFIX, partition, sequence }),
      close: () => nats.close(),
    };
  } catch (error) {
    await nats.close();
    throw error;
  }
}

/** Whether a node or a migration has ever used this storage. */
async function exists(nats: Nats): Promise<boolean> {
  const names = await nats.ask('its streams cannot be listed', () =>
    Array.fromAsync(nats.manager.streams.names()),
  );
  return names.some((name) => name.includes(`${PREFIX}-`));
}
