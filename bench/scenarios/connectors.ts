import { BASE_KEYS } from '../../tests/support/aws-sts.ts';
import { newServiceAccount } from '../../tests/support/pub-sub-rest.ts';
import { type BenchNode, createStream, type RunningStream, withNode } from '../bench-node.ts';
import type { NumberedKind } from '../numbered-records.ts';
import { cpuTime, memory } from '../process-usage.ts';
import { type Child, startChild } from '../processes/calls.ts';
import type { StandInCalls } from '../processes/stand-ins.ts';
import { faultsOf, type Rig } from '../rig.ts';
import { type Figure, figure, median, type Scenario } from '../scenario.ts';
import { BUCKETS, COLLECTION, type StandInName } from '../stand-ins.ts';
import { measureYardsticks } from '../yardsticks.ts';
import { BATCH, CONNECTIONS } from './throughput.ts';

/** Files of S3 have as many, so that every load ends with a complete file and never waits for the rotation interval. */
const FILE = 10_000;
const RECORDS = 60_000;
const ROUNDS = 5;
/** Sent through each connector before the measurement: compiles its code, opens its connections, signs it in. */
const WARM_UP = 2 * FILE;
const FIRST_ORGANISATION = 1_200_001;
const ROLE = 'arn:aws:iam::123456789012:role/simstream';
const AWS = { region: 'eu-west-1', role_arn: ROLE };

interface Connector {
  readonly name: StandInName;
  readonly kind: NumberedKind;
  /** `destination` of the stream, without the format; every member that has a default keeps it. */
  credentials(url: URL): Readonly<Record<string, unknown>>;
}

/** The webhook comes first: the others are compared with it. */
const CONNECTORS: readonly Connector[] = [
  { name: 'RestAPI', kind: 'usage', credentials: (url) => ({ url: `${url.origin}/webhook` }) },
  { name: 'AwsKinesis', kind: 'usage', credentials: () => ({ ...AWS, stream_name: 'bench' }) },
  {
    name: 'S3 Csv',
    kind: 'usage',
    credentials: () => ({ ...AWS, bucket_name: BUCKETS['S3 Csv'], flush_size: FILE }),
  },
  {
    name: 'S3 Json',
    kind: 'usage',
    credentials: () => ({ ...AWS, bucket_name: BUCKETS['S3 Json'], flush_size: FILE }),
  },
  {
    name: 'EventHubs',
    kind: 'usage',
    credentials: ({ host }) => ({
      connection_string: `Endpoint=sb://${host}/;SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0;EntityPath=hub;UseDevelopmentEmulator=true`,
    }),
  },
  { name: 'PubSub', kind: 'usage', credentials: () => ({ cps_project: 'sim-operator', cps_topic: 'bench' }) },
  {
    name: 'Datadog usage',
    kind: 'usage',
    credentials: () => ({ api_key: '0123456789abcdef0123456789abcdef', historical_metrics: true }),
  },
  {
    name: 'Datadog events',
    kind: 'events',
    credentials: () => ({ api_key: '0123456789abcdef0123456789abcdef' }),
  },
  {
    name: 'KeenIO',
    kind: 'usage',
    credentials: () => ({ project_id: 'bench', write_key: 'WRITEKEY', collection_name: COLLECTION }),
  },
];

interface Round {
  readonly cpuMicros: number;
  readonly recordsPerSecond: number;
  readonly requestsPerThousand: number;
}

interface Line {
  readonly connector: Connector;
  readonly stream: RunningStream;
  readonly rounds: Round[];
}

