import { hostname } from 'node:os';
import type { Config } from '../config/config.ts';
import { embeddedLeases } from '../leases/embedded.ts';
import type { Leases } from '../leases/leases.ts';
import { type NodeCalls, noCalls } from '../leases/node-calls.ts';
import type { LeaseTelemetry, NodeDescription, Nodes } from '../leases/nodes.ts';
import type { Clock, Random } from '../lib/clock.ts';
import { createLmdbLog } from '../log/lmdb.ts';
import type { RecordLog } from '../log/log.ts';
import { createLmdbRegistry } from '../registry/lmdb.ts';
import type { Registry } from '../registry/registry.ts';
import { openLmdb } from '../storage/lmdb.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { VERSION } from '../version.ts';

/** Where log, registry and leases live, and how nodes hear of each other: all that differs between the two modes. */
export interface NodeStorage {
  readonly log: RecordLog;
  readonly registry: Registry;
  readonly leases: Leases & { readonly nodes: Nodes };
  readonly calls: NodeCalls;
  /** Whether there is a way to the storage, without asking it. */
  connected(): boolean;
  close(): Promise<void>;
}

export interface StorageParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly telemetry: LeaseTelemetry & Pick<Telemetry, 'platformFault'>;
  /** Ends waiting for a storage that is away. */
  readonly signal: AbortSignal;
}

/** A node's name is where it listens: people recognise it, and a restarted node has it again. */
function describeNode(config: Config): NodeDescription {
  return { name: `${hostname()}:${config.port}`, version: VERSION };
}

/**
 * Opens the storage that the configuration names.
 * @throws Error that says what to do, when it cannot be opened
 */
export async function openStorage(config: Config, parts: StorageParts): Promise<NodeStorage> {
  if (config.natsUrl.length === 0) return openEmbedded(config, parts);
  // A node that has its storage to itself does not pay for the client.
  const { openDistributed } = await import('./storage-nats.ts');
  return openDistributed(config, parts, describeNode(config));
}

async function openEmbedded(config: Config, { clock, telemetry }: StorageParts): Promise<NodeStorage> {
  const lmdb = await openLmdb(config.dataDir, { clock });
  try {
    const registry = createLmdbRegistry(lmdb);
    const log = await createLmdbLog(lmdb, { partitions: config.partitions, clock });
    const leases = embeddedLeases(registry, { clock, telemetry, node: describeNode(config) });
    return {
      log,
      registry,
      leases,
      calls: noCalls,
      connected: () => true,
      close: () => lmdb.close(),
    };
  } catch (error) {
    await lmdb.close();
    throw error;
  }
}
