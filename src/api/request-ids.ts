import type { Random } from '../lib/clock.ts';

/** Ids that are made together: asking the system for randomness for each request would cost more than the rest of an id. */
const AT_ONCE = 128;
const BYTES = 8;

/** Makes the ids of requests: 16 hexadecimal digits. */
export function createRequestIds(random: Random): () => string {
  let bytes = Buffer.alloc(0);
  let at = 0;
  return () => {
    if (at === bytes.length) {
      bytes = Buffer.from(random.bytes(BYTES * AT_ONCE));
      at = 0;
    }
    at += BYTES;
    return bytes.toString('hex', at - BYTES, at);
  };
}
