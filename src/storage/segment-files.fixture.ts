import type { Random } from '../lib/clock.ts';
import type { SegmentFiles, SegmentWriter } from './segment-files.ts';

/** The bytes that a disk writes as a whole or not at all. */
const SECTOR = 512;

interface FakeFile {
  durable: Buffer;
  /** The content that a read returns, also bytes that the disk does not have yet. */
  cached: Buffer;
  /** The name is on the disk. */
  named: boolean;
}

/**
 * Segments on a disk that loses power: of a write that was not answered, any sectors are kept, in any order. Tests drive
 * it: each write waits for `step`.
 */
export class FragileDisk {
  readonly #random: Random;
  #files = new Map<number, FakeFile>();
  #waiting: { run(): void; reject(error: Error): void }[] = [];
  /** Writes fail from now on, after some of their sectors. */
  failing = false;
  /** Files cannot be cut. */
  cutFails = false;

  constructor(random: Random) {
    this.#random = random;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Continues the waiting writes. */
  step(): void {
    for (const { run } of this.#waiting.splice(0)) run();
  }

  /** Each file as the disk has it; writes that wait are never answered. */
  losePower(): void {
    this.#waiting = [];
    for (const [number, file] of this.#files) {
      if (!file.named && this.#random.next() < 0.5) {
        this.#files.delete(number);
        continue;
      }
      file.durable = this.#someOf(file);
      file.cached = Buffer.from(file.durable);
      file.named = true;
    }
  }

  /** Any sectors that the cache has and the disk has not. */
  #someOf({ durable, cached }: FakeFile): Buffer {
    const longest = Math.max(durable.length, cached.length);
    const length = this.#random.next() < 0.5 ? durable.length : longest;
    const kept = Buffer.alloc(length);
    const [all, none] = [this.#random.next() < 0.2, this.#random.next() < 0.2];
    for (let at = 0; at < length; at += SECTOR) {
      const useCached = cached.length > at && !none && (all || this.#random.next() < 0.5);
      const from = useCached ? cached : durable;
      if (from.length > at) from.copy(kept, at, at, Math.min(at + SECTOR, length));
    }
    return kept;
  }

  files(): SegmentFiles {
    const fileOf = (number: number) => {
      const file = this.#files.get(number);
      if (!file) throw new Error(`no segment ${number}`);
      return file;
    };
    const readNow = (number: number, position: number, length: number) =>
      Buffer.from(fileOf(number).cached.subarray(position, position + length));
    return {
      list: () =>
        [...this.#files]
          .map(([number, { cached }]) => ({ number, bytes: cached.length }))
          .sort((a, b) => a.number - b.number),
      create: async (number, zeros) => {
        if (this.failing) throw new Error('no space left');
        const file = { durable: Buffer.alloc(zeros), cached: Buffer.alloc(zeros), named: true };
        this.#files.set(number, file);
        return this.#writer(file);
      },
      reopen: async (number) => this.#writer(fileOf(number)),
      readNow,
      read: async (number, position, length) => readNow(number, position, length),
      remove: async (numbers) => {
        for (const number of numbers) this.#files.delete(number);
      },
      freeBytes: () => Number.POSITIVE_INFINITY,
      close: () => {},
    };
  }

  #writer(file: FakeFile): SegmentWriter {
    return {
      write: (parts, position) =>
        new Promise((resolve, reject) => {
          const bytes = Buffer.concat(parts);
          const before = Buffer.from(file.cached);
          file.cached = Buffer.alloc(Math.max(before.length, position + bytes.length));
          before.copy(file.cached);
          bytes.copy(file.cached, position);
          const { failing } = this;
          this.#waiting.push({
            reject,
            run: () => {
              if (failing) {
                file.durable = this.#someOf(file);
                file.cached = Buffer.from(file.durable);
                reject(new Error('no space left'));
                return;
              }
              file.durable = Buffer.from(file.cached);
              resolve();
            },
          });
        }),
      truncate: (bytes) => {
        if (this.cutFails) throw new Error('input/output error');
        file.cached = Buffer.from(file.cached.subarray(0, bytes));
        file.durable = Buffer.from(file.durable.subarray(0, bytes));
      },
      fault: () => undefined,
      close: () => {},
    };
  }
}
