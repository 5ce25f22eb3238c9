import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Bytes of documents or answers that are read or written before the event loop does something else: one to three
 * milliseconds. Smaller slices cost a turn of the loop each; greater ones are felt by every other request.
 */
export const SLICE_BYTES = 256 * 1024;

/** Long work in slices: it gives its turn back whenever a slice is full. */
export class Slices {
  #bytes = 0;

  /** Counts work that was done. Waits for the next turn of the event loop when the slice is full. */
  async add(bytes: number): Promise<void> {
    this.#bytes += bytes;
    if (this.#bytes < SLICE_BYTES) return;
    this.#bytes = 0;
    await nextTurn();
  }
}
