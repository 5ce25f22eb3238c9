import { usageWebhook } from '../../tests/support/api-client.ts';
import { removeDirectory, temporaryDirectory } from '../../tests/support/owned.ts';
import {
  type BenchNode,
  type BusyStream,
  createBusyStream,
  driveNode,
  type NodeDrive,
  SECRET,
  startBenchNode,
} from '../bench-node.ts';
import { type MemoryPeaks, memory } from '../process-usage.ts';
import { startChild } from '../processes/calls.ts';
import type { Seed, SeedCalls } from '../processes/seed.ts';
import { figure, IN_ORDER, type Scenario } from '../scenario.ts';
import { BATCH, CONNECTIONS } from './throughput.ts';

export const STREAMS_OF_EACH = 10;
const PATTERN_ORGANISATION = 2_000_000;
const FIRST_ORGANISATION = 2_000_001;
const PARTITIONS = 16;
const WARM_UP = 24_000;

export const idle: Scenario = {
  name: 'idle',
  description:
    '100,000 idle data streams in 10,000 organisations: start, memory, and the speed of a busy stream',

  run: async ({ rig, records = 200_000, quick, say }) => {
    const organisations = quick ? 100 : 10_000;
    const shape = {
      records: quick ? Math.min(records, 48_000) : records,
      batch: BATCH,
      connections: CONNECTIONS,
    };
    const rounds = quick ? 1 : 3;
    const directories = { alone: temporaryDirectory(), crowded: temporaryDirectory() };
    const running: BenchNode[] = [];
    const start = async (directory: string) => {
      const bench = await startBenchNode(directory, {
        readyWithinMs: 120_000,
        environment: { SIMSTREAM_PARTITIONS: String(PARTITIONS) },
      });
      running.push(bench);
      return bench;
    };
    const stop = async (bench: BenchNode) => {
      running.splice(running.indexOf(bench), 1);
      await bench.stop();
    };

    try {
      say(`registering ${organisations * STREAMS_OF_EACH} streams in ${organisations} organisations`);
      const first = await start(directories.crowded);
      await createPattern(first, rig.sinkUrl);
      await stop(first);
      await seed({ directory: directories.crowded }, organisations);
      say('first start with them');
      const beginning = await start(directories.crowded);
      const firstStartMs = beginning.node.startedInMs;
      await stop(beginning);
      say('restart');
      const crowded = await start(directories.crowded);
      const atRest = memory(crowded.node.pid);
      const alone = await start(directories.alone);

      const drives = { crowded: [] as NodeDrive[], alone: [] as NodeDrive[] };
      const busy = {
        crowded: await createBusyStream(crowded, rig, 'crowded'),
        alone: await createBusyStream(alone, rig, 'alone'),
      };
      const drive = (bench: BenchNode, stream: BusyStream, load = shape) =>
        driveNode(bench, stream, rig, load);
      await drive(alone, busy.alone, { ...shape, records: WARM_UP });
      await drive(crowded, busy.crowded, { ...shape, records: WARM_UP });
      for (let round = 1; round <= rounds; round++) {
        say(`round ${round} of ${rounds}: a busy stream alone, then beside the idle ones`);
        drives.alone.push(await drive(alone, busy.alone));
        drives.crowded.push(await drive(crowded, busy.crowded));
      }

      const speed = (of: NodeDrive[]) => of.map((each) => each.recordsPerSecond);
      const cpu = (of: NodeDrive[]) => of.map((each) => each.cpuMicros);
      const ratios = speed(drives.crowded).map((each, at) => each / (speed(drives.alone)[at] as number));
      const peak = (of: NodeDrive[], part: Exclude<keyof MemoryPeaks, 'samples'>) =>
        Math.max(...of.map((each) => each.memory[part])) / 1e6;
      return {
        title:
          `${(organisations * STREAMS_OF_EACH).toLocaleString('en')} idle data streams in ` +
          `${organisations.toLocaleString('en')} organisations; then one busy stream, ${shape.records.toLocaleString('en')} records, ${rounds} rounds`,
        figures: [
          figure('restart until ready', 's', [crowded.node.startedInMs / 1_000], { atMost: 20 }),
          figure('  the very first start with them', 's', [firstStartMs / 1_000]),
          figure('  a node without them', 's', [alone.node.startedInMs / 1_000]),
          figure('RSS when ready (peak so far)', 'MB', [atRest.peakResident / 1e6], { atMost: 600 }),
          figure('  anonymous', 'MB', [atRest.anonymous / 1e6]),
          figure('  mapped files', 'MB', [atRest.file / 1e6]),
          figure('peak RSS with the busy stream', 'MB', [peak(drives.crowded, 'resident')]),
          figure('  anonymous', 'MB', [peak(drives.crowded, 'anonymous')]),
          figure('  mapped files', 'MB', [peak(drives.crowded, 'file')]),
          figure('  peak RSS of a node without them', 'MB', [peak(drives.alone, 'resident')]),
          figure('busy stream beside them', 'records/s', speed(drives.crowded)),
          figure('busy stream alone', 'records/s', speed(drives.alone)),
          figure('beside them / alone', '', ratios, { atLeast: 0.85 }),
          figure('CPU beside them', 'µs/record', cpu(drives.crowded)),
          figure('CPU alone', 'µs/record', cpu(drives.alone)),
        ],
        holds: IN_ORDER,
        faults: [...drives.alone, ...drives.crowded].flatMap((each) => each.faults),
      };
    } finally {
      await Promise.all(running.map((bench) => bench.stop()));
      for (const directory of Object.values(directories)) removeDirectory(directory);
    }
  },
};

/** Creates the stream that the idle ones are copies of. */
export async function createPattern({ api }: BenchNode, sinkUrl: string): Promise<void> {
  await api.createOrganisation(PATTERN_ORGANISATION, 'Idle');
  const token = await api.authenticate(PATTERN_ORGANISATION);
  await api.createStream(token, usageWebhook('idle', `${sinkUrl}/idle`));
}

export async function seed(into: Seed['into'], organisations: number): Promise<void> {
  const child = startChild<SeedCalls>('./seed.ts');
  try {
    await child.call.seed({
      into,
      secret: SECRET,
      partitions: PARTITIONS,
      patternOrganisation: PATTERN_ORGANISATION,
      firstOrganisation: FIRST_ORGANISATION,
      organisations,
      streamsOfEach: STREAMS_OF_EACH,
    });
  } finally {
    await child.end();
  }
}
