import type { DoneBlock } from '../../registry/data-stream.ts';
import type { Piece } from './piece.ts';
import { addRange, lengthOf, type Ranges } from './ranges.ts';

/** What has become of the records that one block has for the stream. */
interface Account {
  readonly sequence: number;
  /** Blocks behind it up to here hold nothing that passes. */
  through: number;
  /** Records of the stream's kind and organisations in the block; `unread` while it is to be read (again). */
  covered: number;
  /** The same in the blocks up to `through`: none of them passed. */
  beyond: number;
  unread: boolean;
  /** Records that have a fate. */
  fated: number;
  /** Records that were taken from the log and have none. */
  open: number;
  /** Indexes of the records that have a fate, and of those between them that did not pass. */
  done: Ranges;
}

/**
 * The accounts of the blocks between the cursor and the place up to which the log was read: how many records each has for the
 * stream, how many have a fate, and which. From them come the cursor, what was filtered, and what of a block is not done when
 * it is read again.
 *
 *  A1  A block leaves the ledger when none of its records is open: what then has no fate did not pass the filter.
 *  A2  `inside` = the records of all accounts that have no fate, whether they pass or not.
 */
export class Ledger {
  #accounts: Account[] = [];
  /** A2 */
  #inside = 0;
  /** Ranges that must be remembered because something before them is open. */
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

  /** What is done of a block already; undefined when nothing is known of it. */
  doneOf(sequence: number): Ranges | undefined {
    return this.#find(sequence)?.done;
  }

  /** Takes over what was committed. */
  restore(blocks: readonly DoneBlock[]): void {
    for (const { sequence, fated, ranges } of blocks) {
      const done = [...ranges];
      this.#accounts.push({
        sequence,
        through: sequence,
        covered: 0,
        beyond: 0,
        unread: true,
        fated: fated ?? lengthOf(done),
        open: 0,
        done,
      });
      this.#inside -= fated ?? lengthOf(done);
      this.#ranges += done.length >>> 1;
    }
  }

  /** For the commit: what is done in the block of the cursor and beyond it. */
  toCommit(): DoneBlock[] {
    const blocks: DoneBlock[] = [];
    for (const { sequence, fated, done } of this.#accounts)
      if (done.length > 0) blocks.push({ sequence, fated, ranges: [...done] });
    return blocks;
  }

  /** A block was read, and `open` of its records were taken; it lies behind all that were read before. */
  read(sequence: number, covered: number, open: number): void {
    const known = this.#find(sequence);
    if (known) {
      known.covered = covered;
      known.unread = false;
      known.open += open;
      this.#inside += covered;
    } else if (open > 0 || this.#accounts.length > 0) {
      const last = this.#accounts[this.#accounts.length - 1];
      if (open === 0 && last && !last.unread) {
        last.through = sequence;
        last.beyond += covered;
      } else this.#insert(sequence, covered, open);
      this.#inside += covered;
    }
  }

  #insert(sequence: number, covered: number, open: number): void {
    const account = {
      sequence,
      through: sequence,
      covered,
      beyond: 0,
      unread: false,
      fated: 0,
      open,
      done: [],
    };
    // Blocks that were committed as done in part may lie behind this one.
    let at = this.#accounts.length;
    while (at > 0 && (this.#accounts[at - 1] as Account).sequence > sequence) at--;
    this.#accounts.splice(at, 0, account);
  }

  /** The records of a piece got their fate. */
  fate(piece: Piece): void {
    for (let at = 0; at < piece.length; ) {
      const { sequence } = piece[at] as Piece[number];
      const account = this.#find(sequence);
      if (!account) throw new Error(`block ${sequence} has no account`);
      let end = at;
      let count = 0;
      for (; end < piece.length && (piece[end] as Piece[number]).sequence === sequence; end++)
        count += (piece[end] as Piece[number]).to - (piece[end] as Piece[number]).from;
      account.fated += count;
      account.open -= count;
      this.#inside -= count;
      if (account.open < 0) throw new Error(`a record of block ${sequence} got two fates`);
      this.#ranges -= account.done.length >>> 1;
      for (; at < end; at++)
        addRange(account.done, (piece[at] as Piece[number]).from, (piece[at] as Piece[number]).to);
      this.#ranges += account.done.length >>> 1;
    }
  }

  /** Closes the accounts of all blocks before `sequence`. @returns how many of their records did not pass */
  close(sequence: number): number {
    let filtered = 0;
    let closed = 0;
    for (const account of this.#accounts) {
      if (account.sequence >= sequence) break;
      if (account.open > 0) throw new Error(`the cursor passes block ${account.sequence} with open records`);
      const left = account.covered + account.beyond - account.fated;
      filtered += Math.max(0, left);
      this.#inside -= left;
      this.#ranges -= account.done.length >>> 1;
      closed++;
    }
    if (closed > 0) this.#accounts.splice(0, closed);
    return filtered;
  }

  /**
   * The blocks from `sequence` on are read again; only the records in `claimed`, which are in flight or to be sent again,
   * are still taken.
   * @returns the records that are now unread
   */
  unread(sequence: number, claimed: readonly Piece[]): number {
    let covered = 0;
    for (const account of this.#accounts) {
      if (account.sequence < sequence) {
        // Blocks without a match behind it may lie behind the place as well: those stay passed.
        continue;
      }
      covered += account.covered + account.beyond;
      this.#inside -= account.covered + account.beyond;
      account.covered = 0;
      account.beyond = 0;
      account.through = account.sequence;
      account.unread = true;
      account.open = 0;
    }
    for (const piece of claimed)
      for (const { sequence: of, from, to } of piece)
        if (of >= sequence) (this.#find(of) as Account).open += to - from;
    this.#accounts = this.#accounts.filter(
      (account) => account.sequence < sequence || account.open > 0 || account.fated > 0,
    );
    return covered;
  }

  /** The retention took a block that was not read (again): its accounts close when the cursor has passed it. */
  lose(sequence: number, covered: number): number {
    const account = this.#find(sequence);
    if (!account) return covered;
    account.covered = covered;
    account.unread = false;
    this.#inside += covered;
    return 0;
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
