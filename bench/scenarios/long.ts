import { createBusyStream, driveNode, type NodeDrive, withNode } from '../bench-node.ts';
import { figure, IN_ORDER, type Scenario } from '../scenario.ts';
import { BATCH } from './throughput.ts';

const CONNECTIONS = 64;
const PARTS = 5;

export const long: Scenario = {
  name: 'long',
  description: '5,000,000 records over 64 connections: does memory stay where it is?',

  run: async ({ rig, records = 5_000_000, quick, say }) => {
    const shape = {
      records: quick ? 64_000 : Math.floor(records / PARTS / BATCH) * BATCH,
      batch: BATCH,
      connections: CONNECTIONS,
    };
    const drives: NodeDrive[] = [];
    await withNode(async (bench) => {
      const stream = await createBusyStream(bench, rig, 'long');
      for (let part = 1; part <= PARTS; part++) {
        say(`part ${part} of ${PARTS}`);
        drives.push(await driveNode(bench, stream, rig, shape));
      }
    });
    const of = (pick: (drive: NodeDrive) => number) => drives.map(pick);
    const resident = of(({ memory }) => memory.resident / 1e6);
    return {
      title: `${PARTS} times ${shape.records.toLocaleString('en')} records, ${CONNECTIONS} connections`,
      figures: [
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
        figure('peak RSS of each part', 'MB', resident),
        figure('peak RSS of the node', 'MB', [Math.max(...resident)], { atMost: 250 }),
        figure('peak RSS of the last part / of the second', '', [
          (resident.at(-1) as number) / (resident[1] as number),
        ]),
        figure('  anonymous', 'MB', [Math.max(...of(({ memory }) => memory.anonymous)) / 1e6]),
        figure('  mapped files', 'MB', [Math.max(...of(({ memory }) => memory.file)) / 1e6]),
      ],
      holds: IN_ORDER,
      faults: drives.flatMap((drive) => drive.faults),
    };
  },
};
