import { withArrival } from '../records/block.ts';
import { countInHeader } from '../records/decode-block.ts';
import { MOST_AHEAD_MS, type NewBlock } from './log.ts';

/* Functions over blocks that every log needs. */

/** L6: a block that arrived no earlier than `time`, unless that is from the future. */
export function notBefore(source: NewBlock, time: number): NewBlock {
  const { arrivedAt } = source.block;
  if (arrivedAt >= time || time - arrivedAt > MOST_AHEAD_MS) return source;
  return { ...source, bytes: withArrival(source.bytes, time), block: { ...source.block, arrivedAt: time } };
}

/** The number of records in a block that cannot be decoded, if its header says it. */
export function recordsIn(bytes: Uint8Array): { readonly records?: number } {
  const records = countInHeader(bytes);
  return records === undefined ? {} : { records };
}
