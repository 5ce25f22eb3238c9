import type { Clock } from '../lib/clock.ts';
import { createKeyedQueue } from '../lib/keyed-queue.ts';
import { ActiveSegment } from './active-segment.ts';
import { placeNow, type Segment } from './segment.ts';
import { fetchBlocks } from './segment-fetch.ts';
import type { SegmentFiles } from './segment-files.ts';
import {
  align,
  FOOTER_PARTITION,
  headerBytes,
  type SegmentBlock,
  type SegmentRequest,
} from './segment-format.ts';
import { endOf, messageOf, openSegments, type SegmentRange } from './segment-open.ts';
import { walkGroups } from './segment-scan.ts';
import { type SegmentSizes, SegmentSupply, SIZES } from './segment-supply.ts';

/**
 * Blocks of all partitions in append-only files. One segment is active:
 *
 *   prepared ──first write──▶ active ──full, old or spoiled──▶ ending ──footer──▶ sealed ──all trimmed──▶ removed
 *
 *  G1  One write at a time, all of it durable before the next begins. So only the last group of a segment can be torn.
 *  G2  A failed write is cut off, or its segment takes no more groups: the header of the next one says which sequences count.
 *  G3  A segment is removed only after the log's extents, which are written before, no longer hold any of its blocks.
 *  G4  A block is found in memory or by the footer of its segment: memory grows with segments, never with blocks.
 */
interface SegmentLogOptions {
  readonly files: SegmentFiles;
  readonly clock: Clock;
  readonly partitions: number;
  /** For each partition, the first kept sequence, and the least sequence of a new block. */
  readonly extents: readonly { readonly first: number; readonly next: number }[];
  /** Which segments were in use; undefined for a new log. */
  readonly range: SegmentRange | undefined;
  /** Keeps it durably. */
  keepRange(range: SegmentRange): Promise<void>;
  /** For tests. */
  readonly sizes?: SegmentSizes;
  /** Called with a description of damage or of a failure that needs no answer, for people. */
  fault(message: string): void;
}

/** More than a store of documents keeps free (storage/lmdb.ts), so that cursors are still stored when records are refused. */
const ROOM_FOR_OTHERS = 8 * 2 ** 20;
/** A segment grows to this size when no new file can be made. */
const MOST_WITHOUT_FILE = 128 * 2 ** 20;
/** Each write looks too; an idle node must notice it as well. ms. */
const FILE_CHECK_EVERY = 2_000;
const AFTER_LOSS =
  'its data is gone when this process ends: stop all nodes of this directory, and restore it from a backup';
export class SegmentLog {
  readonly #options: SegmentLogOptions;
  readonly #queue = createKeyedQueue<'write'>();
  /** Ended and sealed ones, in the order of their numbers. */
  readonly #segments: Segment[];
  readonly #next: number[];
  readonly #supply: SegmentSupply;
  readonly #age: number;
  #active: ActiveSegment | undefined;
  #noted = 0;
  readonly #background = new Set<Promise<void>>();
  readonly #loss = Promise.withResolvers<string>();
  #stopWatching = () => {};
  #closed = false;

  /**
   * @throws Error that says what to do
   */
  static async open(options: SegmentLogOptions): Promise<SegmentLog> {
    const { segments, next, number } = await openSegments(options);
    const from = options.extents.map((extent, partition) => Math.max(extent.next, next[partition] ?? 1));
    return new SegmentLog(options, segments, from, number);
  }

  private constructor(options: SegmentLogOptions, segments: Segment[], next: number[], number: number) {
    const { files, clock, sizes = SIZES, fault } = options;
    this.#options = options;
    this.#segments = segments;
    this.#next = next;
    this.#age = sizes.age;
    this.#noted = options.range?.newest ?? 0;
    this.#supply = new SegmentSupply({ files, clock, sizes, number, fault: (message) => fault(message) });
    this.#supply.prepare();
  }

  /** Checks the active segment from time to time. Resolves, with a description, when somebody deleted it. */
  watch(): Promise<string> {
    this.#fileFault();
    this.#stopWatching = this.#options.clock.after(FILE_CHECK_EVERY, () => void this.watch());
    return this.#loss.promise;
  }

  /** The sequence of the next block. */
  next(partition: number): number {
    return this.#next[partition] as number;
  }

