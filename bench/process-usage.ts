import { readdirSync, readFileSync } from 'node:fs';

/** The kernel's figures for a process (Linux, proc(5)). */
interface CpuTime {
  /** User and system time of all threads, microseconds; in steps of a tick, 10 ms. */
  readonly total: number;
  /** Of the main thread only, where JavaScript runs. */
  readonly main: number;
}

/** USER_HZ: 100 on every Linux that Node.js runs on. */
const MICROS_PER_TICK = 10_000;
const KIB = 1_024;

export function cpuTime(pid: number): CpuTime {
  return {
    total: ticks(`/proc/${pid}/stat`) * MICROS_PER_TICK,
    main: ticks(`/proc/${pid}/task/${pid}/stat`) * MICROS_PER_TICK,
  };
}

/** What the threads of a node do. */
const THREADS = {
  MainThread: 'main thread: JavaScript',
  V8Worker: 'V8: collection of garbage, compilation',
  'libuv-worker': 'pool: compression, disk',
} as const;

/** Microseconds of CPU by what the process's threads do; threads that have ended are left out. */
export function cpuByThread(pid: number): ReadonlyMap<string, number> {
  const parts = new Map<string, number>(Object.values(THREADS).map((name) => [name, 0]));
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const directory = `/proc/${pid}/task/${thread}`;
    const name = readFileSync(`${directory}/comm`, 'utf8').trim() as keyof typeof THREADS;
    const part = THREADS[name] ?? 'others';
    parts.set(part, (parts.get(part) ?? 0) + ticks(`${directory}/stat`) * MICROS_PER_TICK);
  }
  return parts;
}

function ticks(path: string): number {
  const text = readFileSync(path, 'utf8');
  // The second field is the command's name in brackets and may contain any character; utime and stime are fields 14 and 15.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** Bytes. The file pages of a memory-mapped store count as resident too, although the kernel can reclaim them. */
interface Memory {
  readonly peakResident: number;
  readonly resident: number;
  readonly anonymous: number;
  readonly file: number;
}

export function memory(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * KIB;
  return {
    peakResident: field('VmHWM'),
    resident: field('VmRSS'),
    anonymous: field('RssAnon'),
    file: field('RssFile') + field('RssShmem'),
  };
}

export interface MemoryPeaks {
  /** The kernel's own figure, since the process started. */
  readonly resident: number;
  /** From samples during the measurement. */
  readonly anonymous: number;
  readonly file: number;
  readonly samples: readonly MemorySample[];
}

interface MemorySample {
  /** Seconds since the measurement began. */
  readonly at: number;
  readonly resident: number;
  readonly anonymous: number;
}

/** Samples a process's memory until it is stopped. */
export function watchMemory(pid: number, everyMs = 50): () => MemoryPeaks {
  const samples: MemorySample[] = [];
  const began = performance.now();
  let peaks: MemoryPeaks = { resident: 0, anonymous: 0, file: 0, samples };
  const sample = () => {
    const now = memory(pid);
    const at = (performance.now() - began) / 1_000;
    samples.push({ at, resident: now.resident, anonymous: now.anonymous });
    peaks = {
      resident: now.peakResident,
      anonymous: Math.max(peaks.anonymous, now.anonymous),
      file: Math.max(peaks.file, now.file),
      samples,
    };
  };
  sample();
  const timer = setInterval(sample, everyMs);
  return () => {
    clearInterval(timer);
    sample();
    return peaks;
  };
}

/** Bytes of pages that the process caused to be written to a disk so far. */
export function bytesWritten(pid: number): number {
  return Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? 0);
}
