import type { Position } from '../../log/log.ts';
import type { LeftBehind, Part, Taken } from './backlog.ts';

/** Records that go into one send, in order. */
export type Piece = readonly Part[];

/** How far the cursor may move, and what it thereby leaves behind. */
export interface Advance {
  readonly after: Position;
  readonly delivered: number;
  readonly quarantined: number;
  readonly filtered: number;
}

/**
 * What was taken for one delivery, and what of it is still to be sent: a list of pieces, in the order of the log.
 *
 *  W1  The pieces hold exactly the records that are neither delivered nor set aside.
 *  W2  Everything before the first record of the first piece is done: the cursor may stand there, and never further.
 */
export class Work {
  readonly #taken: Taken;
  #pieces: Piece[];
  #setAside: Position[] = [];
  /** Records of the taken ones that the cursor has passed. */
  #passed = 0;
  #passedAside = 0;
  #after: Position;
  #leftBehind: LeftBehind[];
  #touched = false;

  constructor(taken: Taken) {
    this.#taken = taken;
    this.#pieces = [taken.parts];
    this.#after = taken.after;
    this.#leftBehind = [...taken.leftBehind];
  }

  /** What is to be sent next; undefined when all is done. */
  get piece(): Piece | undefined {
    return this.#pieces[0];
  }

  /** Whether any of it was delivered, set aside or split: then it cannot be read from the log again as it was. */
  get touched(): boolean {
    return this.#touched;
  }

  get last(): Position {
    return this.#taken.last;
  }

  /** Where reading goes on behind this work. */
  get after(): Position {
    return this.#after;
  }

  get firstArrivedAt(): number {
    return this.#taken.firstArrivedAt;
  }

  /** Notes that blocks up to `sequence` behind this work hold nothing for the stream: the cursor will pass them too. */
  pass(sequence: number, filtered: number): void {
    this.#after = { sequence: sequence + 1, index: 0 };
    if (filtered > 0) this.#leftBehind.push({ through: sequence, filtered });
  }

  /** The current piece was taken as a whole. */
  delivered(): void {
    this.#pieces.shift();
    this.#touched = true;
  }

  /** Of the current piece only the records at these indexes (ascending, within the piece) are still to be sent. */
  keepOnly(indexes: readonly number[]): void {
    const kept = pick(this.#pieces[0] ?? [], indexes);
    if (kept.length > 0) this.#pieces[0] = kept;
    else this.#pieces.shift();
    this.#touched = true;
  }

  /** Splits the current piece in two. False when it is a single record. */
  halve(): boolean {
    const piece = this.#pieces[0] ?? [];
    const count = pieceCount(piece);
    if (count < 2) return false;
    const middle = count >>> 1;
    this.#pieces.splice(0, 1, slice(piece, 0, middle), slice(piece, middle, count));
    this.#touched = true;
    return true;
  }

  /** Records at these indexes of the current piece are set aside; call before `keepOnly`, or `delivered` if it is all. */
  setAside(indexes: readonly number[]): Position[] {
    const positions = indexes.map((index) => positionAt(this.#pieces[0] ?? [], index));
    this.#setAside.push(...positions);
    return positions;
  }

  /** What the cursor may pass since the last call. */
  advance(): Advance {
    const next = this.#pieces[0]?.[0];
    const boundary = next ? { sequence: next.sequence, index: next.from } : undefined;
    const passed = boundary ? countBefore(this.#taken.parts, boundary) : this.#taken.count;
    const aside = this.#setAside.filter((at) => !boundary || before(at, boundary)).length;
    const quarantined = aside - this.#passedAside;
    const result: Advance = {
      after: boundary ?? this.#after,
      delivered: passed - this.#passed - quarantined,
      quarantined,
      filtered: this.#leave(boundary?.sequence ?? Number.POSITIVE_INFINITY),
    };
    this.#passed = passed;
    this.#passedAside = aside;
    return result;
  }

  /** Records in blocks before `sequence` that did not pass the filter; each is told once. */
  #leave(sequence: number): number {
    let filtered = 0;
    for (const left of this.#leftBehind) if (left.through < sequence) filtered += left.filtered;
    this.#leftBehind = this.#leftBehind.filter((left) => left.through >= sequence);
    return filtered;
  }
}

export function pieceCount(piece: Piece): number {
  let count = 0;
  for (const part of piece) count += part.to - part.from;
  return count;
}

/** Stable across retries; equal ids mean the same records. Source: architecture.md, cursor commit. */
export function deliveryId(streamId: string, piece: Piece): string {
  const first = piece[0] as Part;
  const last = piece[piece.length - 1] as Part;
  return `${streamId}-${first.sequence}.${first.from}-${last.sequence}.${last.to - 1}-${pieceCount(piece)}`;
}

/** The position of the record at an index within a piece. */
export function positionAt(piece: Piece, index: number): Position {
  let left = index;
  for (const part of piece) {
    const count = part.to - part.from;
    if (left < count) return { sequence: part.sequence, index: part.from + left };
    left -= count;
  }
  throw new Error(`index ${index} is outside of the piece`);
}

function before(a: Position, b: Position): boolean {
  return a.sequence < b.sequence || (a.sequence === b.sequence && a.index < b.index);
}

function countBefore(piece: Piece, boundary: Position): number {
  let count = 0;
  for (const { sequence, from, to } of piece) {
    if (sequence > boundary.sequence) break;
    if (sequence < boundary.sequence) count += to - from;
    else count += Math.max(0, Math.min(to, boundary.index) - from);
  }
  return count;
}

function slice(piece: Piece, start: number, end: number): Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const part of piece) {
    const count = part.to - part.from;
    const from = Math.max(start - at, 0);
    const to = Math.min(end - at, count);
    if (from < to) parts.push({ ...part, from: part.from + from, to: part.from + to });
    at += count;
  }
  return parts;
}

function pick(piece: Piece, indexes: readonly number[]): Part[] {
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
      parts.push({ ...part, from: part.from + from, to: part.from + to });
    }
    at += count;
  }
  return parts;
}

/** Bytes of the records of a piece that are in memory, separators included. */
export function pieceBytes(piece: Piece): number {
  let bytes = 0;
  for (const { block, from, to } of piece) {
    if (block) bytes += (block.ends[to - 1] as number) - (block.starts[from] as number);
  }
  return bytes;
}
