import { ClusterLoad } from './cluster-load.ts';
import { ClusterWorld } from './cluster-world.ts';
import { HostNetwork } from './host-network.ts';

/** Numbers of nodes and of NATS servers; each of both has a host of its own. */
export const THREE = [0, 1, 2] as const;
const PARTITIONS = 8;
/** A producer that gets no answer asks the next node. */
const ANSWER_WITHIN_MS = 3_000;

/** Three NATS servers and three nodes, each on a host of its own; producers and receivers are outside. */
export class HostsWorld {
  readonly network = new HostNetwork(2 * THREE.length);
  readonly cluster = new ClusterWorld({
    nodes: THREE.length,
    servers: THREE.length,
    replicas: THREE.length,
    partitions: PARTITIONS,
    places: {
      nodes: THREE.map((node) => this.network.place(hostOfNode(node))),
      servers: THREE.map((server) => this.network.place(hostOfServer(server))),
    },
    natsConfiguration: process.env.SIMSTREAM_TEST_NATS_CONFIGURATION ?? '',
    environment: { SIMSTREAM_ALLOW_DESTINATIONS: `${this.network.outside}/32` },
  });
  readonly load = new ClusterLoad(
    {
      organisations: 16,
      streamsEach: 1,
      receivers: 2,
      batch: 2,
      paceMs: 200,
      receiversAt: this.network.outside,
      answerWithinMs: ANSWER_WITHIN_MS,
    },
    () => this.cluster.urls,
  );

  async begin(): Promise<void> {
    await this.cluster.begin();
    await this.load.setUp();
    this.load.start();
  }

  async end(): Promise<void> {
    await this.load.end();
    await this.cluster.end();
  }

  /** Drops packets both ways between two groups of hosts. */
  cut(some: readonly number[], others: readonly number[], percent = 100): void {
    this.lose(some, others, percent);
    this.lose(others, some, percent);
  }

  /** Drops packets one way. */
  lose(from: readonly number[], to: readonly number[], percent = 100): void {
    for (const sender of from) for (const receiver of to) this.network.drop(sender, receiver, percent);
  }
}

export const hostOfServer = (server: number): number => server;
export const hostOfNode = (node: number): number => THREE.length + node;
