import { compileFilter } from '../src/filters/compile.ts';
import type { Filtered } from '../src/filters/fields.ts';
import { RecordReader } from '../src/records/record-reader.ts';
import { scanBody } from '../src/records/scan.ts';
import type { Json } from '../src/registry/registry.ts';
import { UsageRecords } from '../tests/support/usage-records.ts';

/**
 * CPU of filters on usage records compared with `JSON.parse` of the same records, alternating within one run: the ratio
 * counts. `npx node bench/filter.ts`
 */
const BATCH = 1000;
const BLOCKS = 24;
const ROUNDS = 9;

const FILTERS: Readonly<Record<string, readonly Json[]>> = {
  none: [],
  'endpoint.id (index)': [{ field: 'endpoint.id', op: 'gt', value: 5 }],
  'volume.total': [{ field: 'volume.total', op: 'gt', value: 0.5 }],
  'operator.country.mcc': [{ field: 'operator.country.mcc', value: ['262', '228'] }],
  'five fields': [
    { field: 'volume.total', op: 'gt', value: 0.001 },
    { field: 'operator.country.mcc', op: 'ne', value: '310' },
    { field: 'cost', op: 'lt', value: 5 },
    { field: 'endpoint.tags', op: 'exists', value: true },
    { field: 'sim.iccid', op: 'prefix', value: '89' },
  ],
};

interface Load {
  readonly block: Filtered;
  readonly body: Buffer;
}

async function loads(): Promise<Load[]> {
  const records = new UsageRecords(1);
  const reader = new RecordReader('usage');
  const made: Load[] = [];
  for (let at = 0; at < BLOCKS; at++) {
    const body = records.batch(at * BATCH, BATCH);
    const { columns } = await scanBody(reader, body, 'array');
    made.push({ body, block: { ...columns.toIndex(), payload: () => body } });
  }
  return made;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >>> 1] as number;
}

const all = await loads();
const ways: Record<string, () => void> = {
  'JSON.parse': () => {
    for (const { body } of all) JSON.parse(body.toString());
  },
};
for (const [name, filters] of Object.entries(FILTERS)) {
  const filter = compileFilter(filters);
  ways[name] = () => {
    for (const { block } of all) filter.select(block, 'all');
  };
}
const times = Object.fromEntries(Object.keys(ways).map((name) => [name, [] as number[]]));
// The first rounds compile and are not counted.
for (let round = -3; round < ROUNDS; round++) {
  for (const [name, way] of Object.entries(ways)) {
    const before = process.cpuUsage();
    way();
    const { user, system } = process.cpuUsage(before);
    if (round >= 0) times[name]?.push((user + system) / (BLOCKS * BATCH));
  }
}
const medians = Object.entries(times).map(([name, values]) => [name, median(values)] as const);
const parse = medians[0]?.[1] as number;
for (const [name, time] of medians) {
  console.log(
    `${name.padEnd(22)} ${time.toFixed(3).padStart(7)} µs a record  ${(time / parse).toFixed(3)} × parse`,
  );
}
