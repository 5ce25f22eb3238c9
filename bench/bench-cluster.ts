import { readFileSync } from 'node:fs';
import { systemClock } from '../src/lib/system-clock.ts';
import { partitionOf } from '../src/registry/organisation.ts';
import { type Nats, openNats } from '../src/storage/nats.ts';
import { createApiClient, usageWebhook } from '../tests/support/api-client.ts';
import { ClusterWorld } from '../tests/support/cluster-world.ts';
import { natsMissing } from '../tests/support/nats-server.ts';
import { type BenchNode, type BusyStream, createStream, NODE_ARGUMENTS, SECRET } from './bench-node.ts';
import { cpuTime } from './process-usage.ts';
import type { Rig, Shape } from './rig.ts';

/** The size of a cluster: simstream nodes on NATS servers, all on this machine. */
export interface Topology {
  readonly servers: number;
  readonly replicas: number;
  readonly nodes: number;
}

/** The default of SIMSTREAM_PARTITIONS. */
const PARTITIONS = 16;
const FIRST_ORGANISATION = 3_000_001;

/** @throws Error that says how to install NATS, when it is missing */
export async function startWorld(topology: Topology): Promise<ClusterWorld> {
  const missing = natsMissing();
  if (missing) throw new Error(missing);
  const world = new ClusterWorld({
    ...topology,
    partitions: PARTITIONS,
    environment: { SIMSTREAM_SECRET: SECRET },
    nodeArguments: NODE_ARGUMENTS,
  });
  try {
    await world.begin();
  } catch (error) {
    await world.end();
    throw error;
  }
  return world;
}

/** A node of the cluster as the bench's helpers take it. */
export function benchNode(world: ClusterWorld, index: number): BenchNode {
  const node = world.node(index);
  return { node, api: createApiClient(node.url), stop: () => world.drainNode(index) };
}

/** An organisation that was not used before and whose partition that node holds at the moment. */
async function organisationOf(world: ClusterWorld, holder: number): Promise<number> {
  const { nodes } = await world.view(holder);
  const { port } = world.node(holder);
  // A dead node may still be listed beside its replacement.
  const held = nodes.filter(({ name }) => name.endsWith(`:${port}`)).flatMap(({ partitions }) => partitions);
  for (let id = FIRST_ORGANISATION + given; ; id++) {
    given++;
    if (held.some(({ partition }) => partition === partitionOf(id, PARTITIONS))) return id;
    if (given > 10_000) throw new Error(`node ${holder} holds no partition`);
  }
}
let given = 0;

/** A stream that node `holder` delivers; its records are sent to node `ingest`. */
export async function createStreamOn(
  world: ClusterWorld,
  rig: Rig,
  { ingest, holder }: { ingest: number; holder: number },
): Promise<BusyStream> {
  const organisation = await organisationOf(world, holder);
  const sinkPath = `/cluster-${organisation}`;
  const body = usageWebhook('cluster', rig.sinkUrl + sinkPath);
  const stream = await createStream(benchNode(world, ingest), organisation, 'usage', body);
  return { ...stream, sinkPath };
}

export interface ClusterDrive {
  /** Time from the first request to the last delivery. */
  readonly recordsPerSecond: number;
  /** Microseconds of CPU per record: of all nodes, and of all NATS servers. */
  readonly nodeMicros: number;
  /** The part of the nodes' CPU in which JavaScript runs, on one core of each. */
  readonly mainMicros: number;
  readonly serverMicros: number;
  /** Bytes per record: taken by the log in one replica, received by all NATS servers, and written by them to disk. */
  readonly stored: number;
  readonly received: number;
  readonly written: number;
  readonly faults: readonly string[];
}

/** Loads every node at the same time, each from a rig of its own; another node delivers the load if there is one. */
export class ClusterLoad {
  readonly #world: ClusterWorld;
  readonly #nats: Nats;
  readonly #lines: readonly { readonly rig: Rig; readonly stream: BusyStream }[];

  constructor(world: ClusterWorld, nats: Nats, lines: readonly { rig: Rig; stream: BusyStream }[]) {
    this.#world = world;
    this.#nats = nats;
    this.#lines = lines;
  }

  static async begin(world: ClusterWorld, rigs: readonly Rig[]): Promise<ClusterLoad> {
    const count = world.urls.length;
    const lines: { rig: Rig; stream: BusyStream }[] = [];
    for (let ingest = 0; ingest < count; ingest++) {
      const rig = rigs[ingest] as Rig;
      const holder = (ingest + 1) % count;
      lines.push({ rig, stream: await createStreamOn(world, rig, { ingest, holder }) });
    }
    const nats = await openNats({ servers: world.nats.urls, replicas: 1, clock: systemClock });
    return new ClusterLoad(world, nats, lines);
  }

  async end(): Promise<void> {
    await this.#nats.close();
  }

  /** `shape.records` in total, spread over the nodes; `shape.connections` to each node. */
  async drive(shape: Shape): Promise<ClusterDrive> {
    const each = Math.ceil(shape.records / this.#lines.length / shape.batch) * shape.batch;
    const records = each * this.#lines.length;
    const loads = await Promise.all(
      this.#lines.map(async ({ rig, stream }) => ({
        rig,
        stream,
        load: rig.allot({ ...shape, records: each }, stream.target),
        delivered: await stream.delivered(),
      })),
    );
    const before = await this.#usage();
    const started: number[] = [];
    const arrived: number[] = [];
    const faults = await Promise.all(
      loads.map(async ({ rig, stream, load, delivered }) => {
        const drive = await rig.drive(load, stream.sinkPath, {
          started: () => started.push(performance.now()),
          arrived: () => arrived.push(performance.now()),
        });
        return [...drive.faults, ...(await stream.settled(delivered + each))];
      }),
    );
    const after = await this.#usage();
    const perRecord = (of: keyof typeof after) => (after[of] - before[of]) / records;
    return {
      recordsPerSecond: (records * 1_000) / (Math.max(...arrived) - Math.min(...started)),
      nodeMicros: perRecord('nodes'),
      mainMicros: perRecord('mainThreads'),
      serverMicros: perRecord('servers'),
      stored: perRecord('stored'),
      received: perRecord('received'),
      written: perRecord('written'),
      faults: faults.flat(),
    };
  }

  async #usage() {
    const servers = this.#world.nats.processIds();
    const nodes = this.#world.urls.map((_, index) => this.#world.node(index).pid);
    return {
      nodes: sum(nodes.map((pid) => cpuTime(pid).total)),
      mainThreads: sum(nodes.map((pid) => cpuTime(pid).main)),
      servers: sum(servers.map((pid) => cpuTime(pid).total)),
      received: sum(servers.map((pid) => bytesOf(pid).read)),
      written: sum(servers.map((pid) => bytesOf(pid).toDisk)),
      stored: await this.#stored(),
    };
  }

  async #stored(): Promise<number> {
    let bytes = 0;
    for await (const { config, state } of this.#nats.manager.streams.list()) {
      if (config.name.startsWith('simstream-log-')) bytes += state.bytes;
    }
    return bytes;
  }
}

/**
 * Bytes that a process read from sockets and files (a NATS server reads no files while followers keep up), and whole pages
 * that it changed on disk.
 */
function bytesOf(pid: number): { read: number; toDisk: number } {
  const text = readFileSync(`/proc/${pid}/io`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return { read: field('rchar'), toDisk: field('write_bytes') };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
