import { comparePositions, type Position } from '../../log/log.ts';
import type { DoneBlock } from '../../registry/data-stream.ts';
import type { Chunk } from './chunk.ts';
import { HourCounts, hourOf } from './hours.ts';
import { addRange, dropBelow, dropFrom, lengthOf, type Ranges } from './ranges.ts';

/** The account of the records that one block has for the stream, from the cursor on. */
interface Account {
  readonly sequence: number;
  /** ms since the epoch; 0: it is not known before the block is read again. */
  arrivedAt: number;
  /** It will be read (again), from some index on: the records that do not pass there are unknown. */
  unread: boolean;
  /** Taken records without a fate. */
  open: number;
  /** Indexes of the records that did not pass: they have their fate when the cursor passes them, with L2. */
  skipped: Ranges;
  /** Records in blocks without a passing record: the blocks behind it, or the block itself. */
  beyond: number;
  /** Indexes of the records that have a fate. */
  done: Ranges;
}

/**
 * The accounts of the blocks between the cursor and the place up to which the log was read: how many records each has for the
 * stream, how many have a fate, and which.
 *
 *  L1  Every record before the cursor has one fate. From the cursor on, those in `done` have one.
 *  L2  A record that does not pass is counted as filtered when the cursor passes it, under the selection with which its block
 *      was read last. Another selection reads the blocks from the cursor on again; records with a fate keep it.
 *  L3  `inside` = the read records from the cursor on without a fate, whether they pass or not.
 */
export class Ledger {
  #accounts: Account[] = [];
  /** L3 */
  #inside = 0;
  /** Ranges that must be remembered because a record before them is open. */
  #ranges = 0;

  get empty(): boolean {
    return this.#accounts.length === 0;
  }

  get inside(): number {
    return this.#inside;
  }

  /** The last block that has an account; 0: none has. */
  get last(): number {
    return this.#accounts[this.#accounts.length - 1]?.sequence ?? 0;
  }

  get ranges(): number {
    return this.#ranges;
  }

