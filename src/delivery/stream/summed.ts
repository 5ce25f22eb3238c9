import type { Outcome, Segment } from '../../destinations/contract.ts';
import type { Block } from '../../records/block.ts';
import { passingPayload } from '../../records/leased-block.ts';
import { UsageSums, viewOf } from '../../records/usage-sums.ts';

/** The sums of an hour of the ledger, by an arrival in it. */
type SumsAt = (arrivedAt: number) => UsageSums;

/** Usage that a destination accepted. */
export interface TakenUsage {
  addTo(sumsAt: SumsAt): void;
}

/** Sums over the usage records of one request, by the arrival of their blocks. Unaccepted records are not read. */
export class Summed {
  /** For a batch: the sent records. */
  #sent: readonly Segment[] = [];
  /** Of a file, whose blocks are in memory only while they are written: by arrival. */
  #written: Map<number, UsageSums> | undefined;

  /** The request begins (again) with these records. */
  begin(segments: readonly Segment[]): void {
    this.#sent = segments;
    this.#written = undefined;
  }

  /** More of a file. */
  add(segment: Segment): void {
    this.#written ??= new Map();
    const { arrivedAt } = segment.block;
    let sums = this.#written.get(arrivedAt);
    if (!sums) {
      sums = new UsageSums();
      this.#written.set(arrivedAt, sums);
    }
    addSegment(sums, segment);
  }

  /** @returns undefined: no record was accepted */
  of(outcome: Outcome | { readonly type: 'gone' | 'moved' }): TakenUsage | undefined {
    if (outcome.type === 'delivered') return { addTo: (sumsAt) => this.#addAll(sumsAt) };
    if (outcome.type !== 'partial') return undefined;
    const left = new Set(outcome.failures.map(({ index }) => index));
    return { addTo: (sumsAt) => this.#addTaken(sumsAt, left) };
  }

  #addAll(sumsAt: SumsAt): void {
    for (const segment of this.#sent) addSegment(sumsAt(segment.block.arrivedAt), segment);
    if (this.#written) for (const [arrivedAt, sums] of this.#written) sumsAt(arrivedAt).add(sums);
  }

  /** @param left indexes of the records that were not accepted */
  #addTaken(sumsAt: SumsAt, left: ReadonlySet<number>): void {
    let first = 0;
    for (const segment of this.#sent) {
      const before = first - segment.from;
      addTaken(sumsAt(segment.block.arrivedAt), segment, (index) => !left.has(before + index));
      first += segment.to - segment.from;
    }
  }
}

/** Sums of neighbouring records of a block, which are not changed any more. */
interface Known {
  readonly from: number;
  readonly to: number;
  readonly sums: UsageSums;
}

/**
 * The last sums over a block, as long as the block is in memory: the streams of an organisation get the same records, and
 * a hundred of them would sum them up a hundred times.
 */
const known = new WeakMap<Block, Known[]>();
/** Parts of a block that are remembered: streams of different sizes cut it in different places. */
const MOST_KNOWN = 4;
/** Fewer records are summed as quickly as they are found. */
const WORTH_KNOWING = 16;

function addSegment(usage: UsageSums, segment: Segment): void {
  if (segment.to - segment.from < WORTH_KNOWING) addTaken(usage, segment);
  else usage.add(sumsOf(segment));
}

function sumsOf(segment: Segment): UsageSums {
  const { block, from, to } = segment;
  let parts = known.get(block);
  if (!parts) {
    parts = [];
    known.set(block, parts);
  }
  const found = parts.find((part) => part.from === from && part.to === to);
  if (found) return found.sums;
  const sums = new UsageSums();
  addTaken(sums, segment);
  if (parts.length >= MOST_KNOWN) parts.shift();
  parts.push({ from, to, sums });
  return sums;
}

function addTaken(usage: UsageSums, { block, from, to }: Segment, taken?: (index: number) => boolean): void {
  const payload = passingPayload(block);
  const view = viewOf(payload);
  const { starts, ends, amounts } = block;
  for (let index = from; index < to; index++) {
    if (taken && !taken(index)) continue;
    const start = starts[index] as number;
    const end = ends[index] as number;
    if (amounts) usage.addPlaces(payload, start, end, amounts, index);
    else usage.addRecord(payload, start, end, view);
  }
}
