const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

/**
 * Counts the records of a body while it comes in, without keeping it: the elements of a JSON array, or the values of
 * anything else that is JSON (one object; one a line). Does not check that it is JSON.
 */
export class RecordCounter {
  count = 0;
  #depth = 0;
  #base = 0;
  #started = false;
  #inString = false;
  #escaped = false;
  /** Inside a number or a word on the level that counts. */
  #inToken = false;

  add(chunk: Uint8Array): void {
    for (const byte of chunk) this.#byte(byte);
  }

  #byte(byte: number): void {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) this.#inString = false;
      return;
    }
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09 || byte === COMMA) {
      this.#inToken = false;
      return;
    }
    const opens = byte === 0x5b || byte === 0x7b;
    const closes = byte === 0x5d || byte === 0x7d;
    if (!this.#started) {
      this.#started = true;
      if (byte === 0x5b) this.#base = 1;
    }
    if (this.#depth === this.#base && !closes && !this.#inToken) {
      this.count++;
      this.#inToken = !opens && byte !== QUOTE;
    }
    if (opens) this.#depth++;
    if (closes) this.#depth--;
    if (byte === QUOTE) this.#inString = true;
  }
}
