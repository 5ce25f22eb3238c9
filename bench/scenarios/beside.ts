import { usageWebhook } from '../../tests/support/api-client.ts';
import { OPERATOR_TOKEN } from '../../tests/support/node-process.ts';
import { createBusyStream, createStream, withNode } from '../bench-node.ts';
import type { Target } from '../rig.ts';
import { figure, percentile, type Scenario } from '../scenario.ts';
import { BATCH, CONNECTIONS } from './throughput.ts';

/** A stream that keeps up, while another one of the node has a backlog to deliver. */
const RATE = 1_000;
const LIVE_BATCH = 10;
const SECONDS = 8;
const FIRST = 1_000_100;

export const beside: Scenario = {
  name: 'beside',
  description:
    'latency of a live stream while another one delivers a backlog as fast as its receiver takes it',

  run: async ({ rig, records = 1_000_000, quick, say }) => {
    const backlog = quick ? Math.min(records, 60_000) : records;
    const rounds = quick ? 1 : 3;
    const shape = { records: (quick ? 2 : SECONDS) * RATE, batch: LIVE_BATCH, connections: CONNECTIONS };
    return withNode(async (bench) => {
      const live = await createBusyStream(bench, rig, 'live');
      const pace = () => rig.pace(rig.allot(shape, live.target), RATE, live.sinkPath);
      say('warming up');
      await pace();
      const alone: number[] = [];
      const besideIt: number[] = [];
      const drained: number[] = [];
      const faults: string[] = [];
      for (let round = 0; round < rounds; round++) {
        say(`round ${round + 1} of ${rounds}: live alone`);
        const quiet = await pace();
        say(
          `round ${round + 1} of ${rounds}: a backlog of ${backlog.toLocaleString('en')} records, then both`,
        );
        const organisationId = FIRST + round;
        const target: Target = {
          origin: bench.api.url,
          path: '/operator/v1/records/usage',
          token: OPERATOR_TOKEN,
          organisationId,
          kind: 'usage',
        };
        await rig.produce(rig.allot({ records: backlog, batch: BATCH, connections: CONNECTIONS }, target));
        const drain = await createStream(bench, organisationId, 'usage', {
          ...(usageWebhook('drain', `${rig.sinkUrl}/drain`) as object),
          start_from: 'earliest',
        });
        const before = await drain.delivered();
        const began = performance.now();
        const busy = await pace();
        const delivered = (await drain.delivered()) - before;
        drained.push((delivered * 1_000) / (performance.now() - began));
        if (delivered + before >= backlog) say('the backlog was too small: it was delivered before the end');
        faults.push(...quiet.faults, ...busy.faults, ...(await drain.settled(backlog)));
        alone.push(percentile(quiet.latencies, 0.99));
        besideIt.push(percentile(busy.latencies, 0.99));
      }
      return {
        title: `${RATE.toLocaleString('en')} records/s in requests of ${LIVE_BATCH}, ${rounds} rounds of ${shape.records / RATE} s alone and beside a backlog of ${backlog.toLocaleString('en')} records`,
        figures: [
          figure('p99 alone', 'ms', alone),
          figure('p99 beside the backlog', 'ms', besideIt),
          figure(
            '  / alone',
            '',
            besideIt.map((each, round) => each / (alone[round] as number)),
            { atMost: 2 },
          ),
          figure('the backlog, meanwhile', 'records/s', drained),
        ],
        holds: 'no record lost, duplicated or changed in the live stream; the other one counts all records',
        faults,
      };
    });
  },
};
