import { readFileSync } from 'node:fs';
import type { RecordKind } from '../src/records/block.ts';
import { RecordReader } from '../src/records/record-reader.ts';
import { type BodyFormat, scanBody } from '../src/records/scan.ts';
import { UsageRecords } from '../tests/support/usage-records.ts';

/**
 * CPU of reading records at ingest compared with `JSON.parse` of the same bodies, alternating within one run: the ratio
 * counts. `npx node bench/scan.ts`
 *
 * "known shapes" is the normal case, a node that has seen its producers' records before. "no shapes" reads each body with a
 * reader that has seen only the earlier part of the same body, and must never be slow either.
 */
const BATCH = 1000;
const BODIES = 24;
const ROUNDS = 9;

interface Load {
  readonly name: string;
  readonly kind: RecordKind;
  readonly format: BodyFormat;
  readonly bodies: readonly Buffer[];
}

function usageLoad(): Load {
  const records = new UsageRecords(1);
  const bodies = Array.from({ length: BODIES }, (_, at) => records.batch(at * BATCH, BATCH));
  return { name: 'usage records, array', kind: 'usage', format: 'array', bodies };
}

/** The sample events, which have some sixty shapes, each with a new id every time. */
function eventLoad(): Load {
  const file = new URL('../tests/fixtures/samples/event-samples.ndjson', import.meta.url);
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  let id = 731904455127947;
  const body = () =>
    Array.from({ length: BATCH }, () => {
      const line = lines[id++ % lines.length] as string;
      return line.replace(/"id":7319\d+/, `"id":${id}`);
    }).join('\n');
  return {
    name: 'events of many types, lines',
    kind: 'event',
    format: 'ndjson',
    bodies: Array.from({ length: BODIES }, () => Buffer.from(body())),
  };
}

/** Usage records of which no two have the same names: the worst case, because the reader can learn nothing. */
function shapelessLoad(): Load {
  const { bodies, ...rest } = usageLoad();
  let name = 0;
  const changed = bodies.map((body) =>
    Buffer.from(body.toString().replaceAll('"volume":', () => `"name${name++}":0,"volume":`)),
  );
  return { ...rest, name: 'usage records without common shape', bodies: changed };
}

/** Microseconds of CPU per record, for each way of reading: the median over rounds. */
async function measure(load: Load): Promise<{ parse: number; known: number; fresh: number }> {
  const { kind, format, bodies } = load;
  const reader = new RecordReader(kind);
  const parsable = bodies.map((body) =>
    format === 'array' ? body : Buffer.from(`[${body.toString().replaceAll('\n', ',')}]`),
  );
  const ways = {
    parse: () => {
      for (const body of parsable) JSON.parse(body.toString());
    },
    known: async () => {
      for (const body of bodies) await requireAll(reader, body, format);
    },
    fresh: async () => {
      for (const body of bodies) await requireAll(new RecordReader(kind), body, format);
    },
  };
  const times = { parse: [] as number[], known: [] as number[], fresh: [] as number[] };
  // The first rounds compile and are not counted.
  for (let round = -3; round < ROUNDS; round++) {
    for (const way of ['parse', 'known', 'fresh'] as const) {
      const before = process.cpuUsage();
      await ways[way]();
      const { user, system } = process.cpuUsage(before);
      if (round >= 0) times[way].push((user + system) / (BODIES * BATCH));
    }
  }
  return { parse: median(times.parse), known: median(times.known), fresh: median(times.fresh) };
}

async function requireAll(reader: RecordReader, body: Buffer, format: BodyFormat): Promise<void> {
  const { columns, faults } = await scanBody(reader, body, format);
  if (columns.count !== BATCH) throw new Error(`only ${columns.count} were valid: ${faults[0]?.message}`);
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >>> 1] as number;
}

for (const load of [usageLoad(), eventLoad(), shapelessLoad()]) {
  const { parse, known, fresh } = await measure(load);
  const bytes = load.bodies.reduce((sum, body) => sum + body.length, 0) / (BODIES * BATCH);
  const row = (name: string, time: number) =>
    `  ${name.padEnd(14)} ${time.toFixed(2).padStart(6)} µs a record  ${(bytes / time).toFixed(0).padStart(5)} MB/s  ${(time / parse).toFixed(3)} × parse`;
  console.log(`${load.name}, ${bytes.toFixed(0)} bytes a record`);
  console.log([row('JSON.parse', parse), row('known shapes', known), row('no shapes', fresh)].join('\n'));
}
