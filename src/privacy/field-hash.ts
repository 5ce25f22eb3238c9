import { createHmac, createSecretKey } from 'node:crypto';
import { BACKSLASH, QUOTE } from '../records/scalars.ts';

/** Values whose hashes are kept: a device has few, and sends records for years. More of them are forgotten all at once. */
const MOST_KNOWN = 8_192;
/** Longer values seldom come twice. */
const LONGEST_KNOWN = 64;

/**
 * HMAC-SHA-256 of values, in hexadecimal. What is hashed is the text in UTF-8 without quotes and escapes, or the number,
 * `true` or `false` as the record writes it. So an IMSI has the same hash as a text and as a number.
 */
export class FieldHash {
  readonly #key: ReturnType<typeof createSecretKey>;
  readonly #known = new Map<string, string>();

  /** @param key 32 bytes */
  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
  }

  /** The hash of the JSON scalar from `from` (included) to `to` (excluded). */
  of(bytes: Uint8Array, from: number, to: number): string {
    const text = bytes[from] === QUOTE;
    const inner = bytes.subarray(text ? from + 1 : from, text ? to - 1 : to);
    if (text && inner.includes(BACKSLASH)) {
      const whole = Buffer.from(bytes.subarray(from, to)).toString('utf8');
      return this.ofText(JSON.parse(whole) as string);
    }
    return this.#ofBytes(inner);
  }

  ofText(text: string): string {
    return this.#ofBytes(Buffer.from(text));
  }

  #ofBytes(bytes: Uint8Array): string {
    if (bytes.length > LONGEST_KNOWN) return this.#compute(bytes);
    // One character for each byte: different bytes are different names.
    const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    let hash = this.#known.get(name);
    if (hash === undefined) {
      hash = this.#compute(bytes);
      if (this.#known.size === MOST_KNOWN) this.#known.clear();
      this.#known.set(name, hash);
    }
    return hash;
  }

  #compute(bytes: Uint8Array): string {
    return createHmac('sha256', this.#key).update(bytes).digest('hex');
  }
}
