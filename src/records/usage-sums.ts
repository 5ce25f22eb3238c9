import { DecimalSum } from './decimal-sum.ts';
import { compileFields, textAt } from './fields.ts';
import { NO_PLACES } from './record-index.ts';
import { RecordReader } from './record-reader.ts';
import { AMOUNT, AMOUNTS } from './required-fields.ts';

/** Sums over usage records, as they are stored and shown: exact decimals as text. */
export interface UsageTotals {
  readonly total: string;
  readonly rx: string;
  readonly tx: string;
  readonly cost: readonly CostTotal[];
}

interface CostTotal {
  /** Its code, e.g. EUR; empty: the records name none. */
  readonly currency: string;
  /** Its description, e.g. Data; else its id. */
  readonly trafficType: string;
  readonly amount: string;
}

/**
 * Pairs of currency and traffic type with a sum of their own. A platform has a handful; more come from records with
 * wrong names, and share one sum.
 */
const MOST_PAIRS = 32;
const OTHER = { currency: 'other', trafficType: 'other' };

interface Cost {
  readonly currency: string;
  readonly trafficType: string;
  readonly sum: DecimalSum;
}

/** Exact sums of volume and cost over usage records. */
export class UsageSums {
  readonly #total = new DecimalSum();
  readonly #rx = new DecimalSum();
  readonly #tx = new DecimalSum();
  readonly #costs = new Map<string, Cost>();
  /** Of the record that was added last. */
  #last:
    | { readonly currency: Uint8Array; readonly traffic: Uint8Array; readonly sum: DecimalSum }
    | undefined;

  static of({ total, rx, tx, cost }: UsageTotals): UsageSums {
    const sums = new UsageSums();
    sums.#total.add(DecimalSum.of(total));
    sums.#rx.add(DecimalSum.of(rx));
    sums.#tx.add(DecimalSum.of(tx));
    for (const { currency, trafficType, amount } of cost)
      sums.#costOf(currency, trafficType).add(DecimalSum.of(amount));
    return sums;
  }

  /**
   * Adds the record from `from` (included) to `to` (excluded).
   * @param view of the same bytes: a caller that adds many records creates it once
   */
  addRecord(bytes: Uint8Array, from: number, to: number, view = viewOf(bytes)): void {
    // Most records have the shape of an earlier one, which is read in a third of the time.
    if (READER.read(bytes, view, from, to, false) === to && READER.scan.valid) {
      this.#add(bytes, READER.scan.amounts, to);
      return;
    }
    const found = FIELDS.read(bytes, from, to);
    for (let amount = 0; amount < AMOUNTS; amount++) places[amount] = found[amount * 2] as number;
    this.#add(bytes, places, to);
  }

  /**
   * Adds a record whose amounts have known places.
   * @param amounts of an index
   * @param row of the record in it
   */
  addPlaces(bytes: Uint8Array, from: number, to: number, amounts: Uint16Array, row: number): void {
    const at = row * AMOUNTS;
    const total = amounts[at] as number;
    if (total === NO_PLACES) {
      this.addRecord(bytes, from, to);
      return;
    }
    // Mandatory values have a place.
    this.#total.addFrom(bytes, from + total, to);
    this.#rx.addFrom(bytes, from + (amounts[at + AMOUNT.rx] as number), to);
    this.#tx.addFrom(bytes, from + (amounts[at + AMOUNT.tx] as number), to);
    for (let amount = AMOUNT.currency as number; amount < AMOUNTS; amount++) {
      const within = amounts[at + amount] as number;
      places[amount] = within === 0 ? -1 : from + within;
    }
    this.#costFor(bytes, places, to).addFrom(bytes, from + (amounts[at + AMOUNT.cost] as number), to);
  }

