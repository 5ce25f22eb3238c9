import type { Position } from '../../log/log.ts';
import type { Block } from '../../records/block.ts';
import { markOf } from './same-block.ts';

/**
 * Some neighbouring records of a block: requests consist of these. `block` is missing if it is read again for the
 * send.
 */
export interface Span {
  readonly sequence: number;
  readonly block: Block | undefined;
  /** The mark of a block that is read again (same-block.ts). */
  readonly mark?: number | undefined;
  /** Indexes within the block: `from` (included) to `to` (excluded). */
  readonly from: number;
  readonly to: number;
  readonly arrivedAt: number;
  /** Bytes from the first to the last record, separators included; 0 if the records are read only for the send. */
  readonly bytes: number;
  /** The slot of the lanes that its records belong to; 0 if the stream is one lane. */
  readonly slot: number;
}

/** Records that are sent together, in the order of the log. Never empty. */
export type Chunk = readonly Span[];

export function countOf(chunk: Chunk): number {
  let count = 0;
  for (const span of chunk) count += span.to - span.from;
  return count;
}

export function bytesOf(chunk: Chunk): number {
  let bytes = 0;
  for (const span of chunk) bytes += span.bytes;
  return bytes;
}

export function firstOf(chunk: Chunk): Position {
  const span = chunk[0] as Span;
  return { sequence: span.sequence, index: span.from };
}

export function lastOf(chunk: Chunk): Position {
  const span = chunk[chunk.length - 1] as Span;
  return { sequence: span.sequence, index: span.to - 1 };
}

/**
 * Stable across retries; equal ids mean the same records. Source: architecture.md, cursor commit.
 * The requests of several lanes may have the same ends and the same count, so those carry a sum over their parts.
 */
export function deliveryId(streamId: string, chunk: Chunk, lanes: number): string {
  const first = firstOf(chunk);
  const last = lastOf(chunk);
  const id = `${streamId}-${first.sequence}.${first.index}-${last.sequence}.${last.index}-${countOf(chunk)}`;
  return lanes === 1 ? id : `${id}-${sumOf(chunk)}`;
}

/** FNV-1a over the positions of the parts, in hexadecimal. */
function sumOf(chunk: Chunk): string {
  let sum = 0x811c9dc5;
  for (const { sequence, from, to } of chunk)
    for (const value of [sequence, from, to]) sum = Math.imul(sum ^ value, 0x01000193);
  return (sum >>> 0).toString(16);
}

/** The part that holds the record at an index within the chunk, and the record's index in its block. */
export function recordAt(chunk: Chunk, index: number): { readonly span: Span; readonly at: number } {
  let left = index;
  for (const span of chunk) {
    const count = span.to - span.from;
    if (left < count) return { span, at: span.from + left };
    left -= count;
  }
  throw new Error(`index ${index} is outside of the chunk`);
}

/** The records from `start` (included) to `end` (excluded), counted within the chunk. */
export function slice(chunk: Chunk, start: number, end: number): Span[] {
  const spans: Span[] = [];
  let at = 0;
  for (const span of chunk) {
    const count = span.to - span.from;
    const from = Math.max(start - at, 0);
    const to = Math.min(end - at, count);
    if (from < to) spans.push(cut(span, span.from + from, span.from + to));
    at += count;
    if (at >= end) break;
  }
  return spans;
}

/** The records at these indexes within the chunk, which are ascending. */
export function pick(chunk: Chunk, indexes: readonly number[]): Span[] {
  const spans: Span[] = [];
  let at = 0;
  let next = 0;
  for (const span of chunk) {
    const count = span.to - span.from;
    while (next < indexes.length && (indexes[next] as number) < at + count) {
      const from = (indexes[next] as number) - at;
      let to = from + 1;
      next++;
      while (next < indexes.length && indexes[next] === at + to && to < count) {
        to++;
        next++;
      }
      spans.push(cut(span, span.from + from, span.from + to));
    }
    at += count;
  }
  return spans;
}

/** The chunk without its blocks: it takes no memory until it is sent. */
export function strip(chunk: Chunk): Span[] {
  return chunk.map((span) => (span.block ? { ...span, block: undefined, mark: markOf(span.block) } : span));
}

function cut(span: Span, from: number, to: number): Span {
  if (from === span.from && to === span.to) return span;
  return { ...span, from, to, bytes: spanBytes(span, from, to) };
}

/** Exact while the block is in memory, else by the share of the records. */
function spanBytes({ block, bytes, from, to }: Span, cutFrom: number, cutTo: number): number {
  if (bytes === 0) return 0;
  if (block) return (block.ends[cutTo - 1] as number) - (block.starts[cutFrom] as number);
  return Math.ceil((bytes * (cutTo - cutFrom)) / (to - from));
}
