import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ApiClient, ASK_EVERY, createApiClient, usageWebhook } from '../tests/support/api-client.ts';
import {
  type NodeOptions,
  type NodeProcess,
  OPERATOR_TOKEN,
  startNode,
} from '../tests/support/node-process.ts';
import { removeDirectory, temporaryDirectory } from '../tests/support/owned.ts';
import { waitFor } from '../tests/support/wait-for.ts';
import type { NumberedKind } from './numbered-records.ts';
import { cpuByThread, cpuTime, type MemoryPeaks, watchMemory } from './process-usage.ts';
import type { Drive, Rig, Shape, Target } from './rig.ts';

/** A node with one organisation, for measurements. */
export interface BenchNode {
  readonly node: NodeProcess;
  readonly api: ApiClient;
  readonly stop: () => Promise<void>;
}

/** The organisation that owns the busy stream of every scenario. */
const BUSY_ORGANISATION = 1_000_001;
/** Fixed per run of the bench, so that a scenario can seal credentials as the node does. */
export const SECRET = randomBytes(32).toString('base64');

/**
 * Options of the node's own Node.js: those of `npm run simstream`, then those of `SIMSTREAM_BENCH_NODE_ARGUMENTS`, e.g.
 * `--cpu-prof`.
 */
export const NODE_ARGUMENTS = [
  ...optionsOfScript(),
  ...(process.env.SIMSTREAM_BENCH_NODE_ARGUMENTS ?? '').split(' ').filter(Boolean),
];

/** That of `npm run simstream`. */
const COMPILE_CACHE = fileURLToPath(new URL('../node_modules/.cache/node', import.meta.url));

function optionsOfScript(): string[] {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const { scripts } = JSON.parse(text) as { scripts: { simstream: string } };
  return scripts.simstream.split(' ').filter((word) => word.startsWith('--'));
}

export async function startBenchNode(
  dataDirectory: string,
  options: Partial<NodeOptions> = {},
): Promise<BenchNode> {
  const node = await startNode({
    dataDirectory,
    nodeArguments: NODE_ARGUMENTS,
    ...options,
    environment: { SIMSTREAM_SECRET: SECRET, NODE_COMPILE_CACHE: COMPILE_CACHE, ...options.environment },
  });
  return {
    node,
    api: createApiClient(node.url),
    stop: async () => {
      await node.stop();
    },
  };
}

/** Runs `use` with a new node on a new data directory, and removes both afterwards. */
export async function withNode<T>(
  use: (bench: BenchNode) => Promise<T>,
  options: Partial<NodeOptions> = {},
): Promise<T> {
  const directory = temporaryDirectory();
  try {
    const bench = await startBenchNode(directory, options);
    try {
      return await use(bench);
    } finally {
      await bench.stop();
    }
  } finally {
    removeDirectory(directory);
  }
}

/** A running data stream. */
export interface RunningStream {
  /** Where its records are sent to. */
  readonly target: Target;
  delivered(): Promise<number>;
  /** Resolves when the stream's own counters show `records` delivered; otherwise returns what they show instead. */
  settled(records: number): Promise<string[]>;
}

/** A running data stream that delivers to the sink. */
export interface BusyStream extends RunningStream {
  readonly sinkPath: string;
}

export async function createBusyStream(bench: BenchNode, rig: Rig, name: string): Promise<BusyStream> {
  const sinkPath = `/${name}`;
  const body = usageWebhook(name, rig.sinkUrl + sinkPath);
  return { ...(await createStream(bench, BUSY_ORGANISATION, 'usage', body)), sinkPath };
}

/** Creates an organisation and its stream of records of a kind; `body` is that of the API. */
export async function createStream(
  { api }: BenchNode,
  organisationId: number,
  kind: NumberedKind,
  body: unknown,
): Promise<RunningStream> {
  await api.createOrganisation(organisationId, 'Nordlicht Metering');
  const token = await api.authenticate(organisationId);
  const id = await api.createStream(token, body);
  await waitFor(
    'the stream is running',
    async () => (await api.stream(token, id)).status.id === 1 || undefined,
    20_000,
    ASK_EVERY,
  );
  const delivered = async () => (await api.stream(token, id)).progress.delivered;
  return {
    target: {
      origin: api.url,
      path: `/operator/v1/records/${kind}`,
      token: OPERATOR_TOKEN,
      organisationId,
      kind,
    },
    delivered,
    settled: async (records) => {
      let last = '';
      const check = async () => {
        const { progress } = await api.stream(token, id);
        last = JSON.stringify(progress);
        return (progress.delivered === records && progress.pending === 0) || undefined;
      };
      try {
        await waitFor(
          () => `the stream counts ${records} records; it says ${last}`,
          check,
          20_000,
          ASK_EVERY,
        );
        return [];
      } catch (error) {
        return [(error as Error).message];
      }
    },
  };
}

/** The target of a load on the bare pipe: the sink itself, without a node. */
export function barePipe(rig: Rig): Target {
  return {
    origin: rig.sinkUrl,
    path: '/bare-pipe',
    token: OPERATOR_TOKEN,
    organisationId: BUSY_ORGANISATION,
    kind: 'usage',
  };
}

export interface NodeDrive extends Drive {
  /** Microseconds of CPU per record, from ingest to acknowledged delivery. */
  readonly cpuMicros: number;
  /** CPU of the main thread only. */
  readonly mainThreadMicros: number;
  /** The same by what the threads do. */
  readonly threadMicros: ReadonlyMap<string, number>;
  readonly memory: MemoryPeaks;
}

/** Sends a load through a node and measures its CPU and memory meanwhile. */
export async function driveNode(
  { node }: BenchNode,
  stream: BusyStream,
  rig: Rig,
  shape: Shape,
): Promise<NodeDrive> {
  const load = rig.allot(shape, stream.target);
  const deliveredBefore = await stream.delivered();
  const stopWatching = watchMemory(node.pid);
  const before = cpuTime(node.pid);
  const threadsBefore = cpuByThread(node.pid);
  try {
    const drive = await rig.drive(load, stream.sinkPath);
    const faults = await stream.settled(deliveredBefore + shape.records);
    const after = cpuTime(node.pid);
    const threads = [...cpuByThread(node.pid)].map(
      ([name, micros]) => [name, (micros - (threadsBefore.get(name) ?? 0)) / shape.records] as const,
    );
    return {
      ...drive,
      faults: [...drive.faults, ...faults],
      cpuMicros: (after.total - before.total) / shape.records,
      threadMicros: new Map(threads),
      mainThreadMicros: (after.main - before.main) / shape.records,
      memory: stopWatching(),
    };
  } finally {
    stopWatching();
  }
}
