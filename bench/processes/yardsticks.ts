import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { UsageRecords } from '../../tests/support/usage-records.ts';
import { answerCalls } from './calls.ts';

/** What the machine itself can do, measured in a fresh process, on the same bodies that the node gets. */
const BODIES = 8;

const handlers = {
  /** Median over rounds of the CPU that `JSON.parse(body.toString())` takes, in microseconds per record. */
  parse: ({ batch, rounds }: { batch: number; rounds: number }): number => {
    const bodies = makeBodies(batch);
    const parse = (times: number) => {
      for (let time = 0; time < times; time++) {
        for (const body of bodies) JSON.parse(body.toString());
      }
    };
    // Until the code is compiled, and garbage comes at its steady pace.
    parse(5);
    const measured: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const before = process.cpuUsage();
      const times = 10;
      parse(times);
      const { user, system } = process.cpuUsage(before);
      measured.push((user + system) / (times * BODIES * batch));
    }
    return median(measured);
  },

  /** Appends bodies to a file, each synced before the next; records per second. */
  disk: ({ directory, batch, bodies: count }: { directory: string; batch: number; bodies: number }) => {
    const bodies = makeBodies(batch);
    const path = join(directory, 'disk-yardstick');
    const file = openSync(path, 'w');
    try {
      const millis: number[] = [];
      const started = performance.now();
      for (let at = 0; at < count; at++) {
        const before = performance.now();
        writeSync(file, bodies[at % BODIES] as Buffer);
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
};

export type YardstickCalls = typeof handlers;

function makeBodies(batch: number): Buffer[] {
  const records = new UsageRecords(1);
  return Array.from({ length: BODIES }, (_, at) => records.batch(at * batch, batch));
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >>> 1] as number;
}

answerCalls(handlers);
