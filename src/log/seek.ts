import { type Extent, MOST_AHEAD_MS } from './log.ts';

/** The functions of a partition that a search needs. */
interface Searched {
  readonly extent: Extent;
  /** When a block arrived, ms since the epoch; undefined: it cannot be read. */
  arrivedAt(sequence: number): number | undefined | Promise<number | undefined>;
  /** ms since the epoch */
  readonly now: number;
  readonly lookBack: LookBack;
}

/**
 * Neighbours in the log may be out of the order of arrival. A search looks back at `least` blocks, and further over
 * blocks that arrived at most `ms` before the time, but at `most` blocks at most.
 */
export interface LookBack {
  readonly ms: number;
  readonly least: number;
  readonly most: number;
}

/**
 * The first block of a partition that arrived at or after a time. If that is not certain, a block too early: too many
 * records are better than too few.
 *
 * Blocks from the future lie together, because a clock was wrong for a while. A search that ends among them continues
 * behind them: if the block behind them arrived before the time, they did, too.
 * @returns the sequence; `next` of the extent if no block did
 */
export async function seekArrival(searched: Searched, time: number): Promise<number> {
  const { extent, arrivedAt, lookBack } = searched;
  const latest = searched.now + MOST_AHEAD_MS;
  const isTimed = (arrived: number | undefined): arrived is number =>
    arrived !== undefined && arrived <= latest;

  let low = extent.first;
  let found = await firstFrom(searched, low, time);
  while (found < extent.next && !isTimed(await arrivedAt(found))) {
    const behind = await firstTimed(searched, found, isTimed);
    const arrived = behind < extent.next ? await arrivedAt(behind) : undefined;
    if (arrived === undefined || arrived >= time) break;
    low = behind + 1;
    found = await firstFrom(searched, low, time);
  }

  for (let earlier = found - 1; earlier >= Math.max(low, found - lookBack.most); earlier--) {
    const arrived = await arrivedAt(earlier);
    if (!isTimed(arrived)) continue;
    if (arrived >= time) found = earlier;
    else if (arrived < time - lookBack.ms && found - earlier >= lookBack.least) break;
  }
  return found;
}

/** The same in a part of the partition in which times do not go back. */
async function firstFrom({ extent, arrivedAt }: Searched, from: number, time: number): Promise<number> {
  let low = from;
  let high = extent.next;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    // Skips an unreadable block towards the front.
    let probe = middle;
    let arrived = await arrivedAt(probe);
    while (probe > low && arrived === undefined) arrived = await arrivedAt(--probe);
    if (arrived === undefined || arrived < time) low = middle + 1;
    else high = probe;
  }
  return low;
}

/** The end of a run of blocks without a time that can be right; `next` of the extent if it does not end. */
async function firstTimed(
  { extent, arrivedAt }: Searched,
  from: number,
  isTimed: (arrived: number | undefined) => boolean,
): Promise<number> {
  let without = from;
  let timed = extent.next;
  for (let step = 1; without + step < timed; step *= 2) {
    if (isTimed(await arrivedAt(without + step))) timed = without + step;
    else without += step;
  }
  while (timed - without > 1) {
    const middle = Math.floor((without + timed) / 2);
    if (isTimed(await arrivedAt(middle))) timed = middle;
    else without = middle;
  }
  return timed;
}
