import { createBusyStream, driveNode, withNode } from '../bench-node.ts';
import { curves } from '../plots.ts';
import { figure, IN_ORDER, type Scenario } from '../scenario.ts';
import { BATCH, CONNECTIONS } from './throughput.ts';

export const million: Scenario = {
  name: 'million',
  description:
    '1,000,000 records through one stream of a new node: none lost, none twice, in order; peak RSS',

  run: async ({ rig, records = 1_000_000, quick, say }) => {
    const shape = {
      records: quick ? Math.min(records, 100_000) : records,
      batch: BATCH,
      connections: CONNECTIONS,
    };
    return withNode(async (bench) => {
      const stream = await createBusyStream(bench, rig, 'million');
      say('node');
      const drive = await driveNode(bench, stream, rig, shape);
      const { memory } = drive;
      return {
        title: `${shape.records.toLocaleString('en')} records through one stream, from a cold start`,
        figures: [
          figure('end to end', 'records/s', [drive.recordsPerSecond]),
          figure('acknowledged at ingest', 'records/s', [drive.ackedPerSecond]),
          figure('CPU of the node', 'µs/record', [drive.cpuMicros]),
          figure('peak RSS of the node', 'MB', [memory.resident / 1e6], { atMost: 250 }),
          figure('  anonymous', 'MB', [memory.anonymous / 1e6]),
          figure('  mapped files', 'MB', [memory.file / 1e6]),
        ],
        plots: [
          {
            name: 'memory',
            title: 'Memory of a node over time',
            svg: curves(
              `Memory of a new node while ${shape.records.toLocaleString('en')} records go through it`,
              { label: 'seconds' },
              { label: 'MB' },
              [
                { name: 'resident', points: memory.samples.map((one) => [one.at, one.resident / 1e6]) },
                { name: 'anonymous', points: memory.samples.map((one) => [one.at, one.anonymous / 1e6]) },
              ],
            ),
          },
        ],
        holds: IN_ORDER,
        faults: drive.faults,
      };
    });
  },
};
