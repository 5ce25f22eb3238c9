import type { Position } from '../../log/log.ts';
import type { Block } from '../../records/block.ts';

/** Some neighbouring records of a block: what a request is made of. `block` is missing where it is read again for the send. */
export interface Part {
  readonly sequence: number;
  readonly block: Block | undefined;
  /** Indexes within the block: `from` (included) to `to` (excluded). */
  readonly from: number;
  readonly to: number;
  readonly arrivedAt: number;
  /** Bytes from the first to the last record, separators included; 0 where the records are read for the send only. */
  readonly bytes: number;
  /** The slot of the lanes that its records belong to; 0 where the stream is one lane. */
  readonly slot: number;
}

/** Records that are sent together, in the order of the log. Never empty. */
export type Piece = readonly Part[];

export function countOf(piece: Piece): number {
  let count = 0;
  for (const part of piece) count += part.to - part.from;
  return count;
}

export function bytesOf(piece: Piece): number {
  let bytes = 0;
  for (const part of piece) bytes += part.bytes;
  return bytes;
}

export function firstOf(piece: Piece): Position {
  const part = piece[0] as Part;
  return { sequence: part.sequence, index: part.from };
}

export function lastOf(piece: Piece): Position {
  const part = piece[piece.length - 1] as Part;
  return { sequence: part.sequence, index: part.to - 1 };
}

/**
 * Stable across retries; equal ids mean the same records. Source: architecture.md, cursor commit.
 * The requests of several lanes may have the same ends and the same count, so those carry a sum over their parts.
 */
export function deliveryId(streamId: string, piece: Piece, lanes: number): string {
  const first = firstOf(piece);
  const last = lastOf(piece);
  const id = `${streamId}-${first.sequence}.${first.index}-${last.sequence}.${last.index}-${countOf(piece)}`;
  return lanes === 1 ? id : `${id}-${sumOf(piece)}`;
}

/** FNV-1a over the positions of the parts, in hexadecimal. */
function sumOf(piece: Piece): string {
  let sum = 0x811c9dc5;
  for (const { sequence, from, to } of piece)
    for (const value of [sequence, from, to]) sum = Math.imul(sum ^ value, 0x01000193);
  return (sum >>> 0).toString(16);
}

/** The part that holds the record at an index within the piece, and the record's index in its block. */
export function recordAt(piece: Piece, index: number): { readonly part: Part; readonly at: number } {
  let left = index;
  for (const part of piece) {
    const count = part.to - part.from;
    if (left < count) return { part, at: part.from + left };
    left -= count;
  }
  throw new Error(`index ${index} is outside of the piece`);
}

/** The records from `start` (included) to `end` (excluded), counted within the piece. */
export function slice(piece: Piece, start: number, end: number): Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const part of piece) {
    const count = part.to - part.from;
    const from = Math.max(start - at, 0);
    const to = Math.min(end - at, count);
    if (from < to) parts.push(cut(part, part.from + from, part.from + to));
    at += count;
    if (at >= end) break;
  }
  return parts;
}

/** The records at these indexes within the piece, which are ascending. */
export function pick(piece: Piece, indexes: readonly number[]): Part[] {
  const parts: Part[] = [];
  let at = 0;
  let next = 0;
  for (const part of piece) {
    const count = part.to - part.from;
    while (next < indexes.length && (indexes[next] as number) < at + count) {
      const from = (indexes[next] as number) - at;
      let to = from + 1;
      next++;
      while (next < indexes.length && indexes[next] === at + to && to < count) {
        to++;
        next++;
      }
      parts.push(cut(part, part.from + from, part.from + to));
    }
    at += count;
  }
  return parts;
}

/** The piece without its blocks: it takes no memory until it is sent. */
export function strip(piece: Piece): Part[] {
  return piece.map((part) => (part.block ? { ...part, block: undefined } : part));
}

function cut(part: Part, from: number, to: number): Part {
  if (from === part.from && to === part.to) return part;
  return { ...part, from, to, bytes: spanBytes(part, from, to) };
}

/** Exact while the block is in memory, else by the share of the records. */
function spanBytes({ block, bytes, from, to }: Part, cutFrom: number, cutTo: number): number {
  if (bytes === 0) return 0;
  if (block) return (block.ends[cutTo - 1] as number) - (block.starts[cutFrom] as number);
  return Math.ceil((bytes * (cutTo - cutFrom)) / (to - from));
}
