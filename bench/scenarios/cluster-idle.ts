import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterWorld } from '../../tests/support/cluster-world.ts';
import { benchNode, createStreamOn, startWorld, type Topology } from '../bench-cluster.ts';
import type { BusyStream } from '../bench-node.ts';
import { cpuTime, memory } from '../process-usage.ts';
import type { Rig } from '../rig.ts';
import { figure, type Scenario } from '../scenario.ts';
import { createPattern, STREAMS_OF_EACH, seed } from './idle.ts';

const TOPOLOGY: Topology = { servers: 3, replicas: 3, nodes: 3 };
const NODES = [0, 1, 2] as const;
/** The node that dies, the node that leaves, and the node that records come in through meanwhile. */
const DYING = 2;
const LEAVING = 1;
const INGEST = 0;
/** How long the cluster stays idle, to measure the cost of idleness. */
const IDLE_MS = 5_000;
/** While a node leaves: records/s in requests of one record, seconds of the load, and seconds before the node is stopped. */
const RATE = 100;
const PACED_SECONDS = 8;
const LEAVES_AFTER_MS = 2_000;
/** Cursors are committed within a fraction of it: records delivered before a crash are not delivered again after it. */
const COMMITTED_MS = 2_000;

/** Milliseconds. */
interface Crash {
  readonly held: number;
  readonly arrived: number;
}
interface Leave {
  readonly held: number;
  readonly longest: number;
}
interface Join {
  readonly ready: number;
  readonly held: number;
}

export const clusterIdle: Scenario = {
  name: 'cluster-idle',
  description: '100,000 idle data streams over three nodes on NATS: memory; a crash, a join, a leave',

  run: async ({ rig, quick, say }) => {
    const organisations = quick ? 100 : 10_000;
    const rounds = quick ? 1 : 3;
    const streams = organisations * STREAMS_OF_EACH;
    const faults: string[] = [];
    const world = await startWorld(TOPOLOGY);
    try {
      say(`registering ${streams} streams in ${organisations} organisations`);
      await createPattern(benchNode(world, 0), rig.sinkUrl);
      for (const node of NODES) await world.drainNode(node);
      const seeding = performance.now();
      await seed({ natsUrls: world.nats.urls, replicas: TOPOLOGY.replicas }, organisations);
      const seededMs = performance.now() - seeding;

      say('starting the nodes, one after the other');
      for (const node of NODES) await world.startNode(node);
      const starts = NODES.map((node) => world.node(node).startedInMs);
      const sharedMs = await world.shared(NODES);
      await world.calm();
      const pids = NODES.map((node) => world.node(node).pid);
      const cpuOf = (of: readonly number[]) => of.map((pid) => cpuTime(pid).total / 1e6);
      const before = { nodes: cpuOf(pids), servers: cpuOf(world.nats.processIds()) };
      await sleep(IDLE_MS);
      const after = { nodes: cpuOf(pids), servers: cpuOf(world.nats.processIds()) };
      const share = (of: 'nodes' | 'servers') =>
        after[of].map((seconds, at) => (100 * (seconds - (before[of][at] as number))) / (IDLE_MS / 1_000));
      const idleCpu = { nodes: share('nodes'), servers: share('servers') };
      const atRest = pids.map(memory);
      const servers = world.nats.processIds().map(memory);

      const leaves: Leave[] = [];
      const joins: Join[] = [];
      const crashes: Crash[] = [];
      const returns: Join[] = [];
      for (let round = 1; round <= rounds; round++) {
        say(`round ${round} of ${rounds}: a leave, a join`);
        leaves.push(await left(world, rig, faults));
        joins.push(await joined(world, LEAVING));
      }
      for (let round = 1; round <= rounds; round++) {
        say(`round ${round} of ${rounds}: a crash, a return`);
        crashes.push(await crashed(world, rig, faults));
        returns.push(await joined(world, DYING));
      }
      const peaks = NODES.map((node) => memory(world.node(node).pid).peakResident / 1e6);
      const seconds = <T>(of: readonly T[], pick: (round: T) => number) =>
        of.map((round) => pick(round) / 1_000);
      const resident = (of: readonly { anonymous: number; file: number }[]) =>
        of.map(({ anonymous, file }) => (anonymous + file) / 1e6);
      return {
        title:
          `${streams.toLocaleString('en')} idle data streams in ${organisations.toLocaleString('en')} organisations, ` +
          `${TOPOLOGY.nodes} nodes, ${TOPOLOGY.servers} NATS servers, replicas ${TOPOLOGY.replicas}; ${rounds} rounds each`,
        figures: [
          figure(
            'start of a node until ready',
            's',
            starts.map((ms) => ms / 1_000),
          ),
          figure('  then until all hold their share', 's', [sharedMs / 1_000]),
          figure('RSS of a node', 'MB', resident(atRest)),
          figure(
            '  anonymous',
            'MB',
            atRest.map(({ anonymous }) => anonymous / 1e6),
          ),
          figure('  peak, after all of this', 'MB', peaks),
          figure('RSS of a NATS server', 'MB', resident(servers)),
          figure('CPU of an idle node', '% of a core', idleCpu.nodes),
          figure('CPU of an idle NATS server', '% of a core', idleCpu.servers),
          figure(
            'leave (SIGTERM): until the others have its partitions',
            's',
            seconds(leaves, ({ held }) => held),
          ),
          figure(
            '  longest way of a record meanwhile',
            's',
            seconds(leaves, ({ longest }) => longest),
          ),
          figure(
            'join: from the start of its process until ready',
            's',
            seconds(joins, ({ ready }) => ready),
          ),
          figure(
            '  from ready until it has its share',
            's',
            seconds(joins, ({ held }) => held),
            { atMost: 5 },
          ),
          figure(
            'crash (kill -9): until the others have its partitions',
            's',
            seconds(crashes, ({ held }) => held),
            { atMost: 10 },
          ),
          figure(
            '  until a record for one of them arrives at its stream',
            's',
            seconds(crashes, ({ arrived }) => arrived),
          ),
          figure(
            '  back: from ready until it has its share',
            's',
            seconds(returns, ({ held }) => held),
            { atMost: 5 },
          ),
          figure('writing the streams into the registry', 'documents/s', [
            (1_000 * (streams + organisations)) / seededMs,
          ]),
        ],
        holds: 'no record lost or duplicated',
        faults,
      };
    } finally {
      await world.end();
    }
  },
};

