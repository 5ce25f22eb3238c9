import { ASK_EVERY, usageWebhook } from '../../tests/support/api-client.ts';
import { waitFor } from '../../tests/support/wait-for.ts';
import { createStream, type RunningStream, withNode } from '../bench-node.ts';
import { cpuTime, memory } from '../process-usage.ts';
import { figure, type Scenario } from '../scenario.ts';
import { BATCH, CONNECTIONS } from './throughput.ts';

/** One organisation that sends the same records to many receivers. */
const STREAMS = 100;
const ORGANISATION = 1_000_001;
const WARM_UP = 8_000;
const ENVIRONMENT = {
  SIMSTREAM_RATE_LOGINS: '0',
  SIMSTREAM_RATE_ANONYMOUS: '0',
  SIMSTREAM_RATE_READS: '0',
  SIMSTREAM_RATE_WRITES: '0',
  SIMSTREAM_STREAMS_PER_ORGANISATION: String(STREAMS),
};

export const fanOut: Scenario = {
  name: 'fan-out',
  description: `CPU per record and stream, and memory, where ${STREAMS} streams get the same records`,

  run: async ({ rig, records = 40_000, quick, say }) => {
    const count = quick ? Math.min(records, 8_000) : records;
    const rounds = quick ? 1 : 3;
    return withNode(
      async (bench) => {
        say(`${STREAMS} streams`);
        const path = (n: number) => `/fan-out-${n}`;
        const first = await createStream(
          bench,
          ORGANISATION,
          'usage',
          usageWebhook(path(0), rig.sinkUrl + path(0)),
        );
        const token = await bench.api.authenticate(ORGANISATION);
        const others: Pick<RunningStream, 'delivered'>[] = [];
        for (let n = 1; n < STREAMS; n++) {
          const id = await bench.api.createStream(token, usageWebhook(path(n), rig.sinkUrl + path(n)));
          others.push({ delivered: async () => (await bench.api.stream(token, id)).progress.delivered });
        }
        const { pid } = bench.node;
        const cpuMicros: number[] = [];
        const faults: string[] = [];
        let sent = 0;
        for (let round = 0; round <= rounds; round++) {
          say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
          const shape = { records: round === 0 ? WARM_UP : count, batch: BATCH, connections: CONNECTIONS };
          const before = cpuTime(pid).total;
          const drive = await rig.drive(rig.allot(shape, first.target), path(0));
          sent += shape.records;
          for (const { delivered } of others)
            await waitFor(
              'every stream has delivered',
              async () => (await delivered()) === sent || undefined,
              60_000,
              ASK_EVERY,
            );
          faults.push(...drive.faults);
          if (round > 0) cpuMicros.push((cpuTime(pid).total - before) / shape.records / STREAMS);
        }
        return {
          title: `${count.toLocaleString('en')} records to each of ${STREAMS} streams of one organisation; ${rounds} rounds`,
          figures: [
            figure('CPU of the node, for each record and stream', 'µs', cpuMicros, { atMost: 0.7 }),
            figure('peak RSS of the node', 'MB', [memory(pid).peakResident / 1e6], { atMost: 180 }),
          ],
          holds: 'no record lost, duplicated or changed in the first stream; all streams count all records',
          faults,
        };
      },
      { environment: ENVIRONMENT },
    );
  },
};
