import type { Clock } from '../lib/clock.ts';
import { createKeyedQueue } from '../lib/keyed-queue.ts';
import { placeNow, type Segment } from './segment.ts';
import { fetchBlocks } from './segment-fetch.ts';
import type { SegmentFiles, SegmentWriter } from './segment-files.ts';
import {
  align,
  encodeGroup,
  encodeHeader,
  FOOTER_PARTITION,
  headerBytes,
  type SegmentBlock,
  type SegmentRequest,
} from './segment-format.ts';
import { endOf, footerOf, messageOf, openSegments, type SegmentRange } from './segment-open.ts';
import { GrowingPlaces, walkGroups } from './segment-scan.ts';

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
  /** For each partition, the first sequence that is kept, and the least that a new block may have. */
  readonly extents: readonly { readonly first: number; readonly next: number }[];
  /** Which segments were in use; undefined for a new log. */
  readonly range: SegmentRange | undefined;
  /** Keeps it durably. */
  keepRange(range: SegmentRange): Promise<void>;
  /** For tests. */
  readonly sizes?: SegmentSizes;
  /** Told what is damaged or fails and needs no answer, for people. */
  fault(message: string): void;
}

/** The segment that is written to. */
interface Active {
  readonly number: number;
  readonly createdAt: number;
  readonly base: readonly number[];
  readonly places: readonly GrowingPlaces[];
  readonly writer: SegmentWriter;
  /** Where the next group goes; 0 before the header is written. */
  end: number;
  requests: number;
  /** Up to where the file has zeros, so that a write changes no metadata. */
  zeros: number;
  /** A write failed and could not be cut off. */
  spoiled: boolean;
}

interface Prepared {
  readonly number: number;
  readonly writer: SegmentWriter;
  readonly zeros: number;
}

interface SegmentSizes {
  /** A larger one frees its space later; a smaller one makes more files, each of which takes memory and a part of the start. */
  readonly segment: number;
  /**
   * Writes of this size gain nothing from a prepared file: the disk takes as long as for their bytes. Zeros would then double
   * what is written.
   */
  readonly largeWrite: number;
  /** How much of a file is prepared for small writes: it doubles while they fill it, so that an idle node takes little room. */
  readonly zeros: { readonly least: number; readonly most: number };
  /** A segment is ended after this time, ms, so that blocks do not outlive the retention by more. */
  readonly age: number;
}

const SIZES: SegmentSizes = {
  segment: 64 * 2 ** 20,
  largeWrite: 64 * 2 ** 10,
  zeros: { least: 2 ** 20, most: 32 * 2 ** 20 },
  age: 3_600_000,
};
/** Zeros take no more of the free space than this. */
const SHARE_OF_DISK = 1 / 16;
/** More than a store of documents keeps free (storage/lmdb.ts), so that cursors are still stored when records are refused. */
const ROOM_FOR_OTHERS = 8 * 2 ** 20;
/** A preparation that failed is tried again after this time, ms. */
const PREPARE_AGAIN = 1_000;
/** Each write looks too. ms. */
const FILE_CHECK_EVERY = 2_000;
const AFTER_LOSS =
  'what it held is gone when this process ends: stop all nodes of this directory, and restore it from a backup';
/** Weight of the last write in the typical one. */
const LAST_WRITE = 1 / 16;

