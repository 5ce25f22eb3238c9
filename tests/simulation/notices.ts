import type { SimulatedTime } from './time.ts';

const APART_MS = 3_600_000;

/** Watches that people are told of the same event of a stream at most once an hour. */
export class Notices {
  readonly #time: SimulatedTime;
  readonly #violated: (kind: string, text: string) => void;
  readonly #ids = new Set<string>();
  /** Streams with an event: when it was told last, as the message says. */
  readonly #told = new Map<string, number>();
  /** A clock was wrong up to this time of the world: what is an hour is not sure. */
  wrongUntil = 0;

  constructor(time: SimulatedTime, violated: (kind: string, text: string) => void) {
    this.#time = time;
    this.#violated = violated;
  }

  /** A message has reached its receiver, perhaps again: then under its id. */
  sent(id: string, text: string): void {
    if (this.#ids.has(id)) return;
    this.#ids.add(id);
    const { type, timestamp, data } = JSON.parse(text) as {
      readonly type: string;
      readonly timestamp: string;
      readonly data: { readonly data_stream: { readonly id: string } };
    };
    const key = `${data.data_stream.id} ${type}`;
    const at = Date.parse(timestamp);
    const before = this.#told.get(key);
    this.#told.set(key, at);
    if (before === undefined || this.#time.now < this.wrongUntil + APART_MS) return;
    if (Math.abs(at - before) < APART_MS)
      this.#violated('notice', `${key} is told ${at - before} ms after it was told before`);
  }
}
