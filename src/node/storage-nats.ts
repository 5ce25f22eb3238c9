import type { Config } from '../config/config.ts';
import { createClusterClock } from '../leases/cluster-clock.ts';
import type { NodeDescription, NodesSnapshot } from '../leases/nodes.ts';
import { createSharedLeases } from '../leases/shared.ts';
import { createNatsLog } from '../log/nats.ts';
import { STREAM, WATERMARK, watermarkKey } from '../registry/data-stream.ts';
import { createNatsRegistry } from '../registry/nats.ts';
import type { Registry } from '../registry/registry.ts';
import { DISTRIBUTED_VERSION, openStoreVersion } from '../registry/store-version.ts';
import { openNats } from '../storage/nats.ts';
import { createNatsCalls } from '../storage/nats-calls.ts';
import { guardReplicas } from '../storage/nats-guard.ts';
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
    const version = await openStoreVersion(registry, {
      program: node.version,
      now: clock.now(),
      version: DISTRIBUTED_VERSION,
    });
    const { partitions, retention } = config;
    // Each new stream waits for an election, and none of them for another.
    const [log, store] = await Promise.all([
      createNatsLog(nats, {
        ...{ prefix: PREFIX, partitions, clock: shared, retentionMs: retention },
        beginsAt: afterWatermark(registry),
        report: waiting,
      }),
      createNatsRegistry(nats, { prefix: `${PREFIX}-leases` }),
    ]);
    const leases = createSharedLeases({
      store,
      lastEpoch: async (partition) =>
        (await WATERMARK.get(registry, watermarkKey(partition)))?.document.epoch ?? 0,
      // The oldest block: the newest ones are in memory.
      answers: (partition) =>
        Promise.all([
          WATERMARK.get(registry, watermarkKey(partition)),
          log.read(partition, 1, { blocks: 1, bytes: 1 }),
        ]),
      ...parts,
      shared,
      node,
      storageGone: () => nats.gone(),
      caughtUp: () => registry.caughtUp(STREAM.prefix),
    });
    const closing = new AbortController();
    const guarding = guardReplicas(
      nats,
      { prefix: PREFIX, isInCharge: () => isFirst(leases.nodes.snapshot()), report: waiting },
      closing.signal,
    );
    return {
      log,
      registry,
      leases,
      calls: createNatsCalls(nats, PREFIX),
      clock: shared,
      version,
      connected: () => nats.connected(),
      lost: undefined,
      close: async () => {
        closing.abort();
        await nats.close();
        await guarding;
      },
    };
  } catch (error) {
    await nats.close();
    throw error;
  }
}

/** The blocks before a partition's watermark were given already. Of a new installation nothing is known, and one question says so. */
function afterWatermark(registry: Registry) {
  let known: Promise<ReadonlyMap<string, number>> | undefined;
  const read = async () => {
    const sequences = new Map<string, number>();
    for await (const { key, document } of WATERMARK.list(registry)) sequences.set(key, document.sequence);
    return sequences;
  };
  return async (partition: number): Promise<number> => {
    known ??= read();
    return (await known).get(watermarkKey(partition)) ?? 1;
  };
}

/** One of the nodes that are alive looks after what they share: the first by name. */
function isFirst({ nodes, quorum }: NodesSnapshot): boolean {
  return quorum && nodes.find(({ state }) => state === 'alive')?.self === true;
}
