import type { Clock } from '../lib/clock.ts';
import type { SegmentFiles, SegmentWriter } from './segment-files.ts';
import { messageOf } from './segment-open.ts';

export interface SegmentSizes {
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

export const SIZES: SegmentSizes = {
  segment: 64 * 2 ** 20,
  largeWrite: 64 * 2 ** 10,
  zeros: { least: 2 ** 20, most: 32 * 2 ** 20 },
  age: 3_600_000,
};

export interface Prepared {
  readonly number: number;
  readonly writer: SegmentWriter;
  /** The end of the zeros in the file. */
  readonly zeros: number;
}

interface SupplyOptions {
  readonly files: SegmentFiles;
  readonly clock: Clock;
  readonly sizes: SegmentSizes;
  /** Of the first file. */
  readonly number: number;
  fault(message: string): void;
}

/** Zeros take no more of the free space than this. */
const SHARE_OF_DISK = 1 / 16;
/** A preparation that failed is tried again after this time, ms. */
const PREPARE_AGAIN = 1_000;
/** Weight of the last write in the typical one. */
const LAST_WRITE = 1 / 16;

/**
 * Makes the file of the next segment while the one before is written to, with zeros in it as far as small writes will use them:
 * a write there changes no metadata, so that the disk has to do one thing and not three.
 */
export class SegmentSupply {
  readonly #options: SupplyOptions;
  #number: number;
  #prepared: Prepared | undefined;
  #preparing: Promise<void> | undefined;
  #notBefore = Number.NEGATIVE_INFINITY;
  #typicalBytes = 0;
  #zeros: number;

  constructor(options: SupplyOptions) {
    this.#options = options;
    this.#number = options.number;
    this.#zeros = options.sizes.zeros.least;
  }

  /** The number of the next segment. */
  get number(): number {
    return this.#prepared?.number ?? this.#number;
  }

  get isReady(): boolean {
    return this.#prepared !== undefined;
  }

  /** Learns how large writes are. */
  wrote(bytes: number): void {
    this.#typicalBytes += (bytes - this.#typicalBytes) * LAST_WRITE;
  }

  /** The place at which a segment with this many zeros, filled to `end`, takes no more groups. */
  limit(zeros: number, end: number): number {
    const { segment } = this.#options.sizes;
    if (!this.#isLight()) return segment;
    if (zeros > end) return zeros;
    return this.#prepared?.zeros === 0 || this.#affordable() === 0 ? segment : 0;
  }

  /**
   * Creates the next file in the background.
   * @param filled the segment before was filled, so the next one gets more zeros
   */
  prepare(filled = false): void {
    const { clock, fault } = this.#options;
    if (this.#preparing || clock.monotonic() < this.#notBefore) return;
    if (this.#prepared) {
      // It was made for large writes, and small ones came.
      if (!this.#isLight() || this.#prepared.zeros > 0 || this.#affordable() === 0) return;
      this.#prepared.writer.close();
      this.#number = this.#prepared.number;
      this.#prepared = undefined;
    }
    this.#preparing = this.#make(filled)
      .catch((error) => {
        this.#notBefore = clock.monotonic() + PREPARE_AGAIN;
        fault(`a new file for the record log cannot be made: ${messageOf(error)}`);
      })
      .finally(() => {
        this.#preparing = undefined;
      });
  }

  /** The next file. Rejects when none can be made. */
  async take(): Promise<Prepared> {
    await this.#preparing;
    if (!this.#prepared) await this.#make(false);
    const prepared = this.#prepared as Prepared | undefined;
    if (!prepared) throw new Error('no file for new records can be made');
    this.#prepared = undefined;
    return prepared;
  }

  /** @returns the number of a file that was prepared and is not needed */
  async close(): Promise<number | undefined> {
    await this.#preparing;
    const prepared = this.#prepared as Prepared | undefined;
    this.#prepared = undefined;
    prepared?.writer.close();
    return prepared?.number;
  }

  async #make(filled: boolean): Promise<void> {
    const { files, sizes } = this.#options;
    const number = this.#number;
    const zeros = this.#isLight() ? this.#affordable() : 0;
    const writer = await files.create(number, zeros);
    this.#number = number + 1;
    this.#prepared = { number, zeros, writer };
    if (filled && zeros > 0) this.#zeros = Math.min(sizes.zeros.most, 2 * this.#zeros);
  }

  #isLight(): boolean {
    return this.#typicalBytes < this.#options.sizes.largeWrite;
  }

  /** Bytes of zeros for the next segment. */
  #affordable(): number {
    return this.#zeros <= this.#options.files.freeBytes() * SHARE_OF_DISK ? this.#zeros : 0;
  }
}
