import type { Position } from '../../log/log.ts';
import type { Block } from '../../records/block.ts';
import type { Span } from './chunk.ts';
import type { HeldBlocks } from './held-blocks.ts';
import { LaneOrder } from './lane-order.ts';
import { slotRuns } from './lanes.ts';
import { markOf } from './same-block.ts';
import {
  comparePlaces,
  furthest,
  type Hold,
  headOf,
  type Lane,
  type Room,
  spanBytes,
  type Waiting,
} from './waiting.ts';

/** The limits of a chunk. */
interface Limits {
  readonly records: number;
  readonly bytes: number;
  /** The last record that may be in it. */
  readonly until: Position | undefined;
}

/**
 * Bytes of memory for the waiting records of a block that is not in memory: an estimate, so that even those are
 * bounded.
 */
const WAITING_BYTES = 64;
/** Up to this many records are found one by one. */
const FEW = 4;

/**
 * The records of one data stream that were read from the log and wait to be taken, lane by lane and in order: whole blocks
 * with the runs that passed the filter. With one lane the cost is per block and per run, never per record.
 */
export class Window {
  readonly #keepBlocks: boolean;
  readonly #memory: HeldBlocks;
  readonly #lanes: Lane[];
  readonly #order = new LaneOrder();
  #count = 0;
  #bytes = 0;
  #held = 0;

