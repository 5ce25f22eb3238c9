import { usageWebhook } from '../../tests/support/api-client.ts';
import { barePipe, createBusyStream, createStream, withNode } from '../bench-node.ts';
import { cpuTime } from '../process-usage.ts';
import { figure, IN_ORDER, type Scenario } from '../scenario.ts';
import { BATCH, CONNECTIONS } from './throughput.ts';

/** Records that travel alone: a receiver that takes one for each request, and a producer that sends one for each request. */
const WARM_UP = 8_000;
const ORGANISATION = 1_000_002;

export const single: Scenario = {
  name: 'single',
  description: 'webhooks of size 1 beside bare undici, and requests of one record',

  run: async ({ rig, records = 8_000, quick, say }) => {
    const count = quick ? Math.min(records, 2_000) : records;
    const rounds = quick ? 1 : 3;
    return withNode(async (bench) => {
      const { pid } = bench.node;
      const stream = await createBusyStream(bench, rig, 'single');
      const path = '/size-1';
      const alone = await createStream(
        bench,
        ORGANISATION,
        'usage',
        usageWebhook('size-1', rig.sinkUrl + path, 1),
      );
      const pipe = barePipe(rig);
      const faults: string[] = [];
      const bare: number[] = [];
      const sizeOne: number[] = [];
      const perDelivery: number[] = [];
      const perRequest: number[] = [];
      for (let round = 0; round <= rounds; round++) {
        say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
        const size = round === 0 ? WARM_UP / 4 : count;
        const one = { records: size, batch: 1, connections: 1 };
        const pipeDrive = await rig.drive(rig.allot(one, pipe), pipe.path);
        let cpu = cpuTime(pid).total;
        const batches = { records: size, batch: Math.min(BATCH, size), connections: 1 };
        const aloneDrive = await rig.drive(rig.allot(batches, alone.target), path);
        const delivery = (cpuTime(pid).total - cpu) / size;
        cpu = cpuTime(pid).total;
        const requests = { records: size, batch: 1, connections: CONNECTIONS };
        const requestDrive = await rig.drive(rig.allot(requests, stream.target), stream.sinkPath);
        faults.push(...aloneDrive.faults, ...requestDrive.faults);
        if (round === 0) continue;
        bare.push(pipeDrive.recordsPerSecond);
        sizeOne.push(aloneDrive.recordsPerSecond);
        perDelivery.push(delivery);
        perRequest.push((cpuTime(pid).total - cpu) / size);
      }
      return {
        title: `${count.toLocaleString('en')} records, each alone; ${rounds} rounds`,
        figures: [
          figure('bare undici, one connection', 'requests/s', bare),
          figure('a webhook of size 1', 'deliveries/s', sizeOne),
          figure(
            '  / bare undici',
            '',
            sizeOne.map((each, round) => each / (bare[round] as number)),
            { atLeast: 0.85 },
          ),
          figure('  CPU of the node, ingest in thousands', 'µs/delivery', perDelivery),
          figure(`requests of one record, ${CONNECTIONS} connections: CPU`, 'µs/record', perRequest, {
            atMost: 150,
          }),
        ],
        holds: IN_ORDER,
        faults,
      };
    });
  },
};
