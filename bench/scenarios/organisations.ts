import { usageWebhook } from '../../tests/support/api-client.ts';
import { OPERATOR_TOKEN } from '../../tests/support/node-process.ts';
import { type BenchNode, createStream, withNode } from '../bench-node.ts';
import { bytesWritten, cpuTime, memory } from '../process-usage.ts';
import type { Rig, Target } from '../rig.ts';
import { type Figure, figure, median, type Scenario } from '../scenario.ts';
import { measureYardsticks } from '../yardsticks.ts';
import { BATCH, CONNECTIONS } from './throughput.ts';

/** What the product is for: requests with records of many organisations, each with a stream of its own or none. */
const CASES = [
  { name: 'one organisation, no stream', organisations: 1, streams: 0 },
  { name: '95 organisations, no stream', organisations: 95, streams: 0 },
  { name: '2,000 organisations, no stream', organisations: 2_000, streams: 0 },
  { name: 'one organisation, one stream', organisations: 1, streams: 1 },
  { name: '95 organisations, 95 streams', organisations: 95, streams: 95 },
] as const;
const WARM_UP = 24_000;
const REGISTERED_TOGETHER = 16;
/** Each case has organisations of its own. */
const APART = 10_000;
const FIRST = 2_000_000;
/** A call of the operator and one of the customer for each stream. */
const NO_LIMITS = {
  SIMSTREAM_RATE_LOGINS: '0',
  SIMSTREAM_RATE_ANONYMOUS: '0',
  SIMSTREAM_RATE_READS: '0',
  SIMSTREAM_RATE_WRITES: '0',
};

export const organisations: Scenario = {
  name: 'organisations',
  description: 'CPU and disk writes per record where a request has records of many organisations',

  run: async ({ rig, records = 200_000, quick, say }) => {
    const count = quick ? Math.min(records, 48_000) : records;
    const rounds = quick ? 1 : 3;
    say('yardstick: parse');
    const { parseMicros } = await measureYardsticks(BATCH, quick);
    return withNode(
      async (bench) => {
        const loads = [];
        for (const [at, { name, ...one }] of CASES.entries()) {
          say(`${name}: ${one.streams} streams`);
          loads.push({ name, ...one, ...(await prepare(bench, rig, FIRST + at * APART, one)) });
        }
        const faults: string[] = [];
        const measured = new Map<string, Measured[]>(CASES.map(({ name }) => [name, []]));
        for (let round = 0; round <= rounds; round++) {
          for (const { name, target, path } of loads) {
            say(round === 0 ? `warming up: ${name}` : `round ${round} of ${rounds}: ${name}`);
            const one = await drive(bench, rig, target, path, round === 0 ? WARM_UP : count);
            faults.push(...one.faults.map((fault) => `${name}: ${fault}`));
            if (round > 0) measured.get(name)?.push(one);
          }
        }
        return {
          title: `${count.toLocaleString('en')} records in requests of ${BATCH}, ${CONNECTIONS} connections; ${rounds} rounds in turns`,
          figures: [
            ...CASES.flatMap(({ name }) => rows(name, measured.get(name) ?? [], parseMicros)),
            ...ratios(measured),
            figure('parse', 'µs/record', [parseMicros]),
            figure('peak RSS of the node', 'MB', [memory(bench.node.pid).peakResident / 1e6]),
          ],
          holds: 'no record lost, duplicated or changed',
          faults,
        };
      },
      { environment: NO_LIMITS },
    );
  },
};

interface Measured {
  readonly cpuMicros: number;
  readonly written: number;
  readonly perSecond: number;
  readonly faults: readonly string[];
}

async function prepare(
  bench: BenchNode,
  rig: Rig,
  first: number,
  { organisations, streams }: { organisations: number; streams: number },
): Promise<{ target: Target; path: string | undefined }> {
  const path = `/organisations-${first}`;
  for (let i = streams; i < organisations; i += REGISTERED_TOGETHER) {
    const some = Math.min(REGISTERED_TOGETHER, organisations - i);
    const register = (_: unknown, n: number) =>
      bench.api.createOrganisation(first + i + n, 'Nordlicht Metering');
    await Promise.all(Array.from({ length: some }, register));
  }
  for (let i = 0; i < streams; i++)
    await createStream(bench, first + i, 'usage', usageWebhook('organisations', rig.sinkUrl + path));
  const target: Target = {
    origin: bench.api.url,
    path: '/operator/v1/records/usage',
    token: OPERATOR_TOKEN,
    organisationId: first,
    ...(organisations > 1 ? { organisations } : {}),
    kind: 'usage',
  };
  return { target, path: streams > 0 ? path : undefined };
}

async function drive(
  { node }: BenchNode,
  rig: Rig,
  target: Target,
  path: string | undefined,
  records: number,
): Promise<Measured> {
  const load = rig.allot({ records, batch: BATCH, connections: CONNECTIONS }, target);
  const cpu = cpuTime(node.pid).total;
  const written = bytesWritten(node.pid);
  let perSecond: number;
  let faults: readonly string[] = [];
  if (path) ({ recordsPerSecond: perSecond, faults } = await rig.drive(load, path));
  else {
    const { startedAt, endedAt } = await rig.produce(load);
    perSecond = (records * 1_000) / (endedAt - startedAt);
  }
  return {
    cpuMicros: (cpuTime(node.pid).total - cpu) / records,
    written: (bytesWritten(node.pid) - written) / records,
    perSecond,
    faults,
  };
}

function rows(row: string, measured: readonly Measured[], parse: number): Figure[] {
  const column = (name: string, unit: string, pick: (one: Measured) => number) => ({
    ...figure(name, unit, measured.map(pick)),
    row,
  });
  return [
    column('CPU of the node', 'µs/record', ({ cpuMicros }) => cpuMicros),
    column('/ parse', '', ({ cpuMicros }) => cpuMicros / parse),
    column('written', 'B/record', ({ written }) => written),
    column('end to end', 'records/s', ({ perSecond }) => perSecond),
  ];
}

/** Beside one organisation, with a stream or without. */
function ratios(measured: ReadonlyMap<string, readonly Measured[]>): Figure[] {
  const cpu = (at: number) => (measured.get(CASES[at]?.name ?? '') ?? []).map(({ cpuMicros }) => cpuMicros);
  const ratio = (at: number, beside: number) =>
    figure(
      `${CASES[at]?.name} / ${CASES[beside]?.name}`,
      '',
      cpu(at).map((each, round) => each / (cpu(beside)[round] as number)),
      { atMost: 1.3 },
    );
  const written = [...measured.values()].map((rounds) => median(rounds.map((one) => one.written)));
  return [
    ratio(1, 0),
    ratio(2, 0),
    ratio(4, 3),
    figure('written, the most of all', 'B/record', [Math.max(...written)], { atMost: 200 }),
  ];
}