  /**
   * @param slots lanes; 1: the stream is one
   * @param keepBlocks false for file destinations, which read their records when a file is stored
   * @param memory of all streams of the node
   */
  constructor(slots: number, keepBlocks: boolean, memory: HeldBlocks) {
    this.#keepBlocks = keepBlocks;
    this.#memory = memory;
    this.#lanes = Array.from({ length: slots }, (_, slot) => ({
      slot,
      queue: [],
      head: 0,
      count: 0,
      rank: -1,
    }));
  }

  /** Records that wait. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of memory that their blocks take, other streams' records in them included. */
  get held(): number {
    return this.#held;
  }

  get slots(): number {
    return this.#lanes.length;
  }

  get keepsBlocks(): boolean {
    return this.#keepBlocks;
  }

  /** The growth of `held` by a block. */
  weight(block: Block): number {
    return this.#keepBlocks ? block.heldBytes : WAITING_BYTES;
  }

  /** Records that wait in a lane. */
  waitingIn(slot: number): number {
    return (this.#lanes[slot] as Lane).count;
  }

  /** The first waiting record, and its arrival; undefined when none waits. */
  get oldest(): { readonly position: Position; readonly arrivedAt: number } | undefined {
    const lane = this.#order.first;
    if (!lane) return undefined;
    const { sequence, at, arrivedAt } = headOf(lane);
    return { position: { sequence, index: at }, arrivedAt };
  }

  /**
   * Adds records of a block, which lies behind all waiting ones.
   * @param runs pairs of indexes; not empty
   * @param parked waiting lanes: their records take no memory until they are sent
   */
  push(sequence: number, block: Block, runs: Uint32Array, parked: (slot: number) => boolean): void {
    const hold: Hold | undefined = this.#keepBlocks ? { block, lanes: 0 } : undefined;
    if (this.#lanes.length === 1) this.#add(this.#lanes[0] as Lane, sequence, block, runs, hold);
    else {
      for (const [slot, own] of slotRuns(block, runs, this.#lanes.length))
        this.#add(this.#lanes[slot] as Lane, sequence, block, own, hold && !parked(slot) ? hold : undefined);
    }
    if (hold && hold.lanes > 0) {
      this.#memory.add(block);
      this.#held += block.heldBytes;
    }
  }

  #add(lane: Lane, sequence: number, block: Block, runs: Uint32Array, hold: Hold | undefined): void {
    if (hold) hold.lanes++;
    else this.#held += WAITING_BYTES;
    const { starts, ends } = block;
    let count = 0;
    let bytes = 0;
    for (let run = 0; run < runs.length; run += 2) {
      const from = runs[run] as number;
      const to = runs[run + 1] as number;
      count += to - from;
      if (this.#keepBlocks) bytes += (ends[to - 1] as number) - (starts[from] as number);
    }
    lane.queue.push({
      sequence,
      arrivedAt: block.arrivedAt,
      runs,
      starts: this.#keepBlocks ? starts : undefined,
      ends: this.#keepBlocks ? ends : undefined,
      hold,
      mark: hold ? undefined : markOf(block),
      bytes,
      run: 0,
      at: runs[0] as number,
    });
    lane.count += count;
    this.#count += count;
    this.#bytes += bytes;
    // Behind its waiting records, so its rank changes only if it had none.
    if (lane.rank < 0) this.#order.changed(lane);
  }

  /** A lane has to wait: its records are read again when it is sent, and take no memory until then. */
  park(slot: number): void {
    const lane = this.#lanes[slot] as Lane;
    for (let at = lane.head; at < lane.queue.length; at++) {
      const waiting = lane.queue[at] as Waiting;
      if (!waiting.hold) continue;
      waiting.mark = markOf(waiting.hold.block);
      this.#release(waiting.hold);
      waiting.hold = undefined;
      this.#held += WAITING_BYTES;
    }
  }

  /**
   * Takes records of the lanes that are free, oldest lane first and each as far as the limits allow; the parts are in the
   * order of the log. Always one record, if there is one.
   */
  take(limits: Limits, free: (slot: number) => boolean): Span[] {
    const spans: Span[] = [];
    const room = { records: limits.records, bytes: limits.bytes };
    if (this.#lanes.length === 1) {
      if (free(0)) this.#takeFrom(this.#lanes[0] as Lane, room, limits.until, spans);
      return spans;
    }
    if (limits.records <= FEW) this.#takeOneByOne(room, limits.until, free, spans);
    else {
      const lanes = this.#lanes.filter((lane) => lane.count > 0 && free(lane.slot));
      lanes.sort((a, b) => comparePlaces(headOf(a), headOf(b)));
      for (const lane of lanes) {
        if (room.records < 1 || room.bytes < 1) break;
        this.#takeFrom(lane, room, limits.until, spans);
      }
    }
    return spans.sort((a, b) => a.sequence - b.sequence || a.from - b.from);
  }

  /** The same for few records: ordering hundreds of lanes for one record would cost more than the rest of its work. */
  #takeOneByOne(
    room: Room,
    until: Position | undefined,
    free: (slot: number) => boolean,
    spans: Span[],
  ): void {
    while (room.records > 0 && room.bytes > 0) {
      const lane = this.#order.firstFree(free);
      const { length } = spans;
      if (lane) this.#takeFrom(lane, room, until, spans);
      if (spans.length === length) return;
    }
  }

  #takeFrom(lane: Lane, room: Room, until: Position | undefined, spans: Span[]): void {
    while (lane.count > 0 && room.records > 0 && room.bytes > 0) {
      const waiting = headOf(lane);
      const to = furthest(waiting, room, spans.length === 0, until);
      if (to <= waiting.at) break;
      const { sequence, arrivedAt, hold, mark, at: from } = waiting;
      const bytes = spanBytes(waiting, from, to);
      spans.push({ sequence, block: hold?.block, mark, from, to, arrivedAt, bytes, slot: lane.slot });
      room.records -= to - from;
      room.bytes -= bytes;
      lane.count -= to - from;
      this.#count -= to - from;
      waiting.at = to;
      if (to < (waiting.runs[waiting.run * 2 + 1] as number)) continue;
      waiting.run++;
      if (waiting.run * 2 < waiting.runs.length) waiting.at = waiting.runs[waiting.run * 2] as number;
      else this.#shift(lane, waiting);
    }
    this.#order.changed(lane);
  }

  /**
   * Removes the waiting records of blocks up to `through`, without sending them.
   * @returns their number, and the arrival of the last one
   */
  discard(through: number): { readonly records: number; readonly spans: readonly Span[] } {
    let records = 0;
    const spans: Span[] = [];
    for (const lane of this.#lanes) {
      while (lane.count > 0 && headOf(lane).sequence <= through) {
        const waiting = headOf(lane);
        for (let run = waiting.run; run * 2 < waiting.runs.length; run++) {
          const from = run === waiting.run ? waiting.at : (waiting.runs[run * 2] as number);
          const to = waiting.runs[run * 2 + 1] as number;
          const { sequence, arrivedAt } = waiting;
          spans.push({ sequence, block: undefined, from, to, arrivedAt, bytes: 0, slot: lane.slot });
          records += to - from;
          lane.count -= to - from;
        }
        this.#shift(lane, waiting);
      }
      this.#order.changed(lane);
    }
    this.#count -= records;
    return { records, spans };
  }

  /** Forgets all waiting records, and frees their memory. */
  clear(): void {
    for (const lane of this.#lanes) {
      for (let at = lane.head; at < lane.queue.length; at++) {
        const { hold } = lane.queue[at] as Waiting;
        if (hold) this.#release(hold);
      }
      lane.queue = [];
      lane.head = 0;
      lane.count = 0;
    }
    this.#order.clear();
    this.#count = 0;
    this.#bytes = 0;
    this.#held = 0;
  }

  #shift(lane: Lane, { hold, bytes }: Waiting): void {
    this.#bytes -= bytes;
    if (hold) this.#release(hold);
    else this.#held -= WAITING_BYTES;
    // The array is cut only now and then: shifting it for each block would cost its length every time.
    lane.queue[lane.head] = undefined;
    lane.head++;
    if (lane.head === lane.queue.length || lane.head > 256) {
      lane.queue = lane.queue.slice(lane.head);
      lane.head = 0;
    }
  }

  #release(hold: Hold): void {
    if (--hold.lanes > 0) return;
    this.#memory.remove(hold.block);
    this.#held -= hold.block.heldBytes;
  }
}
