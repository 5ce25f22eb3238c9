import { usageWebhook } from '../../tests/support/api-client.ts';
import { createStream, type RunningStream, withNode } from '../bench-node.ts';
import { cpuTime } from '../process-usage.ts';
import { figure, type Scenario } from '../scenario.ts';
import { BATCH, CONNECTIONS } from './throughput.ts';

/** Two fields are removed and three hashed, as a customer would whose receiver may not know devices. */
const PRIVACY = { drop: ['endpoint.name', 'endpoint.ip_address'], hash: ['imsi', 'sim.iccid', 'sim.msisdn'] };
const ORGANISATION = 1_000_001;
const WARM_UP = 24_000;

export const privacy: Scenario = {
  name: 'privacy',
  description: 'CPU per record of a stream that removes and hashes fields, beside one that does not',

  run: async ({ rig, records = 200_000, quick, say }) => {
    const shape = {
      records: quick ? Math.min(records, 24_000) : records,
      batch: BATCH,
      connections: CONNECTIONS,
    };
    const rounds = quick ? 1 : 3;
    return withNode(async (bench) => {
      const make = (name: string, organisation: number, more: object) =>
        createStream(bench, organisation, 'usage', {
          ...(usageWebhook(name, `${rig.sinkUrl}/${name}`) as object),
          ...more,
        });
      const plain = await make('plain', ORGANISATION, {});
      const dropping = await make('private', ORGANISATION + 1, { privacy: PRIVACY });
      const faults: string[] = [];
      // Records that were changed on purpose are not those that the receiver expects: the stream's own counters are asked.
      const drive = async (stream: RunningStream, count: number) => {
        const all = (await stream.delivered()) + count;
        const before = cpuTime(bench.node.pid).total;
        await rig.produce(rig.allot({ ...shape, records: count }, stream.target));
        faults.push(...(await stream.settled(all)));
        return (cpuTime(bench.node.pid).total - before) / count;
      };
      const without: number[] = [];
      const within: number[] = [];
      for (let round = 0; round <= rounds; round++) {
        say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
        const count = round === 0 ? Math.min(WARM_UP, shape.records) : shape.records;
        const one = await drive(plain, count);
        const other = await drive(dropping, count);
        if (round === 0) continue;
        without.push(one);
        within.push(other);
      }
      return {
        title: `${shape.records.toLocaleString('en')} usage records in requests of ${BATCH}; ${PRIVACY.drop.length} fields removed, ${PRIVACY.hash.length} hashed; ${rounds} rounds`,
        figures: [
          figure('CPU of the node, without privacy', 'µs/record', without),
          figure('CPU of the node, with privacy', 'µs/record', within),
          figure(
            '  more',
            'µs/record',
            within.map((each, round) => each - (without[round] as number)),
          ),
        ],
        holds: 'both streams count all records as delivered',
        faults,
      };
    });
  },
};
