import { usageWebhook } from '../../tests/support/api-client.ts';
import { createStream, withNode } from '../bench-node.ts';
import { cpuTime } from '../process-usage.ts';
import { figure, type Scenario } from '../scenario.ts';

/** A webhook of size 1 whose receiver is far away: one request at a time, and as many as there are lanes. */
const LANES = 16;
/** Divides the loads of one lane and of all of them. */
const BATCH = 10;
/** Loads are whole batches, also the warm-up of a tenth in one lane. */
const STEP = LANES * BATCH * 10;
const ANSWERS_AFTER_MS = 50;
const ORGANISATION = 1_000_001;

export const lanes: Scenario = {
  name: 'lanes',
  description: `a webhook of size 1 whose answers take ${ANSWERS_AFTER_MS} ms, in order of devices with ${LANES} requests at a time, beside one`,

  run: async ({ rig, records = 3_200, quick, say }) => {
    const count = Math.ceil((quick ? Math.min(records, STEP) : records) / STEP) * STEP;
    const rounds = quick ? 1 : 3;
    return withNode(async (bench) => {
      const { pid } = bench.node;
      const make = (name: string, organisation: number, delivery?: object) =>
        createStream(bench, organisation, 'usage', {
          ...(usageWebhook(name, `${rig.sinkUrl}/${name}`, 1) as object),
          ...(delivery ? { delivery } : {}),
        });
      const one = await make('one-lane', ORGANISATION);
      const many = await make('lanes', ORGANISATION + 1, { ordering: 'device', max_in_flight: LANES });
      const answer = { answersAfterMs: ANSWERS_AFTER_MS, anyOrder: true };
      const faults: string[] = [];
      const oneLane: number[] = [];
      const lanes: number[] = [];
      const cpu: number[] = [];
      for (let round = 0; round <= rounds; round++) {
        say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
        const size = round === 0 ? count / 10 : count;
        const load = (share: number) => ({ records: size / share, batch: BATCH, connections: 1 });
        const first = await rig.drive(rig.allot(load(LANES), one.target), '/one-lane', answer);
        const before = cpuTime(pid).total;
        const second = await rig.drive(rig.allot(load(1), many.target), '/lanes', answer);
        faults.push(...first.faults, ...second.faults);
        if (round === 0) continue;
        oneLane.push(first.recordsPerSecond);
        lanes.push(second.recordsPerSecond);
        cpu.push((cpuTime(pid).total - before) / size);
      }
      return {
        title: `${count.toLocaleString('en')} records, each alone, to a receiver that answers after ${ANSWERS_AFTER_MS} ms; ${rounds} rounds`,
        figures: [
          figure('one request at a time', 'deliveries/s', oneLane),
          figure(`${LANES} lanes`, 'deliveries/s', lanes),
          figure(
            '  / one',
            '',
            lanes.map((each, round) => each / (oneLane[round] as number)),
            { atLeast: 15 },
          ),
          figure('  CPU of the node', 'µs/delivery', cpu),
        ],
        holds: 'no record lost, duplicated or changed',
        faults,
      };
    });
  },
};