  /** Bytes of all groups in segments that are not removed. */
  bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, this.#active?.bytes ?? 0);
  }

  /** Where the next group goes. Everything before it is durable. */
  place(): { readonly segment: number; readonly offset: number } {
    if (this.#active) return { segment: this.#active.number, offset: this.#active.end };
    return { segment: this.#supply.number, offset: 0 };
  }

  /**
   * Stores blocks with the sequences that `next` gives, and keys. Resolves when all of it is durable.
   * @throws Error when nothing of it is stored
   */
  write(blocks: readonly SegmentBlock[], requests: readonly SegmentRequest[]): Promise<void> {
    return this.#queue.run('write', () => this.#write(blocks, requests));
  }

  /**
   * Writes useless bytes, to see whether blocks of this size can be written.
   * @throws Error when they cannot
   */
  probe(bytes: number): Promise<void> {
    return this.#queue.run('write', () => this.#write([], [], bytes));
  }

  async #write(
    blocks: readonly SegmentBlock[],
    requests: readonly SegmentRequest[],
    bytes = blocks.reduce((sum, block) => sum + block.bytes.length, 0),
  ): Promise<void> {
    this.#requireRoom(bytes);
    const active = await this.#writable(bytes);
    const length = await active.write(blocks, requests);
    for (const { partition, sequence } of blocks) this.#next[partition] = sequence + 1;
    this.#supply.wrote(length);
    if (active.number > this.#noted) this.#note();
    const isOld = this.#isOld(active);
    if (isOld || active.end * 2 > this.#supply.limit(active.zeros, active.end)) this.#supply.prepare(!isOld);
  }

  /** The active segment, or the next one if that is due. */
  async #writable(bytes: number): Promise<ActiveSegment> {
    if (this.#closed) throw new Error('the record log is closed');
    const active = this.#active;
    const fault = this.#fileFault();
    if (fault !== undefined) throw new Error(`${fault} while it was in use`);
    if (!active) return this.#activate();
    const end = active.end + bytes;
    const limit = this.#supply.limit(active.zeros, active.end);
    if (!active.isSpoiled && end <= limit && !this.#isOld(active)) return active;
    // A write does not wait for a new file as long as there is another way.
    if (!this.#supply.isReady && !active.isSpoiled && end <= MOST_WITHOUT_FILE) {
      this.#supply.prepare(true);
      return active;
    }
    return this.#activate();
  }

  #fileFault(): string | undefined {
    const fault = this.#active?.fault();
    if (fault !== undefined) this.#loss.resolve(`${fault} while it was in use; ${AFTER_LOSS}`);
    return fault;
  }

  async #activate(): Promise<ActiveSegment> {
    const prepared = await this.#supply.take();
    this.#end();
    this.#active = new ActiveSegment(prepared, this.#options.clock.now(), this.#next);
    return this.#active;
  }

  /** Ends the active segment. Its blocks are found in memory until its footer is written. */
  #end(): void {
    const active = this.#active;
    this.#active = undefined;
    if (!active) return;
    if (active.end === 0) {
      active.close();
      this.#own(this.#options.files.remove([active.number]));
      return;
    }
    const segment = active.segment();
    this.#segments.push(segment);
    this.#own(this.#seal(segment, active));
  }

  async #seal(segment: Segment, active: ActiveSegment): Promise<void> {
    await active.seal();
    const entriesAt = segment.dataEnd + segment.base.length * FOOTER_PARTITION;
    const counts = Uint32Array.from(segment.counts);
    const at = this.#segments.indexOf(segment);
    if (at >= 0) this.#segments[at] = { ...segment, counts, index: { type: 'footer', entriesAt } };
  }

  #isOld({ createdAt, end }: ActiveSegment): boolean {
    // Also one that was begun while the clock was ahead.
    return end > 0 && Math.abs(this.#options.clock.now() - createdAt) > this.#age;
  }

  /** When none is in use, it ends before it begins: the next one may be in use before that is kept. */
  #rangeOf(sealed: readonly Segment[]): SegmentRange {
    const unused = this.#supply.number;
    const newest = this.#active?.number ?? sealed.at(-1)?.number ?? unused - 1;
    return { oldest: sealed[0]?.number ?? this.#active?.number ?? unused, newest };
  }

  /** Keeps the numbers of the segments in use, so that one that somebody deletes is missed. */
  #note(): void {
    const newest = this.#active?.number;
    if (newest === undefined || newest <= this.#noted) return;
    this.#noted = newest;
    this.#own(this.#options.keepRange(this.#rangeOf(this.#segments)));
  }

  /**
   * A block's bytes.
   * @throws Error when the disk cannot read it, or the index is damaged
   */
  get(partition: number, sequence: number): Buffer | undefined {
    const { files } = this.#options;
    const segment = this.#find(partition, sequence);
    const place = segment && placeNow(files, segment, partition, sequence);
    return place && files.readNow((segment as Segment).number, place.offset, place.length);
  }

  /** Reads blocks until `most` bytes are reached, at least one. The result lacks unreadable blocks. */
  fetch(partition: number, sequences: readonly number[], most: number): Promise<Map<number, Uint8Array>> {
    const { files } = this.#options;
    return fetchBlocks(
      { files, find: (sequence) => this.#find(partition, sequence) },
      partition,
      sequences,
      most,
    );
  }

  #find(partition: number, sequence: number): Segment | undefined {
    const active = this.#active;
    if (active && sequence >= (active.base[partition] as number)) return active.segment();
    let [low, high] = [0, this.#segments.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (((this.#segments[middle] as Segment).base[partition] as number) <= sequence) low = middle + 1;
      else high = middle;
    }
    return this.#segments[low - 1];
  }

  /**
   * Removes segments of which no block is kept any more.
   * @param firsts for each partition, the first sequence that is kept, as it is durably stored
   * @param before awaited before a segment goes
   */
  release(firsts: readonly number[], before: () => Promise<void>): Promise<void> {
    const isDead = (segment: Segment) =>
      firsts.every(
        (first, partition) => endOf(segment, partition) <= first || segment.counts[partition] === 0,
      );
    return this.#queue.run('write', async () => {
      const active = this.#active;
      if (active && active.end > 0 && isDead(active.segment())) this.#end();
      if (!this.#segments.some(isDead)) return;
      await this.#settle();
      await before();
      const dead = this.#segments.filter(isDead);
      const kept = this.#segments.filter((segment) => !dead.includes(segment));
      await this.#options.keepRange(this.#rangeOf(kept));
      this.#segments.splice(0, this.#segments.length, ...kept);
      await this.#options.files.remove(dead.map(({ number }) => number));
    });
  }

  /** The idempotency keys in the groups from a place on, oldest first. */
  *requestsFrom(segment: number, offset: number): Generator<SegmentRequest> {
    const { files, partitions } = this.#options;
    for (const { number, requests, dataEnd } of this.#segments) {
      if (number < segment || requests === 0) continue;
      const from = number === segment && offset > 0 ? offset : headerBytes(partitions);
      const read = (position: number, length: number) => files.readNow(number, position, length);
      for (const walked of walkGroups(read, number, from, dataEnd))
        if (walked.type === 'group') yield* walked.group.requests;
    }
  }

  #requireRoom(bytes: number): void {
    const active = this.#active;
    if (active && !active.isSpoiled && active.end + bytes + 4_096 < active.zeros) return;
    const needed = align(bytes) + ROOM_FOR_OTHERS;
    const free = this.#options.files.freeBytes();
    if (free >= needed) return;
    const inMiB = (size: number) => Math.floor(size / 2 ** 20);
    throw new Error(
      `the record log cannot write: no space left (${inMiB(free)} MiB free on its disk, ${inMiB(needed) + 1} MiB are needed)`,
    );
  }

  /** Work in the background; a failure is reported. */
  #own(work: Promise<void>): void {
    const owned = work
      .catch((error) => this.#options.fault(`a segment of the record log: ${messageOf(error)}`))
      .finally(() => this.#background.delete(owned));
    this.#background.add(owned);
  }

  async #settle(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  /** Waits for a write in progress, and ends the active segment. */
  async close(): Promise<void> {
    await this.#queue.run('write', async () => {
      this.#closed = true;
      this.#stopWatching();
      this.#end();
      const unused = await this.#supply.close();
      if (unused !== undefined) this.#own(this.#options.files.remove([unused]));
      await this.#settle();
      this.#options.files.close();
    });
  }
}
