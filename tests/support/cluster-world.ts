import { randomBytes } from 'node:crypto';
import { shareOut } from '../../src/leases/rendezvous.ts';
import { systemClock } from '../../src/lib/system-clock.ts';
import { type Nats, openNats } from '../../src/storage/nats.ts';
import { createApiClient } from './api-client.ts';
import { freePorts } from './free-port.ts';
import type { Place } from './host-network.ts';
import { type NatsServers, startNats } from './nats-server.ts';
import { type NodeProcess, OPERATOR_TOKEN, startNode } from './node-process.ts';
import { removeDirectory, temporaryDirectory } from './owned.ts';
import { waitFor } from './wait-for.ts';

interface ClusterOptions {
  readonly nodes: number;
  readonly servers: number;
  readonly replicas: number;
  readonly partitions: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** Where each node and each server runs; default: this machine, on loopback. */
  readonly places?: { readonly nodes: readonly Place[]; readonly servers: readonly Place[] };
  /** More lines of the servers' configuration. */
  readonly natsConfiguration?: string;
  /** Options for the nodes' own Node.js. */
  readonly nodeArguments?: readonly string[];
}

/** What `GET /operator/v1/nodes` says, as far as tests look at it. */
interface ClusterView {
  readonly nodes: readonly {
    readonly name: string;
    readonly session: string;
    readonly state: string;
    readonly partitions: readonly { readonly partition: number }[];
  }[];
}

/** A node that starts on a machine with twenty processes for each core. */
const READY_WITHIN_MS = 180_000;
const CALM_WITHIN_MS = 120_000;
const ASK_EVERY_MS = 50;

/** A cluster of nodes and NATS servers as processes on this machine, to be broken and mended one at a time. */
export class ClusterWorld {
  readonly #options: ClusterOptions;
  readonly #nodes: (NodeProcess | undefined)[] = [];
  #ports: number[] = [];
  readonly #directories: string[] = [];
  readonly #secret = randomBytes(32).toString('base64');
  #nats: NatsServers | undefined;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** URLs of the nodes that have not been killed; a stopped one is among them. */
  get urls(): string[] {
    return this.#nodes.flatMap((node) => node?.url ?? []);
  }