export class SegmentLog {
  readonly #options: SegmentLogOptions;
  readonly #queue = createKeyedQueue<'write'>();
  /** Ended and sealed ones, in the order of their numbers. */
  readonly #segments: Segment[];
  readonly #next: number[];
  #active: Active | undefined;
  #prepared: Prepared | undefined;
  #preparing: Promise<void> | undefined;
  #prepareAfter = Number.NEGATIVE_INFINITY;
  #number: number;
  #typicalBytes = 0;
  #zeros: number;
  readonly #sizes: SegmentSizes;
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
    this.#options = options;
    this.#sizes = options.sizes ?? SIZES;
    this.#zeros = this.#sizes.zeros.least;
    this.#segments = segments;
    this.#next = next;
    this.#number = number;
    this.#noted = options.range?.newest ?? 0;
    this.#prepare();
    this.#watch();
  }

  /** Resolves, with what happened, when somebody deleted the active segment. */
  get lost(): Promise<string> {
    return this.#loss.promise;
  }

  /** The sequence of the next block. */
  next(partition: number): number {
    return this.#next[partition] as number;
  }

  /** Bytes of all groups in segments that are not removed. */
  bytes(): number {
    const active = this.#active ? Math.max(0, this.#active.end - headerBytes(this.#options.partitions)) : 0;
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, active);
  }

  /** Where the next group goes. Everything before it is durable. */
  place(): { readonly segment: number; readonly offset: number } {
    if (this.#active) return { segment: this.#active.number, offset: this.#active.end };
    return { segment: this.#unused(), offset: 0 };
  }

  /**
   * Stores blocks with the sequences that `next` gives, and keys. Resolves when all of it is durable.
   * @throws Error when nothing of it is stored
   */
  write(blocks: readonly SegmentBlock[], requests: readonly SegmentRequest[]): Promise<void> {
    return this.#queue.run('write', () => this.#write(blocks, requests));
  }

  /** Writes nothing of use, to see whether blocks of so many bytes can be written. @throws Error when they cannot */
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
    const header = active.end === 0 ? encodeHeader({ ...active, next: active.base }) : undefined;
    const begin = header ? header.length : active.end;
    const { parts, length, offsets } = encodeGroup(active.number, blocks, requests);
    try {
      await active.writer.write(header ? [header, ...parts] : parts, active.end);
    } catch (error) {
      cutOff(active);
      throw error;
    }
    active.end = begin + length;
    active.requests += requests.length;
    for (const [index, block] of blocks.entries()) {
      const { partition, sequence } = block;
      const offset = begin + (offsets[index] as number);
      (active.places[partition] as GrowingPlaces).add({
        partition,
        sequence,
        offset,
        length: block.bytes.length,
      });
      this.#next[partition] = sequence + 1;
    }
    this.#typicalBytes += (length - this.#typicalBytes) * LAST_WRITE;
    if (active.number > this.#noted) this.#note();
    if (this.#isHalfUsed(active)) this.#prepare();
  }

  /** The active segment, or the next one if that is due. */
  async #writable(bytes: number): Promise<Active> {
    const active = this.#active;
    if (this.#closed) throw new Error('the record log is closed');
    if (active) {
      const fault = this.#fileFault();
      if (fault !== undefined) throw new Error(`${fault} while it was in use`);
      const end = active.end + bytes;
      const due = active.spoiled || end > this.#limit(active) || this.#isOld(active);
      if (!due) return active;
      // A write does not wait for a new file as long as there is another way.
      if (!this.#prepared && !active.spoiled && end <= 2 * this.#sizes.segment) {
        this.#prepare();
        return active;
      }
    }
    return this.#activate();
  }

  #fileFault(): string | undefined {
    const fault = this.#active?.writer.fault();
    if (fault !== undefined) this.#loss.resolve(`${fault} while it was in use; ${AFTER_LOSS}`);
    return fault;
  }

  /** An idle node must notice it too. */
  #watch(): void {
    this.#fileFault();
    this.#stopWatching = this.#options.clock.after(FILE_CHECK_EVERY, () => this.#watch());
  }

  async #activate(): Promise<Active> {
    if (!this.#prepared) {
      this.#prepareAfter = Number.NEGATIVE_INFINITY;
      await this.#preparing;
      if (!this.#prepared) await this.#prepareNow();
    }
    const prepared = this.#prepared as Prepared | undefined;
    if (!prepared) throw new Error('no file for new records can be made');
    this.#prepared = undefined;
    this.#end();
    const base = [...this.#next];
    this.#active = {
      ...prepared,
      createdAt: this.#options.clock.now(),
      base,
      places: base.map((first) => new GrowingPlaces(first)),
      end: 0,
      requests: 0,
      spoiled: false,
    };
    return this.#active;
  }

  /** Ends the active segment. Its blocks are found in memory until its footer is written. */
  #end(): void {
    const active = this.#active;
    this.#active = undefined;
    if (!active) return;
    if (active.end === 0) {
      active.writer.close();
      this.#own(this.#options.files.remove([active.number]));
      return;
    }
    const segment = this.#segmentOf(active);
    this.#segments.push(segment);
    this.#own(this.#seal(segment, active.writer));
  }

  async #seal(segment: Segment, writer: SegmentWriter): Promise<void> {
    try {
      const footer = footerOf(segment);
      writer.truncate(segment.dataEnd);
      await writer.write([footer], segment.dataEnd);
      const entriesAt = segment.dataEnd + segment.base.length * FOOTER_PARTITION;
      const counts = Uint32Array.from(segment.counts);
      const at = this.#segments.indexOf(segment);
      if (at >= 0) this.#segments[at] = { ...segment, counts, index: { type: 'footer', entriesAt } };
    } finally {
      writer.close();
    }
  }

  #segmentOf({ number, createdAt, base, places, end, requests }: Active): Segment {
    return {
      number,
      createdAt,
      base,
      counts: places.map(({ count }) => count),
      bytes: Math.max(0, end - headerBytes(base.length)),
      dataEnd: Math.max(end, headerBytes(base.length)),
      requests,
      index: { type: 'memory', places },
    };
  }

  /** Where an active segment ends, bytes. */
  #limit({ zeros, end }: Active): number {
    if (!this.#isLight()) return this.#sizes.segment;
    if (zeros > end) return zeros;
    return this.#prepared?.zeros === 0 || this.#affordable() === 0 ? this.#sizes.segment : 0;
  }

  /** Bytes of zeros for the next segment. */
  #affordable(): number {
    return this.#zeros <= this.#options.files.freeBytes() * SHARE_OF_DISK ? this.#zeros : 0;
  }

  #isLight(): boolean {
    return this.#typicalBytes < this.#sizes.largeWrite;
  }

  #isOld({ createdAt, end }: Active): boolean {
    const age = this.#options.clock.now() - createdAt;
    return end > 0 && age > this.#sizes.age;
  }

  #isHalfUsed(active: Active): boolean {
    return active.end * 2 > this.#limit(active) || this.#isOld(active);
  }

  /** Makes the file of the next segment, beside what else happens. */
  #prepare(): void {
    if (this.#preparing || this.#options.clock.monotonic() < this.#prepareAfter) return;
    if (this.#prepared) {
      // It was made for large writes, and small ones came.
      if (!this.#isLight() || this.#prepared.zeros > 0 || this.#affordable() === 0) return;
      this.#prepared.writer.close();
      this.#number = this.#prepared.number;
      this.#prepared = undefined;
    }
    this.#preparing = this.#prepareNow()
      .catch((error) => {
        this.#prepareAfter = this.#options.clock.monotonic() + PREPARE_AGAIN;
        this.#options.fault(`a new file for the record log cannot be made: ${messageOf(error)}`);
      })
      .finally(() => {
        this.#preparing = undefined;
      });
  }

  async #prepareNow(): Promise<void> {
    const { files } = this.#options;
    const number = this.#number;
    const zeros = this.#isLight() ? this.#affordable() : 0;
    const writer = await files.create(number, zeros);
    this.#number = number + 1;
    this.#prepared = { number, zeros, writer };
    if (this.#active && this.#isLight() && !this.#isOld(this.#active))
      this.#zeros = Math.min(this.#sizes.zeros.most, 2 * this.#zeros);
  }

  /** The number of the next segment. */
  #unused(): number {
    return this.#prepared?.number ?? this.#number;
  }

  /** When none is in use, it ends before it begins: the next one may be in use before that is kept. */
  #rangeOf(sealed: readonly Segment[]): SegmentRange {
    const unused = this.#unused();
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

  /** A block's bytes. @throws Error when the disk cannot read it, or the index is damaged */
  get(partition: number, sequence: number): Buffer | undefined {
    const { files } = this.#options;
    const segment = this.#find(partition, sequence);
    const place = segment && placeNow(files, segment, partition, sequence);
    return place && files.readNow((segment as Segment).number, place.offset, place.length);
  }

  /** Reads blocks until `most` bytes are reached, at least one. What cannot be read is missing in the result. */
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
    if (active && sequence >= (active.base[partition] as number)) return this.#segmentOf(active);
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
      if (active && active.end > 0 && isDead(this.#segmentOf(active))) this.#end();
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
    if (active && !active.spoiled && active.end + bytes + 4_096 < active.zeros) return;
    const needed = align(bytes) + ROOM_FOR_OTHERS;
    const free = this.#options.files.freeBytes();
    if (free >= needed) return;
    const inMiB = (size: number) => Math.floor(size / 2 ** 20);
    throw new Error(
      `the record log cannot write: no space left (${inMiB(free)} MiB free on its disk, ${inMiB(needed) + 1} MiB are needed)`,
    );
  }

  /** A detached work; what fails is reported. */
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
      await this.#preparing;
      this.#end();
      const prepared = this.#prepared;
      this.#prepared = undefined;
      prepared?.writer.close();
      if (prepared) this.#own(this.#options.files.remove([prepared.number]));
      await this.#settle();
      this.#options.files.close();
    });
  }
}

/** G2. */
function cutOff(active: Active): void {
  try {
    active.writer.truncate(active.end);
    active.zeros = Math.min(active.zeros, active.end);
  } catch {
    active.spoiled = true;
  }
}
