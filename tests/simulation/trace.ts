import { crc32 } from 'node:zlib';
import type { SimulatedTime } from './time.ts';

/** What happened, line by line. The checksum of all of it says whether two runs were the same. */
export class Trace {
  readonly #time: SimulatedTime;
  readonly #keep: number;
  #lines: string[] = [];
  #checksum = 0;
  count = 0;

  /** @param keep lines that are kept to be read, the newest; the checksum covers all */
  constructor(time: SimulatedTime, keep: number) {
    this.#time = time;
    this.#keep = keep;
  }

  add(text: string): void {
    const line = `${timestamp(this.#time.now)} ${text}\n`;
    this.count++;
    this.#checksum = crc32(line, this.#checksum);
    if (this.#keep === 0) return;
    this.#lines.push(line);
    if (this.#lines.length > 2 * this.#keep) this.#lines = this.#lines.slice(-this.#keep);
  }

  get checksum(): string {
    return `${this.#checksum.toString(16).padStart(8, '0')}-${this.count}`;
  }

  get text(): string {
    return this.#lines.slice(-this.#keep).join('');
  }
}

/** `1:02:03.456`: hours since the beginning. */
export function timestamp(now: number): string {
  const milliseconds = Math.floor(now);
  const pad = (value: number, width: number) => String(value).padStart(width, '0');
  const hours = Math.floor(milliseconds / 3_600_000);
  const minutes = Math.floor(milliseconds / 60_000) % 60;
  const seconds = Math.floor(milliseconds / 1_000) % 60;
  return `${hours}:${pad(minutes, 2)}:${pad(seconds, 2)}.${pad(milliseconds % 1_000, 3)}`;
}
