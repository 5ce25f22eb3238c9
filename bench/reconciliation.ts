import { numberAt, type UsageRecords } from '../tests/support/usage-records.ts';

/** The expected records: first … first + records - 1, in requests of `batch`, sent by `lanes` connections. */
export interface Expected {
  readonly first: number;
  readonly records: number;
  /** Records of an ingest request. Request number r (from 0) is sent by lane r mod lanes. */
  readonly batch: number;
  /** Each lane sends its requests one after the other, so its records must arrive in order; 0: order is not checked. */
  readonly lanes: number;
  /** Whether to note when each record arrives. */
  readonly arrivals: boolean;
}

/** One request that arrived at a stand-in; lists are in order of arrival. */
export interface Received {
  readonly body: Buffer;
  /** machineTime at the request's end. */
  readonly at: number;
}

export interface Reconciled {
  /** Records that arrived at least once. */
  readonly distinct: number;
  readonly lost: number;
  /** Arrivals of a record after its first. */
  readonly duplicated: number;
  /** First arrivals after a later record of the same lane. */
  readonly reordered: number;
  /** Deliveries that contain no record, an unexpected record, or a record whose bytes changed. */
  readonly damaged: number;
  readonly requests: number;
  readonly bytes: number;
}

/**
 * Accounts for every record at the receiving end, by its number. It needs one bit a record and one number a lane: that costs
 * the sink little, so that it can keep up with the bare pipe.
 */
export class Reconciliation {
  readonly expected: Expected;
  /** Milliseconds of the monotonic clock by record; NaN: not arrived. Empty unless asked for. */
  readonly arrivedAt: Float64Array;
  readonly #records: UsageRecords;
  readonly #seen: Uint8Array;
  readonly #lastOfLane: Float64Array;
  #distinct = 0;
  #duplicated = 0;
  #reordered = 0;
  #damaged = 0;
  #requests = 0;
  #bytes = 0;

  constructor(records: UsageRecords, expected: Expected) {
    this.#records = records;
    this.expected = expected;
    this.#seen = new Uint8Array((expected.records + 7) >>> 3);
    this.#lastOfLane = new Float64Array(expected.lanes).fill(-1);
    this.arrivedAt = new Float64Array(expected.arrivals ? expected.records : 0).fill(Number.NaN);
  }

  get complete(): boolean {
    return this.#distinct === this.expected.records;
  }

  get distinct(): number {
    return this.#distinct;
  }

  /** Counts a delivery. */
  delivery(bytes: number): void {
    this.#requests++;
    this.#bytes += bytes;
  }

  /** Takes a delivery: a JSON array of records without white space, or one bare record. */
  take(body: Buffer, at: number): void {
    this.delivery(body.length);
    this.records(body, at);
  }

  /** Takes the records of a delivery, in the same form, without counting the delivery. */
  records(body: Buffer, at: number): void {
    if (body.length === 0) return;
    let start = body[0] === 0x5b ? 1 : 0;
    const end = body.length - start;
    // A delivery without records, such as a probe.
    if (start === end) return;
    while (start < end) {
      const n = numberAt(body, start);
      const next = n < 0 ? -1 : start + this.#records.lengthOf(n);
      const closed =
        next > 0 && next <= end && body[next - 1] === 0x7d && (next === end || body[next] === 0x2c);
      if (!closed) {
        this.#damaged++;
        const found = body.indexOf(',{"id":', start + 1);
        start = found < 0 ? end : found + 1;
        continue;
      }
      this.record(n, at);
      start = next + 1;
    }
  }

  result(): Reconciled {
    return {
      distinct: this.#distinct,
      lost: this.expected.records - this.#distinct,
      duplicated: this.#duplicated,
      reordered: this.#reordered,
      damaged: this.#damaged,
      requests: this.#requests,
      bytes: this.#bytes,
    };
  }

  /** Takes a record of which only the number is known; -1: the bytes contain no record. */
  record(n: number, at: number): void {
    const { first, records, batch, lanes, arrivals } = this.expected;
    const index = n - first;
    if (index < 0 || index >= records) {
      this.#damaged++;
      return;
    }
    const bit = 1 << (index & 7);
    const byte = this.#seen[index >>> 3] as number;
    if (byte & bit) {
      this.#duplicated++;
      return;
    }
    this.#seen[index >>> 3] = byte | bit;
    this.#distinct++;
    if (arrivals) this.arrivedAt[index] = at;
    if (lanes === 0) return;
    const lane = Math.floor(index / batch) % lanes;
    if (index < (this.#lastOfLane[lane] as number)) this.#reordered++;
    else this.#lastOfLane[lane] = index;
  }
}
