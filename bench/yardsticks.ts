import { removeDirectory, temporaryDirectory } from '../tests/support/owned.ts';
import { startChild } from './processes/calls.ts';
import type { YardstickCalls } from './processes/yardsticks.ts';

interface Yardsticks {
  /** Microseconds of CPU per record of `JSON.parse(body.toString())`. */
  readonly parseMicros: number;
  /** Records per second that can be appended and synced, one request at a time; and the median of one such append, ms. */
  readonly diskPerSecond: number;
  readonly diskMedianMs: number;
}

/** Measures what the machine can do, on the same bodies as the node gets, in a process that does nothing else. */
export async function measureYardsticks(batch: number, quick: boolean): Promise<Yardsticks> {
  const child = startChild<YardstickCalls>('./yardsticks.ts');
  const directory = temporaryDirectory();
  try {
    const parseMicros = await child.call.parse({ batch, bodies: quick ? 40 : 200, rounds: quick ? 1 : 5 });
    const disk = await child.call.disk({ directory, batch, bodies: quick ? 50 : 400 });
    return { parseMicros, diskPerSecond: disk.recordsPerSecond, diskMedianMs: disk.medianMs };
  } finally {
    await child.end();
    removeDirectory(directory);
  }
}

/** Milliseconds of each append and sync, at a pace, records per second. */
export async function paceDisk(batch: number, rate: number, records: number): Promise<Float64Array> {
  const child = startChild<YardstickCalls>('./yardsticks.ts');
  const directory = temporaryDirectory();
  try {
    return await child.call.paceDisk({ directory, batch, rate, bodies: Math.ceil(records / batch) });
  } finally {
    await child.end();
    removeDirectory(directory);
  }
}
