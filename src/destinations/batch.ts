import { type Lease, MemoryPool } from '../lib/memory-pool.ts';
import { passingPayload, passingRecord } from '../records/leased-block.ts';
import type { Batch, Segment } from './contract.ts';

const OPEN = Buffer.from('[');
const COMMA = Buffer.from(',');
const CLOSE = Buffer.from(']');

/**
 * From this size on, a body is sent as views of its blocks, if they are large as well: a copy would cost more than the writes that
 * it saves, and each stream that gets the records would make one.
 */
const SENT_AS_VIEWS = 64 * 1024;
/** A write takes as long as copying this much. */
const LARGE_VIEW = 16 * 1024;
/** For copies of bodies: some hundred requests in flight. */
const COPIES = new MemoryPool(8 * 2 ** 20);

/** The records of a batch as one JSON array, in views of their bytes. A caller that uses them behind an `await` holds the payloads, or joins them. */
export function jsonArray({ segments }: Pick<Batch, 'segments'>): readonly Uint8Array[] {
  const parts: Uint8Array[] = [OPEN];
  for (const { block, from, to } of segments) {
    if (parts.length > 1) parts.push(COMMA);
    parts.push(passingPayload(block).subarray(block.starts[from], block.ends[to - 1]));
  }
  parts.push(CLOSE);
  return parts;
}

/**
 * One copy of a body's parts, where that is cheaper to send.
 * @returns the copy in memory that is used again, of which the caller is the holder; undefined where the parts are better sent
 *   as they are
 */
export function joined(parts: readonly Uint8Array[]): Lease | undefined {
  const length = lengthOf(parts);
  if (length >= SENT_AS_VIEWS && length >= parts.length * LARGE_VIEW) return undefined;
  const lease = COPIES.take(length);
  const copy = lease.bytes as Uint8Array;
  let at = 0;
  for (const part of parts) {
    copy.set(part, at);
    at += part.length;
  }
  return lease;
}

/** Bytes of all parts. */
export function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

/** The bytes of each record in order: views for use until the next `await`, not copies. */
export function* recordsOf(segments: Iterable<Segment>): Generator<Uint8Array> {
  for (const { block, from, to } of segments) {
    for (let index = from; index < to; index++) yield passingRecord(block, index);
  }
}
