import type { Selection } from '../../filters/compile.ts';
import type { Position } from '../../log/log.ts';
import type { Block } from '../../records/block.ts';
import type { HeldBlocks } from './held-blocks.ts';

/** Some neighbouring records of a block: what a delivery is made of. `block` is missing where it is read again later. */
export interface Part {
  readonly sequence: number;
  readonly block: Block | undefined;
  readonly from: number;
  readonly to: number;
}

/** Records taken from the front of a backlog for one delivery. */
export interface Taken {
  readonly parts: readonly Part[];
  readonly count: number;
  /** At most this many bytes; separators may be counted in. */
  readonly bytes: number;
  readonly first: Position;
  readonly last: Position;
  readonly firstArrivedAt: number;
  /** The cursor once these are delivered. */
  readonly after: Position;
  readonly leftBehind: readonly LeftBehind[];
}

/** Records that did not pass the filter, in blocks up to `through`: counted when the cursor has passed that block. */
export interface LeftBehind {
  readonly through: number;
  readonly filtered: number;
}

interface Entry {
  readonly sequence: number;
  readonly block: Block | undefined;
  readonly arrivedAt: number;
  readonly runs: Uint32Array;
  readonly starts: Uint32Array | undefined;
  readonly ends: Uint32Array | undefined;
  bytes: number;
  /** The run and the record in it that come next. */
  run: number;
  at: number;
  /** Records left behind when this entry is used up: those of its own block, and of blocks after it without a match. */
  filtered: number;
  through: number;
}

/**
 * The records of one data stream that wait in memory for delivery, in order: whole blocks with the runs that passed the
 * filter. Cost is per block and per run, never per record.
 */
export class Backlog {
  readonly #keepBlocks: boolean;
  readonly #waiting: HeldBlocks;
  #entries: Entry[] = [];
  #head = 0;
  #count = 0;
  #bytes = 0;
  #held = 0;
  #givenBack = false;

  /**
   * @param keepBlocks false for file destinations, which read their records again when a file is closed
   * @param waiting of all streams of the node
   */
  constructor(keepBlocks: boolean, waiting: HeldBlocks) {
    this.#keepBlocks = keepBlocks;
    this.#waiting = waiting;
  }

  /** Records that wait. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of the records that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of memory that their blocks take, other streams' records in them included. */
  get held(): number {
    return this.#held;
  }

  /** What `held` grows by with a block. */
  weight(block: Block): number {
    return this.#keepBlocks ? block.heldBytes : ENTRY_BYTES;
  }

  /** When the oldest waiting record arrived, ms since the epoch. */
  get oldestArrivedAt(): number | undefined {
    return this.#entries[this.#head]?.arrivedAt;
  }

