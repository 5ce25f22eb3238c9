/**
 * Decompressed payloads within a budget of bytes. The oldest is dropped first; its next use decompresses it again. A batch
 * may take ten records from each of a hundred blocks. Without the budget, every block that waits for the others would keep
 * its whole payload in memory.
 */
export class Unpacked {
  readonly #most: number;
  readonly #later: (call: () => void) => void;
  #kept: ({ readonly bytes: number; readonly forget: () => void } | undefined)[] = [];
  #oldest = 0;
  #bytes = 0;
  #leaving: (() => void)[] = [];

  /**
   * @param most the budget in bytes; the newest payload stays, also if it is larger
   * @param later calls back in another turn of the event loop
   */
  constructor(most: number, later: (call: () => void) => void = setImmediate) {
    this.#most = most;
    this.#later = later;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param forget called once, in a later turn than the one in which other payloads need the budget: code that
   * gathers records of many blocks in one turn has views of all of them
   */
  add(bytes: number, forget: () => void): void {
    this.#kept.push({ bytes: bytes + OVERHEAD, forget });
    this.#bytes += bytes + OVERHEAD;
    while (this.#bytes > this.#most && this.#oldest < this.#kept.length - 1) {
      const oldest = this.#kept[this.#oldest];
      // The forget function holds the block, so it must not stay in the list until the list is cut.
      this.#kept[this.#oldest++] = undefined;
      this.#bytes -= oldest?.bytes ?? 0;
      if (oldest) this.#leave(oldest.forget);
    }
    if (this.#oldest > 1024 && this.#oldest * 2 > this.#kept.length) {
      this.#kept = this.#kept.slice(this.#oldest);
      this.#oldest = 0;
    }
  }

  #leave(forget: () => void): void {
    this.#leaving.push(forget);
    if (this.#leaving.length > 1) return;
    this.#later(() => {
      const leaving = this.#leaving;
      this.#leaving = [];
      for (const leave of leaving) leave();
    });
  }
}

/** Bytes of two objects and a closure. */
const OVERHEAD = 256;
