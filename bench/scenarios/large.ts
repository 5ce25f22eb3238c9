import { createBusyStream, driveNode, type NodeDrive, withNode } from '../bench-node.ts';
import { figure, IN_ORDER, type Scenario } from '../scenario.ts';
import { CONNECTIONS } from './throughput.ts';

/** 25 MB: three fit into the room that a node has for bodies, and all connections send one at the same time. */
const BATCH = 28_000;
const REQUESTS_EACH = 3;

export const large: Scenario = {
  name: 'large',
  description: 'requests of 25 MB on several connections at the same time: how many are refused; peak RSS',

  run: async ({ rig, records = BATCH * CONNECTIONS * REQUESTS_EACH, quick, say }) => {
    const round = BATCH * CONNECTIONS;
    const shape = {
      records: quick ? round : Math.max(round, Math.floor(records / round) * round),
      batch: BATCH,
      connections: CONNECTIONS,
    };
    const rounds = quick ? 1 : 2;
    const drives: NodeDrive[] = [];
    await withNode(async (bench) => {
      const stream = await createBusyStream(bench, rig, 'large');
      for (let at = 1; at <= rounds; at++) {
        say(`round ${at} of ${rounds}`);
        drives.push(await driveNode(bench, stream, rig, shape));
      }
    });
    const of = (pick: (drive: NodeDrive) => number) => drives.map(pick);
    const peak = (pick: (drive: NodeDrive) => number) => Math.max(...of(pick)) / 1e6;
    const requests = shape.records / BATCH;
    return {
      title: `${requests} requests of ${BATCH.toLocaleString('en')} records, ${CONNECTIONS} connections; ${rounds} rounds`,
      figures: [
        figure(
          'answers 503, of each request',
          '',
          of((drive) => drive.producer.pushedBack / requests),
          { atMost: 0 },
        ),
        figure(
          'end to end',
          'records/s',
          of((drive) => drive.recordsPerSecond),
        ),
        figure(
          'CPU of the node',
          'µs/record',
          of((drive) => drive.cpuMicros),
        ),
        figure('peak RSS of the node', 'MB', [peak(({ memory }) => memory.resident)], { atMost: 250 }),
        figure('  anonymous', 'MB', [peak(({ memory }) => memory.anonymous)]),
        figure('  mapped files', 'MB', [peak(({ memory }) => memory.file)]),
      ],
      holds: IN_ORDER,
      faults: drives.flatMap((drive) => drive.faults),
    };
  },
};
