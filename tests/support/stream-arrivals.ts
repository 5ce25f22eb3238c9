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
  /** When each record arrived first, ms. */
  readonly #times: number[] = [];
  #disruptedAt = Number.POSITIVE_INFINITY;

  /** Distinct records that arrived. */
  get count(): number {
    return this.#times.length;
  }

  /** Something is about to go wrong. */
  disrupt(now: number): void {
    this.#disruptedAt = now;
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
    }
  }

  fault(text: string): void {
    if (this.faults.length < 5) this.faults.push(text);
  }
}

/** Cursors are committed ten times a second; on a busy machine a commit may be under way for some time. */
const SLACK_MS = 5_000;
