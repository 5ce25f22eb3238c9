import type { BenchNode } from './bench-node.ts';
import { createBusyStream } from './bench-node.ts';
import type { Rig } from './rig.ts';
import { type Figure, figure, percentile } from './scenario.ts';
import { CONNECTIONS } from './scenarios/throughput.ts';

/** A stream that keeps up, and how late its records come alone and beside something else. */
const RATE = 1_000;
const BATCH = 10;
const SECONDS = 8;

interface Live {
  readonly stream: Awaited<ReturnType<typeof createBusyStream>>;
  /** What is measured, for the title: `1,000 records/s in requests of 10, 3 rounds of 8 s`. */
  readonly words: string;
  readonly faults: readonly string[];
  warmUp(): Promise<void>;
  alone(): Promise<void>;
  besideIt(): Promise<void>;
  /** @param what runs beside it @param atMost of the ratio of the two p99 */
  figures(what: string, atMost: number): Figure[];
}

export async function createLive(
  bench: BenchNode,
  rig: Rig,
  { quick, rounds }: { readonly quick: boolean; readonly rounds: number },
): Promise<Live> {
  const stream = await createBusyStream(bench, rig, 'live');
  const seconds = quick ? 2 : SECONDS;
  const shape = { records: seconds * RATE, batch: BATCH, connections: CONNECTIONS };
  const pace = () => rig.pace(rig.allot(shape, stream.target), RATE, stream.sinkPath);
  const faults: string[] = [];
  const p99 = { alone: [] as number[], beside: [] as number[] };
  const measure = async (to: number[]) => {
    const paced = await pace();
    faults.push(...paced.faults);
    to.push(percentile(paced.latencies, 0.99));
  };
  return {
    stream,
    words: `${RATE.toLocaleString('en')} records/s in requests of ${BATCH}, ${rounds} rounds of ${seconds} s`,
    faults,
    warmUp: async () => void (await pace()),
    alone: () => measure(p99.alone),
    besideIt: () => measure(p99.beside),
    figures: (what, atMost) => [
      figure('p99 alone', 'ms', p99.alone),
      figure(`p99 beside the ${what}`, 'ms', p99.beside),
      figure(
        '  / alone',
        '',
        p99.beside.map((each, round) => each / (p99.alone[round] as number)),
        { atMost },
      ),
    ],
  };
}
