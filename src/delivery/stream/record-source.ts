import type { Selection } from '../../filters/compile.ts';
import type { Position, RecordLog } from '../../log/log.ts';
import type { Block, RecordKind } from '../../records/block.ts';
import { Backlog, selectionFrom, type Taken } from './backlog.ts';
import type { HeldBlocks } from './held-blocks.ts';

/** What passes: the selection of a block, or undefined when the block holds nothing for the stream. */
export type Select = (block: Block) => Selection | undefined;

export interface SourceContext {
  readonly partition: number;
  /** May change with the stream's configuration. */
  kind(): RecordKind;
  readonly log: RecordLog;
  readonly liveBytes: number;
  readonly waiting: HeldBlocks;
  /** The sequence of the next block that the runner will hand out. */
  dispatched(): number;
  select(block: Block): Selection | undefined;
  /** A block of which nothing passed lies directly behind what is done: the cursor may pass it. */
  passed(sequence: number, filtered: number): void;
  /** The block cannot be read. */
  fault(message: string): void;
}

/** Stored bytes and blocks of one read while behind: large enough to amortise it, small enough to stay bounded. */
const READ = { blocks: 16, bytes: 2 ** 20 };

/**
 * Where a data stream's records come from, in order and without a gap.
 *
 *   live    the runner's tail hands over each block as it is stored (`offer`)
 *   behind  the source reads the log itself, from `readAt`
 *
 *  live → behind    what waits takes more memory than `liveBytes`, or that of all streams is full, or `restartAt` put
 *                   the place back
 *  behind → live    `readAt` has reached what the runner hands out next; checked and changed in one step, so that no
 *                   block is missed or taken twice
 *
 *  S1  Backlog first, then live: what was read is in front of what is handed over later.
 *  S2  `readAt` is the place behind the last record that was put into the backlog or passed.
 */
export class RecordSource {
  #mode: 'live' | 'behind' = 'behind';
  #readAt: Position;
  #backlog: Backlog;
  readonly #context: SourceContext;
  #keepBlocks = true;
  #closed = false;

  constructor(context: SourceContext, from: Position) {
    this.#context = context;
    this.#readAt = from;
    this.#backlog = new Backlog(true, context.waiting);
  }

  get live(): boolean {
    return this.#mode === 'live';
  }

  get count(): number {
    return this.#backlog.count;
  }

  get oldestArrivedAt(): number | undefined {
    return this.#backlog.oldestArrivedAt;
  }

  /** Forgets what waits in memory and reads the log again from `position`. */
  restartAt(position: Position): void {
    this.#backlog.clear();
    this.#backlog = new Backlog(this.#keepBlocks, this.#context.waiting);
    this.#readAt = position;
    this.#mode = 'behind';
  }

  /** Takes nothing more, and gives back the memory of what is held; `count` stays, because it is not delivered. */
  close(): void {
    this.#backlog.giveBack();
    this.#closed = true;
  }

  /** File destinations read their records again when a file is closed, so that waiting costs no memory. */
  keepBlocks(keep: boolean, from: Position): void {
    if (keep === this.#keepBlocks) return;
    this.#keepBlocks = keep;
    this.restartAt(from);
  }

  /** Hands over a block that was just stored. True when it was taken into memory: there may be something to send. */
  offer(sequence: number, block: Block, selection: Selection): boolean {
    if (this.#mode !== 'live' || sequence < this.#readAt.sequence) return false;
    const taken = selection.count === 0 || (!this.#closed && this.#hasRoom(this.#backlog.weight(block)));
    if (!taken) {
      this.#mode = 'behind';
      return false;
    }
    this.#accept(sequence, block, selection);
    return true;
  }

  /** Whether a block of `weight` may be taken into memory as well; the first one always may. A file holds no blocks. */
  #hasRoom(weight: number): boolean {
    if (!this.#keepBlocks) return true;
    const { liveBytes, waiting } = this.#context;
    return this.#backlog.count === 0 || (this.#backlog.held + weight <= liveBytes && !waiting.full);
  }

  /** Reads the log until `records` or `bytes` of them wait, or memory is full, or the source has caught up. */
  async fill(records: number, bytes: number, signal: AbortSignal): Promise<void> {
    const backlog = this.#backlog;
    const wanted = () => backlog.count < records && backlog.bytes < bytes && this.#hasRoom(0);
    while (this.#mode === 'behind' && wanted() && !signal.aborted) {
      if (this.#readAt.sequence >= this.#context.dispatched()) {
        this.#mode = 'live';
        return;
      }
      const from = this.#readAt.sequence;
      const stored = await this.#context.log.read(this.#context.partition, from, READ);
      // Someone put the place back meanwhile: what was read belongs elsewhere.
      if (this.#closed || this.#backlog !== backlog || this.#readAt.sequence !== from) return;
      const dispatched = this.#context.dispatched();
      let read = from;
      for (const { sequence, block, ...rest } of stored) {
        if (sequence >= dispatched) break;
        read = sequence + 1;
        if (block?.kind === this.#context.kind()) {
          const selection = this.#context.select(block);
          if (selection) this.#accept(sequence, block, selection);
        }
        if ('fault' in rest) this.#context.fault(`block ${sequence}: ${rest.fault}`);
        if (read > this.#readAt.sequence) this.#readAt = { sequence: read, index: 0 };
        if (!wanted()) return;
      }
      // Nothing readable below what was handed out: the rest was trimmed.
      if (read === from) this.#readAt = { sequence: dispatched, index: 0 };
    }
  }

  take(records: number, bytes: number, until?: Position): Taken | undefined {
    return this.#backlog.take(records, bytes, until);
  }

  /** Counts the records from `position` up to `before` (a sequence) that pass, reading the log's indexes only. */
  async recount(
    position: Position,
    before: number,
    signal: AbortSignal,
  ): Promise<{ records: number; oldest: number | null }> {
    let records = 0;
    let oldest: number | null = null;
    let from = position.sequence;
    while (from < before && !signal.aborted) {
      const stored = await this.#context.log.read(this.#context.partition, from, READ);
      if (stored.length === 0) break;
      for (const { sequence, block } of stored) {
        from = sequence + 1;
        if (sequence >= before || block?.kind !== this.#context.kind()) continue;
        const whole = this.#context.select(block);
        if (!whole) continue;
        const selection =
          sequence === position.sequence ? selectionFrom(whole, block, position.index) : whole;
        records += selection.count;
        if (selection.count > 0) oldest ??= block.arrivedAt;
      }
    }
    return { records, oldest };
  }

  #accept(sequence: number, block: Block, whole: Selection): void {
    const selection =
      sequence === this.#readAt.sequence ? selectionFrom(whole, block, this.#readAt.index) : whole;
    this.#readAt = { sequence: sequence + 1, index: 0 };
    if (selection.count > 0) this.#backlog.push(sequence, block, selection);
    else if (!this.#backlog.pass(sequence, selection.filtered)) {
      this.#context.passed(sequence, selection.filtered);
    }
  }
}
