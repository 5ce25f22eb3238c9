/**
 * Payloads that were decompressed, within a budget of bytes: the oldest is forgotten first, and decompressed again should
 * it be needed. A batch may take ten records each of a hundred blocks; without a bound, a block that waits for others
 * would hold all of its payload meanwhile.
 */
export class Unpacked {
  readonly #most: number;
  #kept: ({ readonly bytes: number; readonly forget: () => void } | undefined)[] = [];
  #oldest = 0;
  #bytes = 0;

  /** @param most bytes; the payload that was added last is kept however large it is */
  constructor(most: number) {
    this.#most = most;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @param forget called once, when the budget is needed for others */
  add(bytes: number, forget: () => void): void {
    this.#kept.push({ bytes: bytes + OVERHEAD, forget });
    this.#bytes += bytes + OVERHEAD;
    while (this.#bytes > this.#most && this.#oldest < this.#kept.length - 1) {
      const oldest = this.#kept[this.#oldest];
      // What forgets holds the block: it must not stay in the list until the list is cut.
      this.#kept[this.#oldest++] = undefined;
      this.#bytes -= oldest?.bytes ?? 0;
      oldest?.forget();
    }
    if (this.#oldest > 1024 && this.#oldest * 2 > this.#kept.length) {
      this.#kept = this.#kept.slice(this.#oldest);
      this.#oldest = 0;
    }
  }
}

/** Two objects and a closure. */
const OVERHEAD = 256;
