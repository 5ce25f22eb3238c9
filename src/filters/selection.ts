import type { RecordIndex } from '../records/block.ts';

/** The records of a block that one data stream gets. */
export interface Selection {
  /** Pairs of indexes: from (included) and to (excluded), ascending and never touching. */
  readonly runs: Uint32Array;
  /** Records in the runs. */
  readonly count: number;
  /** Records of the stream's organisations that did not pass its filters. */
  readonly filtered: number;
  /** Indexes of the records of the stream's organisations, ascending; undefined: all of the block. */
  readonly covered: Uint32Array | undefined;
  /** Bytes of the runs from their first to their last byte: the records and the separators between them, so never too few. */
  readonly bytes: number;
  /** The stored bytes of the records are damaged: records are in the runs although nobody knows whether they match. */
  readonly unjudged?: boolean;
}

export function wholeBlock({ count, starts, ends }: RecordIndex): Selection {
  if (count === 0) return { runs: new Uint32Array(0), count: 0, filtered: 0, covered: undefined, bytes: 0 };
  const bytes = (ends[count - 1] as number) - (starts[0] as number);
  return { runs: Uint32Array.of(0, count), count, filtered: 0, covered: undefined, bytes };
}

/** Joins indexes that come in ascending order to runs. */
export class Runs {
  readonly #block: RecordIndex;
  readonly #pairs: number[] = [];
  #count = 0;
  #bytes = 0;
  #from = 0;
  #to = 0;

  constructor(block: RecordIndex) {
    this.#block = block;
  }

  add(index: number): void {
    if (index !== this.#to || this.#to === this.#from) {
      this.#close();
      this.#from = index;
    }
    this.#to = index + 1;
  }

  #close(): void {
    if (this.#to === this.#from) return;
    this.#pairs.push(this.#from, this.#to);
    this.#count += this.#to - this.#from;
    this.#bytes += (this.#block.ends[this.#to - 1] as number) - (this.#block.starts[this.#from] as number);
  }

  /**
   * @param covered records of the wanted organisations, passed or not; undefined: all
   * @param unjudged see `Selection`
   */
  selection(covered: Uint32Array | undefined, unjudged = false): Selection {
    this.#close();
    return {
      runs: new Uint32Array(this.#pairs),
      count: this.#count,
      filtered: (covered?.length ?? this.#block.count) - this.#count,
      covered,
      bytes: this.#bytes,
      ...(unjudged ? { unjudged } : {}),
    };
  }
}

/** The records of a block sorted by organisation: those of ordinal o are `records[offsets[o]]` up to `offsets[o + 1]`. */
interface ByOrganisation {
  readonly offsets: Uint32Array;
  readonly records: Uint32Array;
}

/**
 * Made once per block and shared by all streams: a block with records of a thousand organisations is then walked once,
 * not once for each of their streams. Blocks never change.
 */
const byOrganisation = new WeakMap<RecordIndex, ByOrganisation>();

/** The records of the wanted organisations, ascending. */
export function candidatesOf(block: RecordIndex, ordinals: readonly number[]): Uint32Array {
  let sorted = byOrganisation.get(block);
  if (!sorted) {
    sorted = sortByOrganisation(block);
    byOrganisation.set(block, sorted);
  }
  const { offsets, records } = sorted;
  const of = (ordinal: number) => records.subarray(offsets[ordinal], offsets[ordinal + 1]);
  if (ordinals.length === 1) return of(ordinals[0] as number);
  const parts = [...new Set(ordinals)].map(of);
  const candidates = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    candidates.set(part, at);
    at += part.length;
  }
  return candidates.sort();
}

/** A counting sort: stable, so that the records of each organisation stay in order. */
function sortByOrganisation({ count, organisations, ordinals }: RecordIndex): ByOrganisation {
  const offsets = new Uint32Array(organisations.length + 1);
  for (let index = 0; index < count; index++) offsets[(ordinals[index] as number) + 1]!++;
  for (let ordinal = 0; ordinal < organisations.length; ordinal++) {
    offsets[ordinal + 1]! += offsets[ordinal] as number;
  }
  const next = offsets.slice();
  const records = new Uint32Array(count);
  for (let index = 0; index < count; index++) records[next[ordinals[index] as number]!++] = index;
  return { offsets, records };
}
