import type { Position } from '../../log/log.ts';
import type { Block } from '../../records/block.ts';

/** The records of one block that wait in one lane: pairs of indexes, of which those before `at` are taken. */
export interface Waiting {
  readonly sequence: number;
  readonly arrivedAt: number;
  readonly runs: Uint32Array;
  readonly starts: Uint32Array | undefined;
  readonly ends: Uint32Array | undefined;
  /** Shared by the lanes that wait for records of the block; undefined if the block is read again for the send. */
  hold: Hold | undefined;
  /** Of a block that is read again. */
  mark: number | undefined;
  /** Of its records, those taken since included. */
  readonly bytes: number;
  run: number;
  at: number;
}

/** A block in memory, counted as long as a lane waits for records of it. */
export interface Hold {
  readonly block: Block;
  lanes: number;
}

/** The records that wait in one lane, in their order. */
export interface Lane {
  readonly slot: number;
  queue: (Waiting | undefined)[];
  head: number;
  count: number;
  /** Where it is among the lanes that have records; -1: it has none. Written by LaneOrder alone. */
  rank: number;
}

/** The remaining limits of a request. */
export interface Room {
  records: number;
  bytes: number;
}

/** The run of the lane's next record. Only while the lane has records. */
export function headOf(lane: Lane): Waiting {
  return lane.queue[lane.head] as Waiting;
}

export function comparePlaces(a: Waiting, b: Waiting): number {
  return a.sequence - b.sequence || a.at - b.at;
}

/** The end of the longest span of the current run that may still be taken. */
export function furthest(waiting: Waiting, room: Room, first: boolean, until: Position | undefined): number {
  const { sequence, run, runs, at } = waiting;
  if (until && sequence > until.sequence) return at;
  let to = Math.min(runs[run * 2 + 1] as number, at + room.records);
  if (until && sequence === until.sequence) to = Math.min(to, until.index + 1);
  if (to <= at || spanBytes(waiting, at, to) <= room.bytes) return to;
  let low = at;
  let high = to - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (spanBytes(waiting, at, middle) <= room.bytes) low = middle;
    else high = middle - 1;
  }
  return first ? Math.max(low, at + 1) : low;
}

export function spanBytes({ starts, ends }: Waiting, from: number, to: number): number {
  if (to <= from || !starts || !ends) return 0;
  return (ends[to - 1] as number) - (starts[from] as number);
}
