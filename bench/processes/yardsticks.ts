import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UsageRecords } from '../../tests/support/usage-records.ts';
import { answerCalls } from './calls.ts';

/** Measures the machine itself, in a process started for this, on the same bodies that the node gets. */
const handlers = {
  /** Median over rounds of the CPU that `JSON.parse(body.toString())` takes, in microseconds per record. */
  parse: ({ batch, bodies: count, rounds }: { batch: number; bodies: number; rounds: number }): number => {
    // As many different bodies as a load has, so that no body is in the processor's caches from the previous parse.
    const bodies = makeBodies(batch, count);
    const measured: number[] = [];
    // The warm-up round is not counted: code is still being compiled and memory claimed.
    for (let round = 0; round <= rounds; round++) {
      const before = process.cpuUsage();
      for (const body of bodies) JSON.parse(body.toString());
      const { user, system } = process.cpuUsage(before);
      if (round > 0) measured.push((user + system) / (count * batch));
    }
    return median(measured);
  },

  /** Appends bodies to a file, each synced before the next; records per second. */
  disk: ({ directory, batch, bodies: count }: { directory: string; batch: number; bodies: number }) => {
    const bodies = makeBodies(batch, DISK_BODIES);
    const path = join(directory, 'disk-yardstick');
    const file = openSync(path, 'w');
    try {
      const millis: number[] = [];
      const started = performance.now();
      for (let at = 0; at < count; at++) {
        const before = performance.now();
        writeSync(file, bodies[at % DISK_BODIES] as Buffer);
        fdatasyncSync(file);
        millis.push(performance.now() - before);
      }
      const recordsPerSecond = (count * batch * 1_000) / (performance.now() - started);
      return { recordsPerSecond, medianMs: median(millis) };
    } finally {
      closeSync(file);
      rmSync(path);
    }
  },

  /** Appends and syncs a body every `batch / rate` seconds; milliseconds of each. */
  paceDisk: async ({ directory, batch, rate, bodies: count }: PacedDisk): Promise<Float64Array> => {
    const bodies = makeBodies(batch, DISK_BODIES);
    const path = join(directory, 'disk-yardstick');
    const file = openSync(path, 'w');
    try {
      const millis = new Float64Array(count);
      const started = performance.now();
      for (let at = 0; at < count; at++) {
        const due = started + (at * batch * 1_000) / rate;
        if (due > performance.now()) await sleep(due - performance.now());
        // Measured from when it was due: a request would also wait if it arrived during the sync of another one.
        const from = Math.min(due, performance.now());
        writeSync(file, bodies[at % DISK_BODIES] as Buffer);
        fdatasyncSync(file);
        millis[at] = performance.now() - from;
      }
      return millis;
    } finally {
      closeSync(file);
      rmSync(path);
    }
  },
};

interface PacedDisk {
  readonly directory: string;
  readonly batch: number;
  readonly rate: number;
  readonly bodies: number;
}

/** A disk does not care whether it has seen the bytes before. */
const DISK_BODIES = 8;

export type YardstickCalls = typeof handlers;

function makeBodies(batch: number, count: number): Buffer[] {
  const records = new UsageRecords(1);
  return Array.from({ length: count }, (_, at) => records.batch(at * batch, batch));
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >>> 1] as number;
}

answerCalls(handlers);