  /** Adds the records of a block that passed the filter; there is at least one. */
  push(sequence: number, block: Block, selection: Selection): void {
    const bytes = this.#keepBlocks ? selection.bytes : ENTRY_BYTES;
    if (this.#keepBlocks) this.#waiting.add(block);
    this.#held += this.weight(block);
    this.#entries.push({
      sequence,
      block: this.#keepBlocks ? block : undefined,
      arrivedAt: block.arrivedAt,
      runs: selection.runs,
      starts: this.#keepBlocks ? block.starts : undefined,
      ends: this.#keepBlocks ? block.ends : undefined,
      bytes,
      run: 0,
      at: selection.runs[0] as number,
      filtered: selection.filtered,
      through: sequence,
    });
    this.#count += selection.count;
    this.#bytes += bytes;
  }

  /** Notes a block of which no record passed. False when nothing waits: the cursor may then pass it at once. */
  pass(sequence: number, filtered: number): boolean {
    const last = this.#entries[this.#entries.length - 1];
    if (!last || this.#head === this.#entries.length) return false;
    last.filtered += filtered;
    last.through = sequence;
    return true;
  }

  /**
   * Its memory counts no more, because the stream's pump has ended. What waits is still told: that it is not done must be
   * committed.
   */
  giveBack(): void {
    if (this.#givenBack) return;
    this.#givenBack = true;
    for (let at = this.#head; at < this.#entries.length; at++) {
      const block = this.#entries[at]?.block;
      if (block) this.#waiting.remove(block);
    }
  }

  clear(): void {
    this.giveBack();
    this.#givenBack = false;
    this.#entries = [];
    this.#head = 0;
    this.#count = 0;
    this.#bytes = 0;
    this.#held = 0;
  }

  /**
   * Takes records from the front: at most `records` and `bytes` (but always one), and none after `until`.
   * undefined when nothing waits.
   */
  take(records: number, bytes: number, until?: Position): Taken | undefined {
    const parts: Part[] = [];
    let count = 0;
    let size = 0;
    const leftBehind: LeftBehind[] = [];
    let after: Position | undefined;
    const firstArrivedAt = this.oldestArrivedAt;
    while (this.#head < this.#entries.length) {
      const entry = this.#entries[this.#head] as Entry;
      if (until && entry.sequence > until.sequence) break;
      const fits = this.#fits(entry, records - count, count === 0 ? bytes : bytes - size, count === 0, until);
      if (fits <= entry.at) break;
      const partBytes = runBytes(entry, entry.at, fits);
      parts.push({ sequence: entry.sequence, block: entry.block, from: entry.at, to: fits });
      count += fits - entry.at;
      size += partBytes;
      after = { sequence: entry.sequence, index: fits };
      entry.at = fits;
      if (fits === entry.runs[entry.run * 2 + 1]) {
        entry.run++;
        if (entry.run * 2 < entry.runs.length) {
          entry.at = entry.runs[entry.run * 2] as number;
        } else {
          if (entry.filtered > 0) leftBehind.push({ through: entry.through, filtered: entry.filtered });
          after = { sequence: entry.through + 1, index: 0 };
          this.#dropHead();
        }
      }
      if (count >= records || size >= bytes) break;
    }
    const head = parts[0];
    const tail = parts[parts.length - 1];
    if (!head || !tail || !after || firstArrivedAt === undefined) return undefined;
    this.#count -= count;
    return {
      parts,
      count,
      bytes: size,
      first: { sequence: head.sequence, index: head.from },
      last: { sequence: tail.sequence, index: tail.to - 1 },
      firstArrivedAt,
      after,
      leftBehind,
    };
  }

  /** The end of the longest piece of the entry's current run that may still be taken. */
  #fits(entry: Entry, records: number, bytes: number, first: boolean, until?: Position): number {
    let to = Math.min(entry.runs[entry.run * 2 + 1] as number, entry.at + records);
    if (until && entry.sequence === until.sequence) to = Math.min(to, until.index + 1);
    if (runBytes(entry, entry.at, to) <= bytes) return to;
    let low = entry.at;
    let high = to - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (runBytes(entry, entry.at, middle) <= bytes) low = middle;
      else high = middle - 1;
    }
    return first ? Math.max(low, Math.min(to, entry.at + 1)) : low;
  }

  #dropHead(): void {
    const { bytes, block } = this.#entries[this.#head] as Entry;
    this.#bytes -= bytes;
    this.#held -= block ? this.weight(block) : ENTRY_BYTES;
    if (block) this.#waiting.remove(block);
    // The array is cut only now and then: shifting it for each entry would cost its length every time.
    this.#entries[this.#head] = undefined as unknown as Entry;
    this.#head++;
    if (this.#head === this.#entries.length || this.#head > 256) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }
}

/** An entry without its block. */
const ENTRY_BYTES = 64;

function runBytes(entry: Entry, from: number, to: number): number {
  if (to <= from || !entry.starts || !entry.ends) return 0;
  return (entry.ends[to - 1] as number) - (entry.starts[from] as number);
}

/** What is left of a selection when the records before `index` are done already. */
export function selectionFrom(selection: Selection, block: Block, index: number): Selection {
  if (index === 0) return selection;
  const runs: number[] = [];
  let count = 0;
  let bytes = 0;
  for (let run = 0; run < selection.runs.length; run += 2) {
    const from = Math.max(selection.runs[run] as number, index);
    const to = selection.runs[run + 1] as number;
    if (from >= to) continue;
    runs.push(from, to);
    count += to - from;
    bytes += (block.ends[to - 1] as number) - (block.starts[from] as number);
  }
  return { runs: Uint32Array.from(runs), count, bytes, filtered: selection.filtered };
}
