import { UsageSums } from '../../records/usage-sums.ts';
import type { HourRow } from '../../registry/data-stream.ts';

/**
 * The ledger of a stream: the counts of its records by the hour of their arrival.
 *
 *  H1  A row is part of the progress document, and so of the same commit as the cursor: a crash neither loses nor repeats a count.
 *  H2  An hour is closed when it has passed and none of its records is without a fate. Its row is stored elsewhere then
 *      (delivery/ledger), as a whole, so that storing it twice changes nothing; afterwards it leaves the progress.
 *  H4  A row is stored elsewhere only after the progress with all its counts is durable: after a crash in between, the
 *      next holder would deliver the records again, and they would stay in that row even if a changed filter refused
 *      them.
 *  H3  A record that is counted after its hour was closed (a clock was set back) counts under the first hour that is open.
 */

const HOUR = 3_600_000;

export type Fate = 'delivered' | 'filtered' | 'quarantined' | 'expired';

/** @param time ms since the epoch @returns the start of its hour */
export function hourOf(time: number): number {
  return Math.floor(time / HOUR) * HOUR;
}

interface Row {
  readonly hour: number;
  delivered: number;
  filtered: number;
  quarantined: number;
  expired: number;
  usage: UsageSums | undefined;
}

/** The rows of the hours that are not closed. */
export class HourRows {
  readonly #rows = new Map<number, Row>();
  #last: Row | undefined;
  /** H3: the start of the first hour that is not closed. */
  #from: number;

  constructor(rows: readonly HourRow[] = [], from = 0) {
    this.#from = from;
    for (const { usage, ...row } of rows)
      this.#rows.set(row.hour, { ...row, usage: usage && UsageSums.of(usage) });
  }

  get from(): number {
    return this.#from;
  }

  get size(): number {
    return this.#rows.size;
  }

  count(fate: Fate, records: number, arrivedAt: number): void {
    if (records > 0) this.#row(arrivedAt)[fate] += records;
  }

  /** The sums over the delivered records of an hour; new deliveries are added to them. */
  usageAt(arrivedAt: number): UsageSums {
    const row = this.#row(arrivedAt);
    row.usage ??= new UsageSums();
    return row.usage;
  }

  #row(arrivedAt: number): Row {
    const hour = Math.max(hourOf(arrivedAt), this.#from);
    if (this.#last?.hour === hour) return this.#last;
    let row = this.#rows.get(hour);
    if (!row) {
      row = { hour, delivered: 0, filtered: 0, quarantined: 0, expired: 0, usage: undefined };
      this.#rows.set(hour, row);
    }
    this.#last = row;
    return row;
  }

  /**
   * As documents have them, oldest first.
   * @param before the start of an hour; this hour and later ones are left out
   */
  toDocument(before = Number.POSITIVE_INFINITY): HourRow[] {
    return [...this.#rows.values()]
      .filter(({ hour }) => hour < before)
      .sort((a, b) => a.hour - b.hour)
      .map(({ usage, ...row }) => ({ ...row, ...(usage ? { usage: usage.totals } : {}) }));
  }

  /** H2: the rows of the hours before this one are stored. */
  close(before: number): void {
    for (const hour of this.#rows.keys()) if (hour < before) this.#rows.delete(hour);
    this.#last = undefined;
    this.#from = Math.max(this.#from, before);
  }
}

interface Counts {
  /** Records that pass the filter. */
  passed: number;
  /** All of the stream's kind and organisations. */
  covered: number;
}

/** Records without a fate, by the hour of their arrival. */
export class HourCounts {
  readonly #hours = new Map<number, Counts>();
  #passed = 0;
  #covered = 0;

  get passed(): number {
    return this.#passed;
  }

  get covered(): number {
    return this.#covered;
  }

  /** The earliest hour with records; Infinity: none. */
  get first(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const [hour, { passed, covered }] of this.#hours)
      if (hour < first && (passed > 0 || covered > 0)) first = hour;
    return first;
  }

  /** @param passed and `covered`: a negative number subtracts, also below 0 */
  add(arrivedAt: number, passed: number, covered: number): void {
    if (passed === 0 && covered === 0) return;
    const hour = hourOf(arrivedAt);
    const counts = this.#hours.get(hour);
    if (counts) {
      counts.passed += passed;
      counts.covered += covered;
    } else this.#hours.set(hour, { passed, covered });
    this.#passed += passed;
    this.#covered += covered;
  }

  /** Subtracts records that were found. If the hour has too few, the others are reduced: they were an estimate. */
  take(arrivedAt: number, passed: number, covered: number): void {
    const hour = hourOf(arrivedAt);
    let left = this.#takeFrom(hour, passed, covered);
    for (const other of this.#sorted()) {
      if (left.passed === 0 && left.covered === 0) return;
      left = this.#takeFrom(other, left.passed, left.covered);
    }
  }

  /** @returns the missing number of the hour */
  #takeFrom(hour: number, passed: number, covered: number): Counts {
    const counts = this.#hours.get(hour);
    if (!counts) return { passed, covered };
    const taken = {
      passed: Math.min(passed, Math.max(0, counts.passed)),
      covered: Math.min(covered, Math.max(0, counts.covered)),
    };
    counts.passed -= taken.passed;
    counts.covered -= taken.covered;
    this.#passed -= taken.passed;
    this.#covered -= taken.covered;
    if (counts.passed === 0 && counts.covered === 0) this.#hours.delete(hour);
    return { passed: passed - taken.passed, covered: covered - taken.covered };
  }

  addAll(other: HourCounts): void {
    for (const [hour, { passed, covered }] of other.#hours) this.add(hour, passed, covered);
  }

  /** The counts of both, no hour below 0, and at least as many covered as passed. */
  plus(other: HourCounts): HourCounts {
    const both = new HourCounts();
    both.addAll(this);
    both.addAll(other);
    const sum = new HourCounts();
    for (const [hour, counts] of both.#hours) {
      const passed = Math.max(0, counts.passed);
      sum.add(hour, passed, Math.max(passed, counts.covered));
    }
    return sum;
  }

  copy(): HourCounts {
    const copy = new HourCounts();
    copy.addAll(this);
    return copy;
  }

  /**
   * Spreads passing records over the hours that have more of them here than in `left`, oldest first.
   * @param otherwise the hour of the remaining ones
   */
  spread(records: number, left: HourCounts, otherwise: number): { hour: number; records: number }[] {
    const parts: { hour: number; records: number }[] = [];
    let open = records;
    for (const hour of this.#sorted()) {
      const more = (this.#hours.get(hour)?.passed ?? 0) - (left.#hours.get(hour)?.passed ?? 0);
      const part = Math.min(open, Math.max(0, more));
      if (part > 0) parts.push({ hour, records: part });
      open -= part;
    }
    if (open > 0) parts.push({ hour: hourOf(otherwise), records: open });
    return parts;
  }

  /** Flat triples of the start of an hour, records that pass, and all, oldest first. */
  toDocument(): number[] {
    return this.#sorted().flatMap((hour) => {
      const { passed, covered } = this.#hours.get(hour) as Counts;
      return passed > 0 || covered > 0 ? [hour, passed, covered] : [];
    });
  }

  static of(triples: readonly number[]): HourCounts {
    const counts = new HourCounts();
    for (let at = 0; at < triples.length; at += 3)
      counts.add(triples[at] as number, triples[at + 1] as number, triples[at + 2] as number);
    return counts;
  }

  #sorted(): number[] {
    return [...this.#hours.keys()].sort((a, b) => a - b);
  }
}
