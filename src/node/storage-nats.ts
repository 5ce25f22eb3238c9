import type { Config } from '../config/config.ts';
import { createClusterClock } from '../leases/cluster-clock.ts';
import type { NodeDescription } from '../leases/nodes.ts';
import { createSharedLeases } from '../leases/shared.ts';
import { createNatsLog } from '../log/nats.ts';
import { WATERMARK, watermarkKey } from '../registry/data-stream.ts';
import { createNatsRegistry } from '../registry/nats.ts';
import { openStoreVersion } from '../registry/store-version.ts';
import { openNats } from '../storage/nats.ts';
import { createNatsCalls } from '../storage/nats-calls.ts';
import type { NodeStorage, StorageParts } from './storage-port.ts';

/** Begins the names of streams, buckets and subjects. */
export const PREFIX = 'simstream';

/** Log, registry and leases on one connection to NATS, shared with other nodes. */
export async function openDistributed(
  config: Config,
  parts: StorageParts,
  node: NodeDescription,
): Promise<NodeStorage> {
  const { clock, telemetry, signal } = parts;
  const shared = createClusterClock(clock);
  const waiting = (message: string) => telemetry.platformFault({ component: 'nats', message });
  const { natsUrl: servers, natsReplicas: replicas } = config;
  const nats = await openNats({ servers, replicas, clock, waiting, signal, fault: waiting });
  try {
    const registry = await createNatsRegistry(nats, { prefix: PREFIX });
    const version = await openStoreVersion(registry, { program: node.version, now: clock.now() });
    const { partitions, retention } = config;
    const log = await createNatsLog(nats, {
      prefix: PREFIX,
      partitions,
      clock: shared,
      retentionMs: retention,
    });
    return {
      log,
      registry,
      leases: createSharedLeases({
        store: await createNatsRegistry(nats, { prefix: `${PREFIX}-leases` }),
        lastEpoch: async (partition) =>
          (await WATERMARK.get(registry, watermarkKey(partition)))?.document.epoch ?? 0,
        ...parts,
        shared,
        node,
        storageGone: () => nats.gone(),
      }),
      calls: createNatsCalls(nats, PREFIX),
      clock: shared,
      version,
      connected: () => nats.connected(),
      lost: undefined,
      close: () => nats.close(),
    };
  } catch (error) {
    await nats.close();
    throw error;
  }
}
