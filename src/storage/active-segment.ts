import type { Segment } from './segment.ts';
import {
  encodeGroup,
  encodeHeader,
  headerBytes,
  type SegmentBlock,
  type SegmentRequest,
} from './segment-format.ts';
import { footerOf } from './segment-open.ts';
import { GrowingPlaces } from './segment-scan.ts';
import type { Prepared } from './segment-supply.ts';

/** The segment that receives new groups. */
export class ActiveSegment {
  readonly number: number;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly base: readonly number[];
  readonly #places: readonly GrowingPlaces[];
  readonly #prepared: Prepared;
  #end = 0;
  #requests = 0;
  #zeros: number;
  #spoiled = false;

  /** @param next for each partition, the sequence of its next block */
  constructor(prepared: Prepared, createdAt: number, next: readonly number[]) {
    this.number = prepared.number;
    this.createdAt = createdAt;
    this.base = [...next];
    this.#places = this.base.map((first) => new GrowingPlaces(first));
    this.#prepared = prepared;
    this.#zeros = prepared.zeros;
  }

  /** Where the next group goes; 0 before the header is written. */
  get end(): number {
    return this.#end;
  }

  /** The end of the zeros in the file: a write before it changes no metadata. */
  get zeros(): number {
    return this.#zeros;
  }

  /** A write failed and could not be cut off: the segment takes no more groups. */
  get isSpoiled(): boolean {
    return this.#spoiled;
  }

  /** Of its groups. */
  get bytes(): number {
    return Math.max(0, this.#end - headerBytes(this.base.length));
  }

  /** A description, when somebody deleted the file. */
  fault(): string | undefined {
    return this.#prepared.writer.fault();
  }

  /** Resolves with the length of the group when it is durable. Rejects when it is not part of the log. */
  async write(blocks: readonly SegmentBlock[], requests: readonly SegmentRequest[]): Promise<number> {
    const header = this.#end === 0 ? encodeHeader({ ...this.#facts(), next: this.base }) : undefined;
    const begin = header ? header.length : this.#end;
    const { parts, length, offsets } = encodeGroup(this.number, blocks, requests);
    try {
      await this.#prepared.writer.write(header ? [header, ...parts] : parts, this.#end);
    } catch (error) {
      this.#cutOff();
      throw error;
    }
    this.#end = begin + length;
    this.#requests += requests.length;
    for (const [index, { partition, sequence, bytes }] of blocks.entries()) {
      const offset = begin + (offsets[index] as number);
      (this.#places[partition] as GrowingPlaces).add({ partition, sequence, offset, length: bytes.length });
    }
    return length;
  }

  #cutOff(): void {
    try {
      this.#prepared.writer.truncate(this.#end);
      this.#zeros = Math.min(this.#zeros, this.#end);
    } catch {
      this.#spoiled = true;
    }
  }

  #facts() {
    return { number: this.number, createdAt: this.createdAt };
  }

  /** As it is now. */
  segment(): Segment {
    return {
      ...this.#facts(),
      base: this.base,
      counts: this.#places.map(({ count }) => count),
      bytes: this.bytes,
      dataEnd: Math.max(this.#end, headerBytes(this.base.length)),
      requests: this.#requests,
      index: { type: 'memory', places: this.#places },
    };
  }

  /** Writes the footer, and closes the file either way. */
  async seal(): Promise<void> {
    const { writer } = this.#prepared;
    try {
      writer.truncate(this.#end);
      await writer.write([footerOf(this.segment())], this.#end);
    } finally {
      writer.close();
    }
  }

  close(): void {
    this.#prepared.writer.close();
  }
}
