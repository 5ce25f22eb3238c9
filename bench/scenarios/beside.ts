import { usageWebhook } from '../../tests/support/api-client.ts';
import { OPERATOR_TOKEN } from '../../tests/support/node-process.ts';
import { createStream, withNode } from '../bench-node.ts';
import { createLive } from '../live.ts';
import type { Target } from '../rig.ts';
import { figure, type Scenario } from '../scenario.ts';
import { BATCH, CONNECTIONS } from './throughput.ts';

const FIRST = 1_000_100;

export const beside: Scenario = {
  name: 'beside',
  description:
    'latency of a live stream while another one delivers a backlog as fast as its receiver takes it',

  run: async ({ rig, records = 3_000_000, quick, say }) => {
    const backlog = quick ? Math.min(records, 60_000) : records;
    const rounds = quick ? 1 : 3;
    return withNode(async (bench) => {
      const drainUrl = await rig.otherSinkUrl();
      const live = await createLive(bench, rig, { quick, rounds });
      say('warming up');
      await live.warmUp();
      const drained: number[] = [];
      const faults: string[] = [];
      for (let round = 0; round < rounds; round++) {
        say(`round ${round + 1} of ${rounds}: live alone`);
        await live.alone();
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
          ...(usageWebhook('drain', `${drainUrl}/drain`) as object),
          start_from: 'earliest',
        });
        const before = await drain.delivered();
        const began = performance.now();
        await live.besideIt();
        const delivered = (await drain.delivered()) - before;
        drained.push((delivered * 1_000) / (performance.now() - began));
        if (delivered + before >= backlog) say('the backlog was too small: it was delivered before the end');
        faults.push(...(await drain.settled(backlog)));
      }
      return {
        title: `${live.words} alone and beside a backlog of ${backlog.toLocaleString('en')} records`,
        figures: [...live.figures('backlog', 2), figure('the backlog, meanwhile', 'records/s', drained)],
        holds: 'no record lost, duplicated or changed in the live stream; the other one counts all records',
        faults: [...live.faults, ...faults],
      };
    });
  },
};
