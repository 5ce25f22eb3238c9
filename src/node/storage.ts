import { hostname } from 'node:os';
import type { Config } from '../config/config.ts';
import { embeddedLeases } from '../leases/embedded.ts';
import { noCalls } from '../leases/node-calls.ts';
import type { NodeDescription } from '../leases/nodes.ts';
import { createSegmentedLog } from '../log/segments.ts';
import { createLmdbRegistry } from '../registry/lmdb.ts';
import { openStoreVersion } from '../registry/store-version.ts';
import { openLmdb } from '../storage/lmdb.ts';
import { VERSION } from '../version.ts';
import type { NodeStorage, StorageParts } from './storage-port.ts';

/** A node's name is the address that it listens on: people recognise it, and a restarted node gets it again. */
function describeNode(config: Config): NodeDescription {
  return { name: `${hostname()}:${config.port}`, version: VERSION };
}

/**
 * Opens the storage that the configuration names.
 * @throws Error that says what to do, when it cannot be opened
 */
export async function openStorage(config: Config, parts: StorageParts): Promise<NodeStorage> {
  if (config.natsUrl.length === 0) return openEmbedded(config, parts);
  // A node with embedded storage does not load the NATS client.
  const { openDistributed } = await import('./storage-nats.ts');
  return openDistributed(config, parts, describeNode(config));
}

async function openEmbedded(config: Config, { clock, telemetry }: StorageParts): Promise<NodeStorage> {
  const lmdb = await openLmdb(config.dataDir, { clock });
  try {
    const registry = createLmdbRegistry(lmdb);
    const version = await openStoreVersion(registry, { program: VERSION, now: clock.now() });
    const fault = (message: string) => telemetry.platformFault({ component: 'log', message });
    const segmented = await createSegmentedLog(lmdb, { partitions: config.partitions, clock, fault });
    const leases = embeddedLeases(registry, { clock, telemetry, node: describeNode(config) });
    return {
      log: segmented.log,
      registry,
      leases,
      calls: noCalls,
      clock,
      version,
      connected: () => true,
      lost: Promise.race([lmdb.lost, segmented.watch()]),
      close: async () => {
        await segmented.close();
        await lmdb.close();
      },
    };
  } catch (error) {
    await lmdb.close();
    throw error;
  }
}
