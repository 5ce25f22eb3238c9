/**
 * The cost of durability: appends to the record log compared with appends of the same bytes to a plain file with
 * fdatasync, interleaved in one run on the same disk.
 *
 *   node bench/log-append.ts [directory, default: a new one in the current]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { systemClock, systemRandom } from '../src/lib/system-clock.ts';
import type { NewBlock, RecordLog } from '../src/log/log.ts';
import { createSegmentedLog } from '../src/log/segments.ts';
import { blockInMemory, encodeBlock } from '../src/records/block.ts';
import { indexOfOne } from '../src/records/record-index.ts';
import { type Lmdb, openLmdb } from '../src/storage/lmdb.ts';

const PARTITIONS = 16;
const CALLERS = 8;
const ROUNDS = 5;
/** Bytes of a block in the store, and bytes written per round. */
const SIZES = [
  { bytes: 1_000, count: 2_000 },
  { bytes: 10_000, count: 1_600 },
  { bytes: 100_000, count: 800 },
  { bytes: 900_000, count: 160 },
];

interface Row {
  readonly 'block KB': number;
  readonly 'log MB/s': number;
  readonly 'file MB/s': number;
  readonly 'log / file': number;
  readonly 'append p50 ms': number;
  readonly 'append p99 ms': number;
  readonly 'disk / data': number;
}

const parent = resolve(process.argv[2] ?? '.');
const rows: Row[] = [];
for (const { bytes, count } of SIZES) rows.push(await measure(bytes, count));
console.table(rows);

async function measure(bytes: number, count: number): Promise<Row> {
  const directory = mkdtempSync(join(parent, 'log-append-'));
  const lmdb = await openLmdb(directory, { clock: systemClock });
  const segmented = await createSegmentedLog(lmdb, {
    partitions: PARTITIONS,
    clock: systemClock,
    fault: (message) => console.error(message),
  });
  try {
    const { log } = segmented;
    const blocks = await Promise.all(
      Array.from({ length: 64 }, (_, i) => randomBlock(i % PARTITIONS, bytes)),
    );
    const ratios: number[] = [];
    const [logSeconds, fileSeconds, latencies]: [number[], number[], number[]] = [[], [], []];
    await appendToLog(log, blocks, CALLERS * 4);
    for (let round = 0; round < ROUNDS; round++) {
      fileSeconds.push(await appendToFile(join(directory, 'plain'), blocks, count));
      const run = await appendToLog(log, blocks, count);
      logSeconds.push(run.seconds);
      latencies.push(...run.latencies);
      ratios.push((fileSeconds.at(-1) as number) / run.seconds);
    }
    const stored = (ROUNDS * count + CALLERS * 4) * bytes;
    const megabytes = (count * bytes) / 1e6;
    latencies.sort((a, b) => a - b);
    return {
      'block KB': bytes / 1000,
      'log MB/s': round(megabytes / median(logSeconds)),
      'file MB/s': round(megabytes / median(fileSeconds)),
      'log / file': round(median(ratios)),
      'append p50 ms': round(latencies[Math.floor(latencies.length / 2)] as number),
      'append p99 ms': round(latencies[Math.floor(latencies.length * 0.99)] as number),
      'disk / data': round((await log.usage()).bytes / stored),
    };
  } finally {
    await segmented.close();
    await close(lmdb, directory);
  }
}

async function close(lmdb: Lmdb, directory: string): Promise<void> {
  await lmdb.close();
  rmSync(directory, { recursive: true });
}

/** Callers that each append their next block when the previous one is durable. */
async function appendToLog(log: RecordLog, blocks: readonly NewBlock[], count: number) {
  const latencies: number[] = [];
  const start = performance.now();
  let next = 0;
  const caller = async () => {
    while (next < count) {
      const block = blocks[next++ % blocks.length] as NewBlock;
      const begin = performance.now();
      const outcome = await log.append([block]);
      if (outcome.type !== 'stored') throw new Error(`append answered ${JSON.stringify(outcome)}`);
      latencies.push(performance.now() - begin);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return { seconds: (performance.now() - start) / 1000, latencies };
}

/** The most that this many callers could get from the file: all of them share each write and each sync. */
async function appendToFile(path: string, blocks: readonly NewBlock[], count: number): Promise<number> {
  const file = await open(path, 'a');
  try {
    const start = performance.now();
    for (let next = 0; next < count; next += CALLERS) {
      const group = Array.from(
        { length: CALLERS },
        (_, i) => (blocks[(next + i) % blocks.length] as NewBlock).bytes,
      );
      await file.writev(group);
      await file.datasync();
    }
    return (performance.now() - start) / 1000;
  } finally {
    await file.close();
  }
}

async function randomBlock(partition: number, bytes: number): Promise<NewBlock> {
  const payload = systemRandom.bytes(bytes - 56);
  const index = indexOfOne('usage', payload.length, { organisation: 1 });
  const arrivedAt = systemClock.now();
  return {
    partition,
    bytes: await encodeBlock(index, payload, arrivedAt),
    block: blockInMemory(index, payload, arrivedAt),
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
