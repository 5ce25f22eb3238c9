/**
 * Decompressed payloads within a budget of bytes. The oldest is dropped first; its next use decompresses it again. A batch
 * may take ten records from each of a hundred blocks. Without the budget, every block that waits for the others would keep
 * its whole payload in memory.
 */
export class Unpacked {
  readonly #most: number;
  #kept: ({ readonly bytes: number; readonly forget: () => void } | undefined)[] = [];
  #oldest = 0;
  #bytes = 0;

  /** @param most the budget in bytes; the payload that was added last stays, whatever its size */
  constructor(most: number) {
    this.#most = most;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @param forget called once, when other payloads need the budget */
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

/** Bytes of two objects and a closure. */
const OVERHEAD = 256;
