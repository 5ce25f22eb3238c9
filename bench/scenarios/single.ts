import { usageWebhook } from '../../tests/support/api-client.ts';
import { type BenchNode, barePipe, createBusyStream, createStream, withNode } from '../bench-node.ts';
import { cpuTime } from '../process-usage.ts';
import type { Drive, Rig, Target } from '../rig.ts';
import { type Figure, figure, IN_ORDER, type Scenario } from '../scenario.ts';
import { BATCH, CONNECTIONS } from './throughput.ts';

/** Records that travel alone: a receiver that takes one for each request, and a producer that sends one for each request. */
const WARM_UP = 8_000;
const FIRST = 1_000_010;

/** Webhooks of size 1, each beside bare undici with as many requests in flight. */
const CASES = [
  { name: 'one stream', streams: 1, lanes: 1 },
  { name: `${CONNECTIONS} streams`, streams: CONNECTIONS, lanes: 1 },
  { name: `${CONNECTIONS} lanes`, streams: 1, lanes: CONNECTIONS },
] as const;
type Case = (typeof CASES)[number];

export const single: Scenario = {
  name: 'single',
  description: 'webhooks of size 1 beside bare undici, and requests of one record',

  run: async ({ rig, records = 8_000, quick, say }) => {
    const count = quick ? Math.min(records, 2_000) : records;
    const rounds = quick ? 1 : 3;
    return withNode(async (bench) => {
      const { pid } = bench.node;
      const stream = await createBusyStream(bench, rig, 'single');
      const loads = [];
      for (const [at, one] of CASES.entries())
        loads.push({ ...one, ...(await prepare(bench, rig, FIRST + at * 100, one)) });
      const pipe = barePipe(rig);
      const faults: string[] = [];
      const measured = new Map<string, Measured[]>(CASES.map(({ name }) => [name, []]));
      const perRequest: number[] = [];
      for (let round = 0; round <= rounds; round++) {
        say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
        const size = round === 0 ? WARM_UP / 4 : count;
        for (const { name, target, path, streams, lanes } of loads) {
          const alone = { records: size, batch: 1, connections: streams * lanes };
          const bare = await rig.drive(rig.allot(alone, pipe), pipe.path);
          const cpu = cpuTime(pid).total;
          const batches = { records: size, batch: Math.min(BATCH, size), connections: 1 };
          const drive = await rig.drive(rig.allot(batches, target), path, { anyOrder: lanes > 1 });
          faults.push(...drive.faults.map((fault) => `${name}: ${fault}`));
          if (round > 0)
            measured.get(name)?.push({ bare, drive, cpuMicros: (cpuTime(pid).total - cpu) / size });
        }
        const cpu = cpuTime(pid).total;
        const requests = { records: size, batch: 1, connections: CONNECTIONS };
        const requestDrive = await rig.drive(rig.allot(requests, stream.target), stream.sinkPath);
        faults.push(...requestDrive.faults);
        if (round > 0) perRequest.push((cpuTime(pid).total - cpu) / size);
      }
      return {
        title: `${count.toLocaleString('en')} records, each alone; ${rounds} rounds`,
        figures: [
          ...CASES.flatMap(({ name }) => rowOf(name, measured.get(name) ?? [])),
          ...CASES.map(({ name }) =>
            figure(`${name} / bare undici`, '', (measured.get(name) ?? []).map(shareOfBare), {
              atLeast: 0.85,
            }),
          ),
          figure(`requests of one record, ${CONNECTIONS} connections: CPU`, 'µs/record', perRequest, {
            atMost: 150,
          }),
        ],
        holds: `${IN_ORDER} but those of the lanes`,
        faults,
      };
    });
  },
};

interface Measured {
  readonly bare: Drive;
  readonly drive: Drive;
  readonly cpuMicros: number;
}

/** Several streams are of an organisation each, so that each record goes to one of them. */
async function prepare(bench: BenchNode, rig: Rig, first: number, { streams, lanes }: Case) {
  const path = `/single-${first}`;
  const body = usageWebhook('size 1', rig.sinkUrl + path, 1) as object;
  const delivery = lanes > 1 ? { delivery: { ordering: 'device', max_in_flight: lanes } } : {};
  let target: Target | undefined;
  for (let at = 0; at < streams; at++) {
    const created = await createStream(bench, first + at, 'usage', { ...body, ...delivery });
    target ??= { ...created.target, ...(streams > 1 ? { organisations: streams } : {}) };
  }
  return { target: target as Target, path };
}

const shareOfBare = ({ bare, drive }: Measured) => drive.recordsPerSecond / bare.recordsPerSecond;

function rowOf(row: string, measured: readonly Measured[]): Figure[] {
  const column = (name: string, unit: string, pick: (one: Measured) => number) => ({
    ...figure(name, unit, measured.map(pick)),
    row,
  });
  return [
    column('bare undici', 'requests/s', ({ bare }) => bare.recordsPerSecond),
    column('webhooks of size 1', 'deliveries/s', ({ drive }) => drive.recordsPerSecond),
    column('CPU of the node, its ingest included', 'µs/delivery', ({ cpuMicros }) => cpuMicros),
  ];
}
