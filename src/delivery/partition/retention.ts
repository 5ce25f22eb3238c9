import { MOST_AHEAD_MS, type Position, type RecordLog, type StoredBlock } from '../../log/log.ts';
import type { Block } from '../../records/block.ts';

/**
 * Removes blocks that are older than the retention from a partition, even while deliveries are in flight: the retention
 * bounds the disk, never the slowest stream. Records that a stream has not delivered are counted as expired first, so that
 * no loss goes unseen.
 *
 * Times of arrival do not go back within a partition (L6 of log.ts), but stores of version 1 and nodes with different
 * clocks may have left some that do. So the order of the blocks decides and not their times: a block goes when it and
 * all blocks before it are due. An unreadable block has no time, and a block from the future has a wrong one; they go
 * with the next block that is due.
 */
interface RetentionContext {
  readonly partition: number;
  readonly log: RecordLog;
  /** Streams that may still need old blocks. */
  streams(): Iterable<Expiring>;
  /** An unreadable block expired: its number of records, and their streams, are unknown. */
  unreadable(sequence: number, fault: string): void;
  /** Monotonic milliseconds. */
  monotonic(): number;
}

/** The part of a stream that the retention needs. */
export interface Expiring {
  /** The oldest record that is not done yet; undefined while that is unknown. */
  readonly place: Position | undefined;
  /**
   * Counts the undelivered records of the stream in a block that expires now.
   * @returns false when the stream cannot count it now; the block stays until the next round, but at most PATIENCE_MS
   */
  expire(sequence: number, block: Block | undefined): boolean;
  /** Call before `expire`: judges the records of a large block in slices. */
  prepare?(block: Block): Promise<void> | undefined;
}

/** Blocks per read. Only their indexes are used, so this bounds the memory for stored bytes. */
const READ = { blocks: 64, bytes: 8 * 2 ** 20 };
/** How long a block may stay for a stream that cannot count it: longer than reading a stream's documents takes. */
const PATIENCE_MS = 120_000;

export class Retention {
  readonly #context: RetentionContext;
  /** Since when streams could not count a block, in monotonic time. */
  readonly #waiting = new WeakMap<Expiring, number>();
  /** From the front of the partition on, no block before this sequence has a time. */
  #without = 0;

  constructor(context: RetentionContext) {
    this.#context = context;
  }

  /**
   * Removes the blocks that are due, a few at a time.
   * @param now ms since the epoch, by which ages are measured
   * @param retentionMs blocks that arrived longer ago are due
   * @throws StoreUnavailable when the log does not answer
   */
  async trim(now: number, retentionMs: number, signal: AbortSignal): Promise<void> {
    const { partition, log } = this.#context;
    const ages: Ages = { cutoff: now - retentionMs, latest: now + MOST_AHEAD_MS };
    while (!signal.aborted) {
      const { first } = await log.extent(partition);
      const stored = await log.read(partition, first, READ);
      const due = (await this.#isRunDue(stored, ages, signal)) ? stored : duePrefix(stored, ages);
      if (due.length === 0 || signal.aborted) return;
      await this.#prepare(due);
      if (signal.aborted) return;
      const gone = due.findIndex((one) => !this.#expire(one));
      const last = due[(gone < 0 ? due.length : gone) - 1];
      if (last) await log.trim(partition, last.sequence + 1);
      if (gone >= 0 || due.length < stored.length) return;
    }
  }

  /**
   * Whether these blocks without a time go: that depends on the first block behind them that has a time. The result
   * for the blocks before it is kept, because they may be many.
   */
  async #isRunDue(stored: readonly StoredBlock[], ages: Ages, signal: AbortSignal): Promise<boolean> {
    const { partition, log } = this.#context;
    const isTimed = ({ block }: StoredBlock) => block !== undefined && block.arrivedAt <= ages.latest;
    const last = stored.at(-1);
    if (!last || stored.some(isTimed)) return false;
    this.#without = Math.max(this.#without, last.sequence + 1);
    while (!signal.aborted) {
      const behind = await log.read(partition, this.#without, READ);
      const timed = behind.find(isTimed);
      this.#without = timed?.sequence ?? (behind.at(-1)?.sequence ?? this.#without - 1) + 1;
      if (timed?.block) return timed.block.arrivedAt < ages.cutoff;
      if (behind.length === 0) return false;
    }
    return false;
  }

  async #prepare(due: readonly StoredBlock[]): Promise<void> {
    for (const { sequence, block } of due) {
      if (!block) continue;
      for (const stream of this.#context.streams()) {
        const { place } = stream;
        if (!place || place.sequence <= sequence) await stream.prepare?.(block);
      }
    }
  }

  /** @returns false when the block must stay for now */
  #expire(stored: StoredBlock): boolean {
    const { sequence, block } = stored;
    let counted = true;
    for (const stream of this.#context.streams()) {
      const { place } = stream;
      if (place && place.sequence > sequence) continue;
      if (stream.expire(sequence, block)) this.#waiting.delete(stream);
      else if (!this.#isImpatient(stream)) counted = false;
    }
    if (counted && !block) this.#context.unreadable(sequence, stored.fault);
    return counted;
  }

  #isImpatient(stream: Expiring): boolean {
    const now = this.#context.monotonic();
    const since = this.#waiting.get(stream) ?? now;
    this.#waiting.set(stream, since);
    return now - since >= PATIENCE_MS;
  }
}

/** ms since the epoch: blocks that arrived before `cutoff` are due; a time after `latest` cannot be right. */
interface Ages {
  readonly cutoff: number;
  readonly latest: number;
}

/** The blocks at the front that are due. */
function duePrefix(stored: readonly StoredBlock[], { cutoff, latest }: Ages): readonly StoredBlock[] {
  let due = 0;
  for (const [at, { block }] of stored.entries()) {
    if (!block || block.arrivedAt > latest) continue;
    if (block.arrivedAt >= cutoff) break;
    due = at + 1;
  }
  return stored.slice(0, due);
}