  /** Records that were taken from the log and have no fate yet. */
  get open(): number {
    let open = 0;
    for (const account of this.#accounts) open += account.open;
    return open;
  }

  /**
   * The done records of a block from the cursor on; undefined: it has no account, so no record of it is done or
   * taken.
   */
  doneOf(sequence: number): ArrayLike<number> | undefined {
    return this.#find(sequence)?.done;
  }

  /** Takes over the account that was committed with a cursor. */
  restore(blocks: readonly DoneBlock[], cursor: Position): void {
    for (const { sequence, ranges } of blocks) {
      if (sequence < cursor.sequence) continue;
      const done = [...ranges];
      if (sequence === cursor.sequence) dropBelow(done, cursor.index);
      if (done.length === 0) continue;
      this.#accounts.push({ sequence, arrivedAt: 0, unread: true, open: 0, skipped: [], beyond: 0, done });
      this.#ranges += done.length >>> 1;
    }
  }

  /** Blocks that may have done or taken records. */
  sequences(): number[] {
    return this.#accounts.map(({ sequence }) => sequence);
  }

  /** For the commit: the records beyond the cursor that have a fate. */
  toCommit(): DoneBlock[] {
    const blocks: DoneBlock[] = [];
    for (const { sequence, done } of this.#accounts)
      if (done.length > 0) blocks.push({ sequence, ranges: [...done] });
    return blocks;
  }

  /**
   * A block was read; it lies behind all that were read before.
   * @param open records that are taken now
   * @param skipped ranges of the records that did not pass and have no fate
   * @param arrivedAt ms since the epoch
   */
  read(sequence: number, open: number, skipped: ArrayLike<number>, arrivedAt: number): void {
    this.#inside += open + lengthOf(skipped);
    const known = this.#find(sequence);
    if (known) {
      known.unread = false;
      known.arrivedAt = arrivedAt;
      known.open += open;
      known.skipped = known.skipped.concat(Array.from(skipped));
    } else this.#insert({ sequence, arrivedAt, open, skipped: Array.from(skipped), beyond: 0 });
  }

  /** A block was read without a passing record or a fate; it lies behind all blocks that were read before. */
  skip(sequence: number, records: number, arrivedAt: number): void {
    this.#inside += records;
    const last = this.#accounts[this.#accounts.length - 1];
    if (last && !last.unread && hourOf(last.arrivedAt) === hourOf(arrivedAt)) last.beyond += records;
    else this.#insert({ sequence, arrivedAt, open: 0, skipped: [], beyond: records });
  }

  #insert(read: Omit<Account, 'unread' | 'done'>): void {
    const account: Account = { ...read, unread: false, done: [] };
    // Blocks that were committed as partly done may lie behind this one.
    let at = this.#accounts.length;
    while (at > 0 && (this.#accounts[at - 1] as Account).sequence > account.sequence) at--;
    this.#accounts.splice(at, 0, account);
  }

  /** The records of a chunk got their fate. */
  fate(chunk: Chunk): void {
    for (let at = 0; at < chunk.length; ) {
      const { sequence } = chunk[at] as Chunk[number];
      const account = this.#find(sequence);
      if (!account) throw new Error(`block ${sequence} has no account`);
      this.#ranges -= account.done.length >>> 1;
      let count = 0;
      for (; at < chunk.length && (chunk[at] as Chunk[number]).sequence === sequence; at++) {
        const { from, to } = chunk[at] as Chunk[number];
        count += to - from;
        addRange(account.done, from, to);
      }
      this.#ranges += account.done.length >>> 1;
      account.open -= count;
      this.#inside -= count;
      if (account.open < 0) throw new Error(`a record of block ${sequence} got two fates`);
    }
  }

  /**
   * L2: the cursor has moved here.
   * @param count called with the records before the cursor that did not pass the filter, and with the arrival of their
   *   blocks
   */
  pass(cursor: Position, count: (records: number, arrivedAt: number) => void): void {
    let filtered = 0;
    let closed = 0;
    for (const account of this.#accounts) {
      if (account.sequence > cursor.sequence) break;
      const { done, skipped } = account;
      this.#ranges -= done.length >>> 1;
      if (account.sequence === cursor.sequence) {
        const passed = dropBelow(skipped, cursor.index);
        count(passed, account.arrivedAt);
        filtered += passed;
        dropBelow(done, cursor.index);
        this.#ranges += done.length >>> 1;
        break;
      }
      if (account.open > 0) throw new Error(`the cursor passes block ${account.sequence} with open records`);
      const passed = lengthOf(skipped) + account.beyond;
      count(passed, account.arrivedAt);
      filtered += passed;
      closed++;
    }
    if (closed > 0) this.#accounts.splice(0, closed);
    this.#inside -= filtered;
  }

  /**
   * The records from `place` on are read again; only those in `claimed`, which are in flight or will be sent again,
   * stay taken.
   * @returns the records that are now unread
   */
  unread(place: Position, claimed: readonly Chunk[]): HourCounts {
    const back = new HourCounts();
    for (const account of this.#accounts) {
      if (account.sequence < place.sequence) continue;
      const skipped = dropFrom(account.skipped, account.sequence === place.sequence ? place.index : 0);
      const covered = account.open + skipped + account.beyond;
      back.add(account.arrivedAt, account.open, covered);
      this.#inside -= covered;
      account.unread = true;
      account.open = 0;
      account.beyond = 0;
    }
    for (const { sequence, from, to } of claimed.flat()) {
      if (sequence < place.sequence) continue;
      const account = this.#find(sequence) as Account;
      account.open += to - from;
      back.add(account.arrivedAt, from - to, from - to);
      this.#inside += to - from;
    }
    this.#accounts = this.#accounts.filter(
      ({ sequence, open, done, skipped }) =>
        sequence < place.sequence || open > 0 || done.length > 0 || skipped.length > 0,
    );
    return back;
  }

  /** The records from the cursor on that were read and have no fate, by the hour of their arrival. */
  waiting(): HourCounts {
    const waiting = new HourCounts();
    for (const { arrivedAt, open, skipped, beyond } of this.#accounts)
      waiting.add(arrivedAt, open, open + lengthOf(skipped) + beyond);
    return waiting;
  }

  /**
   * The earliest arrival of a block with an account; 0: that of one is not known; Infinity: none has one. It need not be that of the
   * first: a clock may have been ahead when that one arrived.
   */
  get firstArrival(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { arrivedAt } of this.#accounts) first = Math.min(first, arrivedAt);
    return first;
  }

  /** @throws Error when the account contradicts itself; for tests and the simulation */
  balance(cursor: Position): void {
    let inside = 0;
    let ranges = 0;
    for (const { sequence, open, skipped, beyond, done } of this.#accounts) {
      inside += open + lengthOf(skipped) + beyond;
      ranges += done.length >>> 1;
      for (const index of [done[0], skipped[0]])
        if (index !== undefined && comparePositions({ sequence, index }, cursor) < 0)
          throw new Error(`record ${sequence}.${index} lies before the cursor and is still in the accounts`);
    }
    if (inside !== this.#inside) throw new Error(`${inside} records are inside, ${this.#inside} are counted`);
    if (ranges !== this.#ranges) throw new Error(`there are ${ranges} ranges, ${this.#ranges} are counted`);
  }

  #find(sequence: number): Account | undefined {
    const accounts = this.#accounts;
    const last = accounts[accounts.length - 1];
    if (!last || last.sequence < sequence) return undefined;
    let low = 0;
    let high = accounts.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((accounts[middle] as Account).sequence < sequence) low = middle + 1;
      else high = middle;
    }
    return accounts[low]?.sequence === sequence ? accounts[low] : undefined;
  }
}
