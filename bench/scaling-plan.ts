/**
 * The plan of docs/scaling.md: the resources that a fleet needs, from the bench's figures and the prices of a cloud.
 * `node bench/scaling-plan.ts` prints its table; replace the figures by your own and run it again.
 */

/** From `npm run bench -- cluster`, three nodes, replicas 3, requests of 100 records: medians of three runs, per record. */
const MEASURED = {
  /** Microseconds of CPU of the nodes, from ingest to one acknowledged delivery; and the part in their main threads. */
  nodeMicros: 33,
  mainMicros: 22,
  /** Microseconds of CPU of all NATS servers. */
  natsMicros: 11.7,
  /** Bytes in the log in one replica; bytes that all NATS servers received; bytes that they wrote to disk. */
  storedBytes: 109,
  natsReceivedBytes: 446,
  natsWrittenBytes: 657,
  /** Bytes as the record comes in, and as a webhook receives it. */
  recordBytes: 878,
} as const;

const ASSUMED = {
  /** The busiest hour as a multiple of the average. */
  busyHour: 3,
  /** Data streams that each record matches. */
  streamsPerRecord: 1,
  retentionDays: 7,
  replicas: 3,
  /** The part of CPU and disk used in the busiest hour: the rest is for catching up, and for a failed node or server. */
  fill: 0.5,
  partitionsPerNode: 8,
  vcpusPerMachine: 2,
  largestDiskGB: 4_000,
  euroPerVcpuMonth: 25,
  euroPerDiskGBMonth: 0.1,
  euroPerInternalGB: 0.01,
  euroPerInternetGB: 0.05,
} as const;

interface Fleet {
  readonly name: string;
  readonly devices: number;
  /** Usage records and events, per device and hour. */
  readonly recordsPerHour: number;
}

const FLEETS: readonly Fleet[] = [
  { name: '1 million, hourly', devices: 1e6, recordsPerHour: 1 + 0.5 },
  { name: '1 million, every 15 min', devices: 1e6, recordsPerHour: 4 + 1 },
  { name: '100 million, hourly', devices: 1e8, recordsPerHour: 1 + 0.5 },
  { name: '100 million, every 15 min', devices: 1e8, recordsPerHour: 4 + 1 },
];

const LEAST = 3;
const LEAST_PARTITIONS = 16;
const SECONDS_PER_DAY = 86_400;
const SECONDS_PER_MONTH = 30 * SECONDS_PER_DAY;

function planOf({ devices, recordsPerHour }: Fleet) {
  const {
    nodeMicros,
    mainMicros,
    natsMicros,
    storedBytes,
    natsReceivedBytes,
    natsWrittenBytes,
    recordBytes,
  } = MEASURED;
  const { busyHour, streamsPerRecord, retentionDays, replicas, fill, partitionsPerNode } = ASSUMED;
  const { vcpusPerMachine, largestDiskGB } = ASSUMED;
  const average = (devices * recordsPerHour) / 3_600;
  const peak = average * busyHour;
  const nodeCores = (peak * nodeMicros) / 1e6;
  const natsCores = (peak * natsMicros) / 1e6;
  const mainThreads = (peak * mainMicros) / 1e6;
  const nodes = Math.max(LEAST, Math.ceil(nodeCores / fill / vcpusPerMachine), Math.ceil(mainThreads / fill));
  const diskGB = (average * SECONDS_PER_DAY * retentionDays * storedBytes * replicas) / 1e9;
  const servers = Math.max(
    LEAST,
    Math.ceil(natsCores / fill / vcpusPerMachine),
    Math.ceil(diskGB / fill / largestDiskGB),
  );
  const partitions = Math.max(LEAST_PARTITIONS, 2 ** Math.ceil(Math.log2(partitionsPerNode * nodes)));
  const bitsPerByte = 8;
  const megabits = (bytes: number) => (peak * bytes * bitsPerByte) / 1e6;
  // Blocks to NATS and between its servers, and from NATS to the node that holds the partition.
  const internalBytes = natsReceivedBytes + storedBytes;
  const outBytes = recordBytes * streamsPerRecord;
  const gigabytesPerMonth = (bytes: number) => (average * SECONDS_PER_MONTH * bytes) / 1e9;
  const euro = {
    machines: (nodes + servers) * vcpusPerMachine * ASSUMED.euroPerVcpuMonth,
    disk: (diskGB / fill) * ASSUMED.euroPerDiskGBMonth,
    internal: gigabytesPerMonth(internalBytes) * ASSUMED.euroPerInternalGB,
    internet: gigabytesPerMonth(outBytes) * ASSUMED.euroPerInternetGB,
  };
  return {
    'records/s, average': average,
    'records/s, busiest hour': peak,
    'CPU of the nodes then, cores': nodeCores,
    'CPU of NATS then, cores': natsCores,
    'nodes of 2 vCPU': nodes,
    'NATS servers of 2 vCPU': servers,
    partitions: partitions,
    'records/s of a partition then': peak / partitions,
    'disk for 7 days, all replicas, GB': diskGB,
    'disk writes of all servers then, MB/s': (peak * natsWrittenBytes) / 1e6,
    'from producers then, Mbit/s': megabits(recordBytes),
    'nodes and NATS then, Mbit/s': megabits(internalBytes),
    'to destinations then, Mbit/s': megabits(outBytes),
    'EUR/month: machines': euro.machines,
    'EUR/month: disk': euro.disk,
    'EUR/month: traffic between zones': euro.internal,
    'EUR/month: traffic to the Internet': euro.internet,
    'EUR/month: all': euro.machines + euro.disk + euro.internal + euro.internet,
  };
}

/** As Markdown. */
export function planTable(): string {
  const plans = FLEETS.map(planOf);
  const rows = Object.keys(plans[0] as object).map(
    (name) =>
      `| ${name} | ${plans.map((plan) => number(plan[name as keyof ReturnType<typeof planOf>])).join(' | ')} |`,
  );
  return [
    `| devices | ${FLEETS.map(({ name }) => name).join(' | ')} |`,
    `| --- | ${FLEETS.map(() => '--:').join(' | ')} |`,
    ...rows,
  ].join('\n');
}

function number(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString('en');
  return value >= 10 ? Math.round(value).toLocaleString('en') : value.toPrecision(2);
}

if (import.meta.main) process.stdout.write(`${planTable()}\n`);
