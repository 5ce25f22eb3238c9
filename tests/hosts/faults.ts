import { type HostsWorld, hostOfNode, hostOfServer, THREE } from '../support/hosts-world.ts';

/** Something that goes wrong with one node or one NATS server. */
interface Fault {
  readonly name: string;
  begin(world: HostsWorld, victim: number): Promise<void> | void;
  /** What it takes beside healing the network. */
  end?(world: HostsWorld, victim: number): Promise<void> | void;
}

const SERVER_HOSTS = THREE.map(hostOfServer);
const SOME_PERCENT = 20;

const othersThan = (server: number) => SERVER_HOSTS.filter((host) => host !== hostOfServer(server));

const NODE_FAULTS = {
  cut: {
    name: 'a node is cut off from NATS',
    begin: (world, node) => world.cut([hostOfNode(node)], SERVER_HOSTS),
  },
  oneWay: {
    name: "a node's packets to NATS are lost",
    begin: (world, node) => world.lose([hostOfNode(node)], SERVER_HOSTS),
  },
  deaf: {
    name: 'packets from NATS to a node are lost',
    begin: (world, node) => world.lose(SERVER_HOSTS, [hostOfNode(node)]),
  },
  lossy: {
    name: `${SOME_PERCENT} % of the packets between a node and NATS are lost`,
    begin: (world, node) => world.cut([hostOfNode(node)], SERVER_HOSTS, SOME_PERCENT),
  },
  suspended: {
    name: 'a node is suspended (SIGSTOP)',
    begin: (world, node) => world.cluster.pauseNode(node, true),
    end: (world, node) => world.cluster.pauseNode(node, false),
  },
  killed: {
    name: 'a node is killed (SIGKILL), and started again',
    begin: (world, node) => world.cluster.killNode(node),
    end: (world, node) => world.cluster.startNode(node),
  },
  rolling: {
    name: 'the nodes are restarted one after the other (SIGTERM)',
    begin: async (world) => {
      for (const node of THREE) {
        await world.cluster.drainNode(node);
        await world.cluster.startNode(node);
      }
    },
  },
} satisfies Readonly<Record<string, Fault>>;

const SERVER_FAULTS = {
  cut: {
    name: 'a NATS server is cut off from the others, not from the nodes',
    begin: (world, server) => world.cut([hostOfServer(server)], othersThan(server)),
  },
  cutFromAll: {
    name: 'a NATS server is cut off from all',
    begin: (world, server) =>
      world.cut([hostOfServer(server)], [...othersThan(server), ...THREE.map(hostOfNode)]),
  },
  oneWay: {
    name: "a NATS server's packets to the others are lost",
    begin: (world, server) => world.lose([hostOfServer(server)], othersThan(server)),
  },
  lossy: {
    name: `${SOME_PERCENT} % of the packets between a NATS server and the others are lost`,
    begin: (world, server) => world.cut([hostOfServer(server)], othersThan(server), SOME_PERCENT),
  },
  suspended: {
    name: 'a NATS server is suspended (SIGSTOP)',
    begin: (world, server) => world.cluster.nats.pause(server, true),
    end: (world, server) => world.cluster.nats.pause(server, false),
  },
  killed: {
    name: 'a NATS server is killed (SIGKILL), and started again',
    begin: (world, server) => world.cluster.nats.kill(server),
    end: (world, server) => world.cluster.nats.restart(server),
  },
  rolling: {
    name: 'the NATS servers are killed and started one after the other',
    begin: async (world) => {
      for (const server of THREE) {
        await world.cluster.nats.kill(server);
        await world.cluster.nats.restart(server);
        await world.cluster.calm();
      }
    },
  },
} satisfies Readonly<Record<string, Fault>>;

/** What goes wrong at the same time. */
export type Faults = readonly { readonly fault: Fault; readonly victim: number }[];

const { cut, oneWay, deaf, suspended, killed } = NODE_FAULTS;
const single = (fault: Fault, victim: number): Faults => [{ fault, victim }];
const pair = (node: Fault, server: Fault): Faults => [
  { fault: node, victim: 0 },
  { fault: server, victim: 1 },
];

export const MATRIX: readonly Faults[] = [
  ...Object.values(NODE_FAULTS).map((fault, index) => single(fault, index % THREE.length)),
  ...Object.values(SERVER_FAULTS).map((fault, index) => single(fault, index % THREE.length)),
  pair(cut, SERVER_FAULTS.cut),
  pair(cut, SERVER_FAULTS.killed),
  pair(oneWay, SERVER_FAULTS.oneWay),
  pair(deaf, SERVER_FAULTS.cut),
  pair(suspended, SERVER_FAULTS.cut),
  pair(suspended, SERVER_FAULTS.suspended),
  pair(killed, SERVER_FAULTS.oneWay),
  pair(killed, SERVER_FAULTS.killed),
  pair(NODE_FAULTS.lossy, SERVER_FAULTS.lossy),
];

/** The one that most can go wrong in. */
export const SHORT: readonly Faults[] = [pair(cut, SERVER_FAULTS.oneWay)];

/** One fault after the other at random: cuts and losses of nodes and servers. */
export function randomCut(random: () => number): Faults {
  const networkFaults = [
    cut,
    oneWay,
    deaf,
    SERVER_FAULTS.cut,
    SERVER_FAULTS.cutFromAll,
    SERVER_FAULTS.oneWay,
  ] as const;
  const fault = networkFaults[Math.floor(random() * networkFaults.length)] as Fault;
  return single(fault, Math.floor(random() * THREE.length));
}