  get nats(): NatsServers {
    if (!this.#nats) throw new Error('the cluster has not begun');
    return this.#nats;
  }

  node(index: number): NodeProcess {
    const node = this.#nodes[index];
    if (!node) throw new Error(`node ${index} is not running`);
    return node;
  }

  async begin(): Promise<void> {
    const { servers, nodes } = this.#options;
    const { places, natsConfiguration: more = '' } = this.#options;
    this.#nats = await startNats({ servers, more, ...(places ? { places: places.servers } : {}) });
    this.#ports = await freePorts(nodes);
    // The first one creates what the others find.
    for (let index = 0; index < nodes; index++) await this.startNode(index);
    await this.calm();
  }

  async startNode(index: number): Promise<void> {
    const { replicas, partitions, environment, nodeArguments = [], places } = this.#options;
    const place = places?.nodes[index];
    this.#directories[index] ??= temporaryDirectory();
    this.#nodes[index] = await startNode({
      dataDirectory: this.#directories[index],
      port: this.#ports[index] as number,
      readyWithinMs: READY_WITHIN_MS,
      nodeArguments,
      ...(place ? { place } : {}),
      environment: {
        SIMSTREAM_NATS_URL: this.nats.urls.join(','),
        SIMSTREAM_NATS_REPLICAS: String(replicas),
        SIMSTREAM_PARTITIONS: String(partitions),
        SIMSTREAM_SECRET: this.#secret,
        ...environment,
      },
    });
  }

  /** `kill -9`. */
  async killNode(index: number): Promise<void> {
    const node = this.node(index);
    this.#nodes[index] = undefined;
    await node.kill();
  }

  /** SIGTERM, and until the process is gone. */
  async drainNode(index: number): Promise<void> {
    const node = this.node(index);
    this.#nodes[index] = undefined;
    const exit = await node.stop(30_000);
    if (exit.code !== 0) throw new Error(`the node ended with ${JSON.stringify(exit)}\n${node.output()}`);
  }

  /** Stops (SIGSTOP) or continues a node. */
  pauseNode(index: number, paused: boolean): void {
    process.kill(this.node(index).pid, paused ? 'SIGSTOP' : 'SIGCONT');
  }

  /** What a node says of the cluster. */
  async view(index: number): Promise<ClusterView> {
    const api = createApiClient(this.node(index).url);
    const { status, text } = await api.call('GET', '/operator/v1/nodes', OPERATOR_TOKEN);
    if (status !== 200) throw new Error(`GET /operator/v1/nodes: ${status}: ${text}`);
    return JSON.parse(text) as ClusterView;
  }

  /**
   * Resolves when `among` are the nodes that are alive, and each of them holds its whole share, as all of them see it: then no
   * partition moves any more. One that was cut off shows what was before, until it hears from the others again.
   * @returns how long it took, ms
   */
  async shared(among: readonly number[], withinMs = CALM_WITHIN_MS): Promise<number> {
    const started = performance.now();
    const ports = new Set(among.map((index) => this.#ports[index]));
    let last: unknown;
    await waitFor(
      () => `nodes ${among.join(', ')} hold their shares; ${JSON.stringify(last)}`,
      async () => {
        const views = await Promise.all(
          among.map((index) => this.view(index).catch((error: unknown) => String(error))),
        );
        last = views;
        return views.every((seen) => typeof seen !== 'string' && this.#areShared(seen, ports)) || undefined;
      },
      withinMs,
      ASK_EVERY_MS,
    );
    return performance.now() - started;
  }

  #areShared({ nodes }: ClusterView, ports: ReadonlySet<number | undefined>): boolean {
    const alive = nodes.filter(({ state }) => state === 'alive');
    if (alive.length !== ports.size || !alive.every((node) => ports.has(portOf(node)))) return false;
    return holdShares(alive, this.#options.partitions);
  }

  /** Resolves when all nodes and servers are there, share all partitions, and every replica is up to date. */
  async calm(): Promise<void> {
    const all = this.#ports.map((_, index) => index);
    await this.shared(all);
    const nats = await openNats({ servers: this.nats.urls, replicas: 1, clock: systemClock });
    try {
      let lagging: string[] = [];
      await waitFor(
        () => `every replica is up to date; ${lagging.join(', ')}`,
        async () => {
          lagging = await this.#lagging(nats).catch((error: unknown) => [String(error)]);
          return lagging.length === 0 || undefined;
        },
        CALM_WITHIN_MS,
        200,
      );
    } finally {
      await nats.close();
    }
  }

  /** Streams of which a replica is not up to date. */
  async #lagging({ manager }: Nats): Promise<string[]> {
    const lagging: string[] = [];
    for await (const { config, cluster } of manager.streams.list()) {
      // Of a server that is alone nothing is said.
      if (!cluster && this.#options.servers === 1) continue;
      const replicas = cluster?.replicas ?? [];
      const behind = replicas.some(({ current, offline }) => !current || offline);
      if (behind || !cluster?.leader || replicas.length < this.#options.replicas - 1)
        lagging.push(config.name);
    }
    return lagging;
  }

  /** Starts and continues whatever is gone or stopped, and resolves when all is calm. */
  async restore(): Promise<void> {
    this.nats.restore();
    for (const index of this.#ports.keys()) {
      if (this.#nodes[index]) this.pauseNode(index, false);
      else await this.startNode(index);
    }
    await this.calm();
  }

  /** What the nodes printed lately. */
  output(): string {
    return this.#nodes.map((node, index) => `--- node ${index} ---\n${node?.output() ?? 'gone'}`).join('\n');
  }

  async end(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node?.kill()));
    await this.#nats?.dispose();
    for (const directory of this.#directories) removeDirectory(directory);
  }
}

function portOf({ name }: { readonly name: string }): number {
  return Number(name.split(':').at(-1));
}

/** Whether each node holds what is its own by rendezvous hashing, and nothing else. */
function holdShares(alive: ClusterView['nodes'], partitions: number): boolean {
  const candidates = [...alive].sort((a, b) => (a.session < b.session ? -1 : 1));
  const owners = shareOut(partitions, candidates);
  const held = new Map<number, string>();
  for (const { session, partitions: some } of alive)
    for (const { partition } of some) held.set(partition, session);
  return owners.every((owner, partition) => held.get(partition) === owner);
}
