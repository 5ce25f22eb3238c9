import type { Config } from './config.ts';
import { embeddedLeases } from './delivery/leases-embedded.ts';
import type { Clock } from './lib/clock.ts';
import { createNatsLog } from './log/nats.ts';
import type { NodeStorage } from './node-storage.ts';
import { createNatsRegistry } from './registry/nats.ts';
import { openNats } from './storage/nats.ts';
import { createNatsCalls } from './storage/nats-calls.ts';

/** Log, registry and leases on one connection to NATS, shared with other nodes. */
export async function openDistributed(config: Config, clock: Clock): Promise<NodeStorage> {
  const nats = await openNats({ servers: config.natsUrl, replicas: config.natsReplicas, clock });
  try {
    const registry = await createNatsRegistry(nats);
    const { partitions, retention } = config;
    const log = await createNatsLog(nats, { partitions, clock, retentionMs: retention });
    return {
      log,
      registry,
      leases: embeddedLeases(registry),
      calls: createNatsCalls(nats),
      close: () => nats.close(),
    };
  } catch (error) {
    await nats.close();
    throw error;
  }
}
