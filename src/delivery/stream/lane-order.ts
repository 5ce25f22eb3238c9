import { comparePlaces, headOf, type Lane } from './waiting.ts';

/**
 * The lanes that have records, by the place of their first record: a binary heap. A stream has hundreds of lanes, and
 * a request may take one record of one of them, so no step may cost work for each lane.
 *
 *  O1  A lane is in the heap while it has records, at `rank`. No lane comes before its parent, which is at half of its rank.
 */
export class LaneOrder {
  readonly #heap: Lane[] = [];

  /** The lane with the oldest record; undefined: no record waits. */
  get first(): Lane | undefined {
    return this.#heap[0];
  }

  /** The first lane that is free. Costs as much as there are lanes before it. */
  firstFree(free: (slot: number) => boolean): Lane | undefined {
    return this.#heap.length === 0 ? undefined : this.#firstFrom(0, undefined, free);
  }

  /** O1: records were added to the lane, or taken from it. */
  changed(lane: Lane): void {
    const heap = this.#heap;
    if (lane.count === 0) {
      if (lane.rank >= 0) this.#remove(lane);
    } else if (lane.rank < 0) this.#rise(lane, heap.push(lane) - 1);
    else this.#sink(lane, lane.rank);
  }

  clear(): void {
    for (const lane of this.#heap) lane.rank = -1;
    this.#heap.length = 0;
  }

  /** A lane below one that is not before the best one cannot be better. */
  #firstFrom(rank: number, best: Lane | undefined, free: (slot: number) => boolean): Lane | undefined {
    const lane = this.#heap[rank];
    if (!lane || (best && !isBefore(lane, best))) return best;
    if (free(lane.slot)) return lane;
    const left = this.#firstFrom(rank * 2 + 1, best, free);
    return this.#firstFrom(rank * 2 + 2, left, free);
  }

  #remove(lane: Lane): void {
    const heap = this.#heap;
    const { rank } = lane;
    const last = heap.pop() as Lane;
    lane.rank = -1;
    if (last === lane) return;
    this.#sink(last, rank);
    if (last.rank === rank) this.#rise(last, rank);
  }

  #rise(lane: Lane, from: number): void {
    const heap = this.#heap;
    let rank = from;
    while (rank > 0) {
      const above = heap[(rank - 1) >>> 1] as Lane;
      if (!isBefore(lane, above)) break;
      this.#place(above, rank);
      rank = (rank - 1) >>> 1;
    }
    this.#place(lane, rank);
  }

  /** A lane's first record only ever becomes a later one, unless the lane takes the place of another. */
  #sink(lane: Lane, from: number): void {
    const heap = this.#heap;
    let rank = from;
    for (;;) {
      let below = rank * 2 + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Lane, heap[below] as Lane)) below++;
      const next = heap[below] as Lane;
      if (!isBefore(next, lane)) break;
      this.#place(next, rank);
      rank = below;
    }
    this.#place(lane, rank);
  }

  #place(lane: Lane, rank: number): void {
    this.#heap[rank] = lane;
    lane.rank = rank;
  }
}

function isBefore(a: Lane, b: Lane): boolean {
  return comparePlaces(headOf(a), headOf(b)) < 0;
}