async function crashed(world: ClusterWorld, rig: Rig, faults: string[]): Promise<Crash> {
  const stream = await warm(world, rig, DYING);
  const started = performance.now();
  await world.killNode(DYING);
  const since = () => performance.now() - started;
  const load = rig.allot({ records: 1, batch: 1, connections: 1 }, stream.target);
  let arrived = 0;
  const [held, drive] = await Promise.all([
    world.shared(NODES.filter((node) => node !== DYING)).then(since),
    rig.drive(load, stream.sinkPath, { arrived: () => (arrived = since()) }),
  ]);
  faults.push(...drive.faults.map((fault) => `crash: ${fault}`));
  return { held, arrived };
}

async function joined(world: ClusterWorld, node: number): Promise<Join> {
  await world.startNode(node);
  return { held: await world.shared(NODES), ready: world.node(node).startedInMs };
}

async function left(world: ClusterWorld, rig: Rig, faults: string[]): Promise<Leave> {
  const stream = await warm(world, rig, LEAVING);
  const shape = { records: RATE * PACED_SECONDS, batch: 1, connections: 8 };
  const leave = async () => {
    await sleep(LEAVES_AFTER_MS);
    const [held] = await Promise.all([
      world.shared(NODES.filter((node) => node !== LEAVING)),
      world.drainNode(LEAVING),
    ]);
    return held;
  };
  const [held, paced] = await Promise.all([
    leave(),
    rig.pace(rig.allot(shape, stream.target), RATE, stream.sinkPath),
  ]);
  faults.push(...paced.faults.map((fault) => `leave: ${fault}`));
  return { held, longest: Math.max(...paced.latencies) };
}

/** A stream that this node delivers and that has already delivered records. */
async function warm(world: ClusterWorld, rig: Rig, holder: number): Promise<BusyStream> {
  const stream = await createStreamOn(world, rig, { ingest: INGEST, holder });
  await rig.drive(rig.allot({ records: 1_000, batch: 100, connections: 1 }, stream.target), stream.sinkPath);
  await sleep(COMMITTED_MS);
  return stream;
}