export const connectors: Scenario = {
  name: 'connectors',
  description: 'each connector against its stand-in: CPU per record beside the webhook’s and parse',

  run: async ({ rig, records = RECORDS, quick, say }) => {
    const load = quick ? FILE : Math.ceil(records / FILE) * FILE;
    const rounds = quick ? 1 : ROUNDS;
    const wanted = chosen();
    say('yardstick: parse');
    const { parseMicros } = await measureYardsticks(BATCH, quick);
    const standIns: Child<StandInCalls> = startChild('./stand-ins.ts');
    try {
      const roles = wanted.map((_, at) => ({ arn: ROLE, externalId: `org-${FIRST_ORGANISATION + at}` }));
      const url = new URL(await standIns.call.url(roles));
      return await withNode(
        async (bench) => {
          const lines: Line[] = [];
          for (const [at, connector] of wanted.entries()) {
            const stream = await start(bench, connector, FIRST_ORGANISATION + at, url);
            lines.push({ connector, stream, rounds: [] });
          }
          const faults: string[] = [];
          const drive = async ({ connector, stream }: Line, count: number) => {
            const driven = await driveConnector(bench, rig, standIns, connector.name, stream, count);
            faults.push(...driven.faults.map((fault) => `${connector.name}: ${fault}`));
            return driven;
          };
          for (const line of lines) {
            say(`warming up: ${line.connector.name}`);
            await drive(line, quick ? FILE : WARM_UP);
          }
          // In turns, so that a slow phase of the machine slows all of them.
          for (let round = 1; round <= rounds; round++) {
            for (const line of lines) {
              say(`round ${round} of ${rounds}: ${line.connector.name}`);
              line.rounds.push(await drive(line, load));
            }
          }
          const peak = memory(bench.node.pid).peakResident;
          return {
            title:
              `${load.toLocaleString('en')} records through a stream of each connector, ingest to acknowledged delivery, ` +
              `against stand-ins that answer at once; ${rounds} rounds in turns`,
            figures: [
              ...lines.flatMap((line) => figuresOf(line, lines[0] as Line, parseMicros)),
              figure('parse', 'µs/record', [parseMicros]),
              figure('peak RSS of the node with all of them', 'MB', [peak / 1e6]),
            ],
            holds: 'no record lost, duplicated or changed; all in order, with AwsKinesis per key',
            faults,
          };
        },
        { environment: environmentOf(url) },
      );
    } finally {
      await standIns.end();
    }
  },
};

/** `SIMSTREAM_BENCH_CONNECTORS=PubSub,KeenIO`: only these, e.g. to profile the node. The webhook always runs. */
function chosen(): readonly Connector[] {
  const names = process.env.SIMSTREAM_BENCH_CONNECTORS?.split(',');
  return CONNECTORS.filter(({ name }, at) => at === 0 || !names || names.includes(name));
}

/** The vendors' own variables for other endpoints, and the platform operator's credentials where the vendor needs them. */
function environmentOf(url: URL): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: url.origin,
    AWS_ACCESS_KEY_ID: BASE_KEYS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: BASE_KEYS.secretAccessKey,
    CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB: url.origin,
    GOOGLE_APPLICATION_CREDENTIALS: newServiceAccount('bench@sim-operator.iam.gserviceaccount.com').keyFile,
    METADATA_SERVER_DETECTION: 'none',
    DD_URL: url.origin,
    KEEN_API_URL: url.origin,
  };
}

function start(
  bench: BenchNode,
  { name, kind, credentials }: Connector,
  organisationId: number,
  url: URL,
): Promise<RunningStream> {
  const [connectionType, form] = name.split(' ');
  return createStream(bench, organisationId, kind, {
    name,
    data_stream_type: { id: kind === 'usage' ? 1 : 2 },
    destination: {
      connection_type: connectionType,
      credentials: credentials(url),
      format: form === 'Csv' ? 'Csv' : 'Json',
    },
  });
}

async function driveConnector(
  { node }: BenchNode,
  rig: Rig,
  standIns: Child<StandInCalls>,
  name: StandInName,
  stream: RunningStream,
  records: number,
): Promise<Round & { faults: string[] }> {
  const load = rig.allot({ records, batch: BATCH, connections: CONNECTIONS }, stream.target);
  const deliveredBefore = await stream.delivered();
  await standIns.call.expect(name);
  const before = cpuTime(node.pid);
  const sent = await rig.produce(load);
  const faults = await stream.settled(deliveredBefore + records);
  const cpu = cpuTime(node.pid).total - before.total;
  const { organisationId, kind } = stream.target;
  const account = await standIns.call.result({
    ...{ name, kind, organisationId, first: load.first, records },
    ...{ batch: BATCH, lanes: CONNECTIONS, arrivals: false },
  });
  const strays = account.strays > 0 ? [`${account.strays} requests for no stand-in so far`] : [];
  return {
    cpuMicros: cpu / records,
    recordsPerSecond: (records * 1_000) / (account.lastAt - sent.startedAt),
    requestsPerThousand: (account.requests * 1_000) / records,
    faults: [...faults, ...faultsOf(account), ...strays],
  };
}

function figuresOf({ connector, rounds }: Line, webhook: Line, parseMicros: number): Figure[] {
  const row = connector.name;
  const cpu = rounds.map(({ cpuMicros }) => cpuMicros);
  const ratios = cpu.map((each, at) => each / (webhook.rounds[at] as Round).cpuMicros);
  return [
    figure('CPU of the node', 'µs/record', cpu),
    figure('/ webhook', '', ratios),
    figure('/ parse', '', [median(cpu) / parseMicros]),
    figure(
      'end to end',
      'records/s',
      rounds.map(({ recordsPerSecond }) => recordsPerSecond),
    ),
    figure('requests', 'of 1,000 records', [
      median(rounds.map(({ requestsPerThousand }) => requestsPerThousand)),
    ]),
  ].map((each) => ({ ...each, row }));
}
