import { barePipe, createBusyStream, withNode } from '../bench-node.ts';
import { figure, percentile, type Scenario } from '../scenario.ts';

/** A steady stream of small requests, far from saturation: what is measured is the way, not a queue. */
const RATE = 1_000;
const BATCH = 10;
const CONNECTIONS = 8;
const WARM_UP_SECONDS = 3;

export const latency: Scenario = {
  name: 'latency',
  description: 'ingest to arrival at the sink at 1,000 records/s in requests of 10, beside the bare pipe',

  run: async ({ rig, records, quick, say }) => {
    const total = quick ? 2 * RATE : Math.ceil((records ?? 30 * RATE) / BATCH) * BATCH;
    const shape = { records: total, batch: BATCH, connections: CONNECTIONS };
    const warmUp = { ...shape, records: (quick ? 1 : WARM_UP_SECONDS) * RATE };

    return withNode(async (bench) => {
      const stream = await createBusyStream(bench, rig, 'latency');
      const pipe = barePipe(rig);
      say('bare pipe');
      await rig.pace(rig.allot(warmUp, pipe), RATE, pipe.path);
      const bare = await rig.pace(rig.allot(shape, pipe), RATE, pipe.path);
      say('node');
      await rig.pace(rig.allot(warmUp, stream.target), RATE, stream.sinkPath);
      const node = await rig.pace(rig.allot(shape, stream.target), RATE, stream.sinkPath);

      const rows = (name: string, values: Float64Array) =>
        (
          [
            ['p50', 0.5],
            ['p99', 0.99],
            ['max', 1],
          ] as const
        ).map(([label, share]) => figure(`${name} ${label}`, 'ms', [percentile(values, share)]));
      const above = percentile(node.latencies, 0.99) - percentile(bare.latencies, 0.99);
      return {
        title:
          `${RATE.toLocaleString('en')} records/s in requests of ${BATCH} for ${total / RATE} s: ` +
          'from the request being sent to the arrival at the sink',
        figures: [
          ...rows('node', node.latencies),
          ...rows('bare pipe', bare.latencies),
          figure('p99 above the bare pipe', 'ms', [above], { atMost: 50 }),
        ],
        faults: [...bare.faults.map((fault) => `bare pipe: ${fault}`), ...node.faults],
      };
    });
  },
};
