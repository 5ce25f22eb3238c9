import { type ClusterDrive, ClusterLoad, startWorld, type Topology } from '../bench-cluster.ts';
import { createBusyStream, driveNode, type NodeDrive, withNode } from '../bench-node.ts';
import { type Rig, type Shape, startRig } from '../rig.ts';
import { type Figure, figure, IN_ORDER, median, type Scenario } from '../scenario.ts';
import { measureYardsticks } from '../yardsticks.ts';
import { BATCH, CONNECTIONS } from './throughput.ts';

const WARM_UP = 48_000;
/** One server has no other to replicate to; with three servers and three replicas, a record is stored when two have it. */
const TOPOLOGIES: readonly Topology[] = [
  { servers: 1, replicas: 1, nodes: 1 },
  { servers: 1, replicas: 1, nodes: 3 },
  { servers: 3, replicas: 3, nodes: 1 },
  { servers: 3, replicas: 3, nodes: 3 },
];

/** Half as many records are also sent in requests of this size: the cost of a block, apart from its records. */
const SMALL_BATCH = 100;

interface Measured {
  readonly topology: Topology;
  readonly small: ClusterDrive[];
  readonly embedded: NodeDrive[];
  readonly cluster: ClusterDrive[];
}

export const cluster: Scenario = {
  name: 'cluster',
  description: 'one node and three nodes on NATS, replicas 1 and 3, beside an embedded node',

  run: async ({ rig, records = 150_000, quick, say }) => {
    const shape = {
      records: quick ? Math.min(records, 48_000) : records,
      batch: BATCH,
      connections: CONNECTIONS,
    };
    const rounds = quick ? 1 : 3;
    say('yardstick: parse');
    const { parseMicros } = await measureYardsticks(BATCH, quick);
    const rigs = [rig, await startRig(), await startRig()];
    const measured: Measured[] = [];
    try {
      await withNode(async (bench) => {
        const stream = await createBusyStream(bench, rig, 'embedded');
        await driveNode(bench, stream, rig, { ...shape, records: WARM_UP });
        for (const topology of TOPOLOGIES) {
          say(nameOf(topology));
          const beside = () => driveNode(bench, stream, rig, shape);
          measured.push(await measure(topology, rigs, shape, rounds, beside));
        }
      });
    } finally {
      await Promise.all(rigs.slice(1).map((each) => each.end()));
    }
    const embedded = measured.flatMap((each) => each.embedded);
    return {
      title:
        `${shape.records.toLocaleString('en')} usage records in requests of ${BATCH}, ${CONNECTIONS} connections and a stream to ` +
        `each node, ingest to acknowledged delivery; ${rounds} rounds, each beside one of an embedded node`,
      figures: [
        ...measured.flatMap((each) => figuresOf(each, parseMicros)),
        ...measured.map((each, index) =>
          figure(
            `${nameOf(each.topology)}: end to end / embedded`,
            '',
            ratios(each),
            index === 0 ? { atLeast: 0.9 } : undefined,
          ),
        ),
        figure(
          'embedded, end to end',
          'records/s',
          embedded.map(({ recordsPerSecond }) => recordsPerSecond),
        ),
        figure(
          'embedded, CPU of the node',
          'µs/record',
          embedded.map(({ cpuMicros }) => cpuMicros),
        ),
        figure('parse', 'µs/record', [parseMicros]),
      ],
      holds: IN_ORDER,
      faults: measured.flatMap(({ topology, embedded, cluster, small }) => [
        ...embedded.flatMap(({ faults }) => faults.map((fault) => `embedded: ${fault}`)),
        ...[...cluster, ...small].flatMap(({ faults }) =>
          faults.map((fault) => `${nameOf(topology)}: ${fault}`),
        ),
      ]),
    };
  },
};

async function measure(
  topology: Topology,
  rigs: readonly Rig[],
  shape: Shape,
  rounds: number,
  driveEmbedded: () => Promise<NodeDrive>,
): Promise<Measured> {
  const world = await startWorld(topology);
  try {
    const load = await ClusterLoad.begin(world, rigs);
    try {
      await load.drive({ ...shape, records: WARM_UP * topology.nodes });
      const measured: Measured = { topology, embedded: [], cluster: [], small: [] };
      for (let round = 0; round < rounds; round++) {
        measured.embedded.push(await driveEmbedded());
        measured.cluster.push(await load.drive(shape));
        const batches = Math.ceil(shape.records / 2 / SMALL_BATCH);
        measured.small.push(
          await load.drive({ ...shape, records: batches * SMALL_BATCH, batch: SMALL_BATCH }),
        );
      }
      return measured;
    } finally {
      await load.end();
    }
  } finally {
    await world.end();
  }
}

function nameOf({ nodes, replicas }: Topology): string {
  return `${nodes === 1 ? '1 node' : `${nodes} nodes`}, replicas ${replicas}`;
}

function ratios({ embedded, cluster }: Measured): number[] {
  return cluster.map(
    ({ recordsPerSecond }, round) => recordsPerSecond / (embedded[round] as NodeDrive).recordsPerSecond,
  );
}

function figuresOf({ topology, cluster, small }: Measured, parseMicros: number): Figure[] {
  return [
    ...tableRow(nameOf(topology), cluster, parseMicros),
    ...tableRow(`${nameOf(topology)}, requests of ${SMALL_BATCH}`, small, parseMicros),
  ];
}

function tableRow(row: string, drives: readonly ClusterDrive[], parseMicros: number): Figure[] {
  const of = (pick: (drive: ClusterDrive) => number) => drives.map(pick);
  const nodeMicros = of((drive) => drive.nodeMicros);
  const serverMicros = of((drive) => drive.serverMicros);
  const once = (pick: (drive: ClusterDrive) => number) => [median(of(pick))];
  return [
    figure(
      'end to end',
      'records/s',
      of((drive) => drive.recordsPerSecond),
    ),
    figure('CPU of nodes', 'µs/record', nodeMicros),
    figure('/ parse', '', [median(nodeMicros) / parseMicros]),
    figure(
      'main threads',
      'µs/record',
      once(({ mainMicros }) => mainMicros),
    ),
    figure('CPU of NATS', 'µs/record', serverMicros),
    figure('/ parse', '', [median(serverMicros) / parseMicros]),
    figure(
      'stored',
      'B/record',
      once(({ stored }) => stored),
    ),
    figure(
      'NATS received',
      'B/record',
      once(({ received }) => received),
    ),
    figure(
      'NATS wrote',
      'B/record',
      once(({ written }) => written),
    ),
  ].map((each) => ({ ...each, row }));
}
