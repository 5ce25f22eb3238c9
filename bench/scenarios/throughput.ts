import { barePipe, createBusyStream, driveNode, type NodeDrive, withNode } from '../bench-node.ts';
import { bars, type Plot } from '../plots.ts';
import type { Drive } from '../rig.ts';
import { type Figure, figure, IN_ORDER, median, type Scenario } from '../scenario.ts';
import { measureYardsticks } from '../yardsticks.ts';

/** Like the producers of a real operator: whole requests, a few connections. */
export const BATCH = 1_000;
export const CONNECTIONS = 8;
/** Sent before the measurement, through the pipe and through the node: compiles code, opens connections. */
const WARM_UP = 24_000;

export const throughput: Scenario = {
  name: 'throughput',
  description: 'records/s and CPU per record through one stream, beside bare pipe, parse and disk',

  run: async ({ rig, records = 400_000, quick, before, say }) => {
    const shape = {
      records: quick ? Math.min(records, 48_000) : records,
      batch: BATCH,
      connections: CONNECTIONS,
    };
    const warmUp = { ...shape, records: WARM_UP };
    const rounds = quick ? 1 : 3;
    say('yardsticks: parse and disk');
    const yardsticks = await measureYardsticks(BATCH, quick);

    const pipes: Drive[] = [];
    const nodes: NodeDrive[] = [];
    await withNode(async (bench) => {
      const stream = await createBusyStream(bench, rig, 'throughput');
      const pipe = barePipe(rig);
      say('warming up');
      await rig.drive(rig.allot(warmUp, pipe), pipe.path);
      await driveNode(bench, stream, rig, warmUp);
      for (let round = 1; round <= rounds; round++) {
        say(`round ${round} of ${rounds}: bare pipe`);
        pipes.push(await rig.drive(rig.allot(shape, pipe), pipe.path));
        say(`round ${round} of ${rounds}: node`);
        nodes.push(await driveNode(bench, stream, rig, shape));
      }
    });

    const of = (pick: (drive: NodeDrive) => number) => nodes.map(pick);
    const parse = yardsticks.parseMicros;
    const pipe = pipes.map((drive) => drive.recordsPerSecond);
    const peak = (pick: (drive: NodeDrive) => number) => Math.max(...of(pick)) / 1e6;
    const parts = partsOf(nodes);
    return {
      plots: [cpuPlot(before ?? [], parts)],
      title:
        `${shape.records.toLocaleString('en')} usage records in requests of ${BATCH}, ${CONNECTIONS} connections, ` +
        `ingest to acknowledged delivery, durable; ${rounds} rounds`,
      figures: [
        figure(
          'end to end',
          'records/s',
          of((drive) => drive.recordsPerSecond),
        ),
        figure(
          'acknowledged at ingest',
          'records/s',
          of((drive) => drive.ackedPerSecond),
        ),
        figure('bare pipe', 'records/s', pipe),
        figure('disk: append + fdatasync of each request', 'records/s', [yardsticks.diskPerSecond]),
        figure(
          'CPU of the node',
          'µs/record',
          of((drive) => drive.cpuMicros),
        ),
        figure(
          '  of its main thread',
          'µs/record',
          of((drive) => drive.mainThreadMicros),
        ),
        ...parts,
        figure('parse', 'µs/record', [parse]),
        figure(
          'CPU of the node / parse',
          '',
          of((drive) => drive.cpuMicros / parse),
          { atMost: 0.8 },
        ),
        figure(
          'end to end / bare pipe',
          '',
          of((drive) => drive.recordsPerSecond).map((each, at) => each / (pipe[at] as number)),
        ),
        figure(
          'records of a delivery, on average',
          'records',
          of((drive) => drive.delivered),
        ),
        figure(
          'requests pushed back (429, 503)',
          '',
          of((drive) => drive.producer.pushedBack),
        ),
        figure('peak RSS of the node', 'MB', [peak((drive) => drive.memory.resident)]),
        figure('  anonymous', 'MB', [peak((drive) => drive.memory.anonymous)]),
        figure('  mapped files', 'MB', [peak((drive) => drive.memory.file)]),
      ],
      holds: IN_ORDER,
      faults: [
        ...pipes.flatMap((drive) => drive.faults.map((fault) => `bare pipe: ${fault}`)),
        ...nodes.flatMap((drive) => drive.faults),
      ],
    };
  },
};

const PART = '  ';

/** CPU by what the node's threads do. */
function partsOf(nodes: readonly NodeDrive[]): Figure[] {
  const names = [...(nodes[0]?.threadMicros.keys() ?? [])];
  return names.map((name) =>
    figure(
      `${PART}${name}`,
      'µs/record',
      nodes.map(({ threadMicros }) => threadMicros.get(name) ?? 0),
    ),
  );
}

function cpuPlot(before: readonly Figure[], parts: readonly Figure[]): Plot {
  const names = new Set(parts.map(({ name }) => name));
  const rows = [
    { name: 'before', figures: before.filter(({ name }) => names.has(name)) },
    { name: 'now', figures: parts },
  ].filter(({ figures }) => figures.length > 0);
  return {
    name: 'cpu',
    title: 'CPU of a record by what the threads do',
    svg: bars(
      'CPU of the node for a record, from ingest to acknowledged delivery',
      'µs',
      rows.map(({ name, figures }) => ({
        name,
        parts: figures.map((each) => ({
          name: each.name.trim(),
          value: median(each.rounds ?? [each.value]),
        })),
      })),
    ),
  };
}
