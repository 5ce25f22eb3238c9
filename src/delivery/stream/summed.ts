import type { Outcome, Segment } from '../../destinations/contract.ts';
import { passingPayload } from '../../records/leased-block.ts';
import { UsageSums } from '../../records/usage-sums.ts';

type Sums = Map<number, UsageSums>;

/** Sums over the usage records of one request, by the arrival of their blocks. What is not taken is not read. */
export class Summed {
  /** Of a batch: what was sent. */
  #sent: readonly Segment[] = [];
  /** Of a file, whose blocks are in memory only while they are written. */
  #written: Sums = new Map();

  /** What is sent begins (anew) with these records. */
  begin(segments: readonly Segment[]): void {
    this.#sent = segments;
    this.#written = new Map();
  }

  /** More of a file. */
  add(segment: Segment): void {
    addSegment(this.#written, segment, () => true);
  }

  /** @returns undefined: nothing was taken */
  of(outcome: Outcome | { readonly type: 'gone' }): Sums | undefined {
    if (outcome.type === 'delivered' && this.#sent.length === 0) return this.#written;
    if (outcome.type !== 'delivered' && outcome.type !== 'partial') return undefined;
    const left = new Set(outcome.type === 'partial' ? outcome.failures.map(({ index }) => index) : []);
    const sums: Sums = new Map();
    let first = 0;
    for (const segment of this.#sent) {
      const before = first - segment.from;
      addSegment(sums, segment, (index) => !left.has(before + index));
      first += segment.to - segment.from;
    }
    return sums;
  }
}

function addSegment(sums: Sums, { block, from, to }: Segment, taken: (index: number) => boolean): void {
  let usage = sums.get(block.arrivedAt);
  if (!usage) {
    usage = new UsageSums();
    sums.set(block.arrivedAt, usage);
  }
  const payload = passingPayload(block);
  const { starts, ends, amounts } = block;
  for (let index = from; index < to; index++) {
    if (!taken(index)) continue;
    const start = starts[index] as number;
    const end = ends[index] as number;
    if (amounts) usage.addPlaces(payload, start, end, amounts, index);
    else usage.addRecord(payload, start, end);
  }
}
