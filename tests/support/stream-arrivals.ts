/**
 * What arrived of one data stream, whose records are numbered from 0 in the order in which they were acknowledged.
 *
 *  - First arrivals are in order and without a gap.
 *  - What arrives again was under way or not yet committed when something went wrong: it had arrived first at most
 *    `SLACK_MS` before the disruption that was last.
 */
export class StreamArrivals {
  /** What broke the rules; the first few. */
  readonly faults: string[] = [];
  /** Records that came again. */
  repeated = 0;
  /** The longest time between two first arrivals since `measure`, ms. */
  longestSilence = 0;
  #newsAt = Number.POSITIVE_INFINITY;
  /** When each record arrived first, ms. */
  readonly #times: number[] = [];
  #count = 0;
  #disruptedAt = Number.POSITIVE_INFINITY;

  /** Distinct records that arrived. */
  get count(): number {
    return this.#count;
  }

  /** Something is about to go wrong. */
  disrupt(now: number): void {
    this.#disruptedAt = now;
  }

  /** Begins to measure the silence. */
  measure(now: number): void {
    this.longestSilence = 0;
    this.#newsAt = now;
  }

  /** Those of the first `count` records that never arrived. */
  missing(count: number): number[] {
    return Array.from({ length: count }, (_, record) => record).filter(
      (record) => this.#times[record] === undefined,
    );
  }

  arrive(record: number, now: number): void {
    const first = this.#times[record];
    if (first !== undefined) {
      this.repeated++;
      const before = this.#disruptedAt - first;
      if (before > SLACK_MS)
        this.fault(`record ${record} came again; it was there ${before} ms before all went wrong`);
    } else {
      if (record !== this.#times.length)
        this.fault(`record ${record} came in place of ${this.#times.length}`);
      this.#times[record] = now;
      this.#count++;
      this.longestSilence = Math.max(this.longestSilence, now - this.#newsAt);
      this.#newsAt = now;
    }
  }

  fault(text: string): void {
    if (this.faults.length < 5) this.faults.push(text);
  }
}

/** Cursors are committed ten times a second; on a busy machine a commit may be under way for some time. */
const SLACK_MS = 5_000;
