import { createBusyStream, withNode } from '../bench-node.ts';
import { cpuTime } from '../process-usage.ts';
import { figure, type Scenario } from '../scenario.ts';
import { BATCH, CONNECTIONS } from './throughput.ts';

/** The wait of a user who writes a filter: the node reads the records of a day, counts them by hour, and shows some. */
const FILTERS: Readonly<Record<string, readonly object[]>> = {
  'all records': [],
  'a field of the record': [{ field: 'volume.total', op: 'gt', value: 0.1 }],
  'three fields': [
    { field: 'operator.country.mcc', value: '262' },
    { field: 'volume.total', op: 'gt', value: 0.1 },
    { field: 'sim.iccid', op: 'prefix', value: '89' },
  ],
};

export const preview: Scenario = {
  name: 'preview',
  description: 'how long the preview of a filter over the records of a day takes',

  run: async ({ rig, records = 500_000, quick, say }) => {
    const day = quick ? Math.min(records, 20_000) : records;
    const rounds = quick ? 1 : 3;
    return withNode(
      async (bench) => {
        const stream = await createBusyStream(bench, rig, 'preview');
        const { api, node } = bench;
        say(`${day.toLocaleString('en')} records`);
        const drive = await rig.drive(
          rig.allot({ records: day, batch: BATCH, connections: CONNECTIONS }, stream.target),
          stream.sinkPath,
        );
        const token = await api.authenticate(stream.target.organisationId as number);
        const faults = [...drive.faults];
        const figures = [];
        for (const [name, filters] of Object.entries(FILTERS)) {
          say(name);
          const took: number[] = [];
          const cpu: number[] = [];
          let looked = 0;
          for (let round = 0; round <= rounds; round++) {
            const before = cpuTime(node.pid).total;
            const began = performance.now();
            const body = { data_stream_type: { id: 1 }, filters };
            const { status, text } = await api.call('POST', '/api/v2/data_stream/preview', token, body);
            const ms = performance.now() - began;
            if (status !== 200) throw new Error(`preview: ${status} ${text}`);
            const { hours } = JSON.parse(text) as { hours: { records: number }[] };
            looked = hours.reduce((sum, hour) => sum + hour.records, 0);
            // The first one reads code and blocks that nobody has needed before.
            if (round === 0) continue;
            took.push(ms);
            cpu.push((cpuTime(node.pid).total - before) / looked);
          }
          if (looked !== day) faults.push(`${name}: ${looked} of ${day} records were looked at`);
          figures.push(
            { ...figure('takes', 'ms', took), row: name },
            { ...figure('CPU', 'µs/record', cpu), row: name },
          );
        }
        return {
          title: `${day.toLocaleString('en')} usage records of the last hours; ${rounds} rounds`,
          figures,
          holds: 'each preview looks at all records',
          faults,
        };
      },
      { environment: { SIMSTREAM_RATE_WORK: '1000' } },
    );
  },
};