  #add(bytes: Uint8Array, at: Int32Array, to: number): void {
    addPlace(this.#total, bytes, at[AMOUNT.total] as number, to);
    addPlace(this.#rx, bytes, at[AMOUNT.rx] as number, to);
    addPlace(this.#tx, bytes, at[AMOUNT.tx] as number, to);
    const cost = at[AMOUNT.cost] as number;
    if (cost >= 0) this.#costFor(bytes, at, to).addFrom(bytes, cost, to);
  }

  add(other: UsageSums): void {
    this.#total.add(other.#total);
    this.#rx.add(other.#rx);
    this.#tx.add(other.#tx);
    for (const { currency, trafficType, sum } of other.#costs.values())
      this.#costOf(currency, trafficType).add(sum);
  }

  get totals(): UsageTotals {
    const cost = [...this.#costs.values()].map(({ sum, ...pair }) => ({ ...pair, amount: sum.text }));
    cost.sort((a, b) => order(a.currency, b.currency) || order(a.trafficType, b.trafficType));
    return { total: this.#total.text, rx: this.#rx.text, tx: this.#tx.text, cost };
  }

  /** Most records have the names of the record before. */
  #costFor(bytes: Uint8Array, at: Int32Array, to: number): DecimalSum {
    const currency = at[AMOUNT.currency] as number;
    const described = at[AMOUNT.trafficType] as number;
    const traffic = described < 0 ? (at[AMOUNT.trafficTypeId] as number) : described;
    const last = this.#last;
    if (last && isAt(bytes, currency, last.currency) && isAt(bytes, traffic, last.traffic)) return last.sum;
    const currencyEnd = endOf(bytes, currency, to);
    let trafficEnd = endOf(bytes, traffic, to);
    let from = traffic;
    // A description that is null stands for none.
    if (textAt(bytes, from, trafficEnd) === undefined) {
      from = at[AMOUNT.trafficTypeId] as number;
      trafficEnd = endOf(bytes, from, to);
    }
    const name = (begin: number, end: number) => textAt(bytes, begin, end)?.slice(0, LONGEST_NAME) ?? '';
    const sum = this.#costOf(name(currency, currencyEnd), name(from, trafficEnd));
    if (from === traffic)
      this.#last = {
        currency: literalAt(bytes, currency, currencyEnd),
        traffic: literalAt(bytes, traffic, trafficEnd),
        sum,
      };
    return sum;
  }

  #costOf(currency: string, trafficType: string): DecimalSum {
    const key = `${currency}\n${trafficType}`;
    let cost = this.#costs.get(key);
    if (!cost) {
      if (this.#costs.size >= MOST_PAIRS && key !== OTHER_KEY)
        return this.#costOf(OTHER.currency, OTHER.trafficType);
      cost = { currency, trafficType, sum: new DecimalSum() };
      this.#costs.set(key, cost);
    }
    return cost.sum;
  }
}

const OTHER_KEY = `${OTHER.currency}\n${OTHER.trafficType}`;
/** Names are kept with each hour: no code and no description of a real platform is longer. */
const LONGEST_NAME = 32;
const PATHS: Readonly<Record<keyof typeof AMOUNT, string>> = {
  total: 'volume.total',
  rx: 'volume.rx',
  tx: 'volume.tx',
  cost: 'cost',
  currency: 'currency.code',
  trafficType: 'traffic_type.description',
  trafficTypeId: 'traffic_type.id',
};
/** For records that READER does not accept: those with escaped names, and those of older versions. */
const FIELDS = compileFields(Object.values(PATHS));
const READER = new RecordReader('usage');
/** Belongs to the record that is being added. */
const places = new Int32Array(AMOUNTS);

/** For bytes that hold many records. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function addPlace(sum: DecimalSum, bytes: Uint8Array, from: number, to: number): void {
  if (from >= 0) sum.addFrom(bytes, from, to);
}

/**
 * A copy of the literal of a scalar with the byte behind it, which ends it; nothing for a missing one. `slice` of a Buffer would be a
 * view, and hold the whole block for as long as its sums are known.
 */
function literalAt(bytes: Uint8Array, from: number, end: number): Uint8Array {
  return from < 0 ? NO_LITERAL : Uint8Array.prototype.slice.call(bytes, from, end + 1);
}

function isAt(bytes: Uint8Array, from: number, literal: Uint8Array): boolean {
  if (from < 0 || literal.length === 0) return from < 0 && literal.length === 0;
  for (let at = 0; at < literal.length; at++) if (bytes[from + at] !== literal[at]) return false;
  return true;
}

/** The place behind a scalar that begins at `from`. */
function endOf(bytes: Uint8Array, from: number, to: number): number {
  if (from < 0) return from;
  let at = from + 1;
  if (bytes[from] === QUOTE) {
    while (at < to && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
    return at + 1;
  }
  while (at < to && !ENDS.has(bytes[at] as number)) at++;
  return at;
}

const NO_LITERAL = new Uint8Array(0);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ENDS = new Set(Buffer.from(' \t\r\n,]}'));

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
