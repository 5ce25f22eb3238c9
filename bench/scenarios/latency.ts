import { barePipe, createBusyStream, withNode } from '../bench-node.ts';
import { curves, distribution } from '../plots.ts';
import type { Paced, Shape, Target } from '../rig.ts';
import { type Figure, figure, percentile, type Scenario } from '../scenario.ts';
import { paceDisk } from '../yardsticks.ts';

/** A steady flow of small requests, far from saturation, so that it measures the way of a record and not a queue. */
const RATE = 1_000;
const BATCH = 10;
const CONNECTIONS = 8;
/** Of each round. */
const SECONDS = 10;
const WARM_UP_SECONDS = 3;

export const latency: Scenario = {
  name: 'latency',
  description: 'ingest to arrival at the sink at 1,000 records/s in requests of 10, beside the bare pipe',

  run: async ({ rig, quick, say }) => {
    const rounds = quick ? 1 : 3;
    const total = (quick ? 2 : SECONDS) * RATE;
    const shape = { records: total, batch: BATCH, connections: CONNECTIONS };
    const warmUp = { ...shape, records: (quick ? 1 : WARM_UP_SECONDS) * RATE };

    return withNode(async (bench) => {
      const stream = await createBusyStream(bench, rig, 'latency');
      const pace = async (target: Target, path: string, load: Shape) =>
        rig.pace(rig.allot(load, target), RATE, path);
      const pipe = barePipe(rig);
      say('warming up');
      await pace(pipe, pipe.path, warmUp);
      await pace(stream.target, stream.sinkPath, warmUp);
      const bare: Paced[] = [];
      const node: Paced[] = [];
      const disk: Paced[] = [];
      for (let round = 1; round <= rounds; round++) {
        say(`round ${round} of ${rounds}: bare pipe, disk, node`);
        bare.push(await pace(pipe, pipe.path, shape));
        disk.push({ latencies: await paceDisk(BATCH, RATE, total), faults: [] });
        node.push(await pace(stream.target, stream.sinkPath, shape));
      }

      const above = p99(node).map((each, round) => each - (p99(bare)[round] as number));
      return {
        title:
          `${RATE.toLocaleString('en')} records/s in requests of ${BATCH}, ${rounds} rounds of ${total / RATE} s: ` +
          'from sending a request to the arrival of its records at the sink',
        figures: [
          ...figuresOf('node', node, { atMost: 25 }),
          ...figuresOf('bare pipe', bare),
          ...figuresOf('disk: append + fdatasync', disk),
          figure('p99 above the bare pipe', 'ms', above, { atMost: 5 }),
        ],
        plots: [
          {
            name: 'latency',
            title: 'Distribution of the time of a record, of the node and of its yardsticks',
            svg: curves(
              'Time of a record from its request to its arrival, 1,000 records/s',
              { label: 'milliseconds', log: true },
              { label: '% of the records that take no longer' },
              [
                distribution('node', latencies(node)),
                distribution('bare pipe', latencies(bare)),
                distribution('disk alone', latencies(disk)),
              ],
            ),
          },
        ],
        holds: 'no record lost, duplicated or changed',
        faults: [
          ...bare.flatMap(({ faults }) => faults.map((fault) => `bare pipe: ${fault}`)),
          ...node.flatMap(({ faults }) => faults),
        ],
      };
    });
  },
};

const at = (share: number) => (rounds: readonly Paced[]) =>
  rounds.map(({ latencies }) => percentile(latencies, share));
const p99 = at(0.99);
const latencies = (rounds: readonly Paced[]) => rounds.map((round) => round.latencies);

/** @param max what the slowest record of all rounds is held against */
function figuresOf(name: string, rounds: readonly Paced[], max?: { readonly atMost: number }): Figure[] {
  return [
    figure(`${name} p50`, 'ms', at(0.5)(rounds)),
    figure(`${name} p99`, 'ms', p99(rounds)),
    figure(`${name} max, of all rounds`, 'ms', [Math.max(...at(1)(rounds))], max),
  ];
}
