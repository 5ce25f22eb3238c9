import { recordBytes } from '../records/block.ts';
import type { Batch, Segment } from './contract.ts';

const OPEN = Buffer.from('[');
const COMMA = Buffer.from(',');
const CLOSE = Buffer.from(']');

/** The records of a batch as one JSON array: their own bytes, copied once. */
export function jsonArray(batch: Batch): Buffer {
  const parts: Uint8Array[] = [OPEN];
  for (const { block, from, to } of batch.segments) {
    if (parts.length > 1) parts.push(COMMA);
    parts.push(block.payload().subarray(block.starts[from], block.ends[to - 1]));
  }
  parts.push(CLOSE);
  return Buffer.concat(parts);
}

/** The bytes of each record in order; views, not copies. */
export function* recordsOf(segments: Iterable<Segment>): Generator<Uint8Array> {
  for (const { block, from, to } of segments) {
    for (let index = from; index < to; index++) yield recordBytes(block, index);
  }
}
