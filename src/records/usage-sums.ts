import { DecimalSum } from './decimal-sum.ts';
import { compileFields, textAt } from './fields.ts';

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
 * Pairs of currency and traffic type that are summed up by themselves. A platform has a handful; more come from records with
 * wrong names, and are summed up together.
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

  static of({ total, rx, tx, cost }: UsageTotals): UsageSums {
    const sums = new UsageSums();
    sums.#total.add(DecimalSum.of(total));
    sums.#rx.add(DecimalSum.of(rx));
    sums.#tx.add(DecimalSum.of(tx));
    for (const { currency, trafficType, amount } of cost)
      sums.#costOf(currency, trafficType).add(DecimalSum.of(amount));
    return sums;
  }

  /** Adds the record from `from` (included) to `to` (excluded). */
  addRecord(bytes: Uint8Array, from: number, to: number): void {
    const places = FIELDS.read(bytes, from, to);
    addPlace(this.#total, bytes, places, TOTAL);
    addPlace(this.#rx, bytes, places, RX);
    addPlace(this.#tx, bytes, places, TX);
    if ((places[COST * 2] as number) < 0) return;
    addPlace(this.#costFor(bytes, places), bytes, places, COST);
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

  #costFor(bytes: Uint8Array, places: Int32Array): DecimalSum {
    const text = (field: number) =>
      textAt(bytes, places[field * 2] as number, places[field * 2 + 1] as number)?.slice(0, LONGEST_NAME);
    return this.#costOf(text(CURRENCY) ?? '', text(TRAFFIC) ?? text(TRAFFIC_ID) ?? '');
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
const PATHS = [
  'volume.total',
  'volume.rx',
  'volume.tx',
  'cost',
  'currency.code',
  'traffic_type.description',
  'traffic_type.id',
];
const [TOTAL, RX, TX, COST, CURRENCY, TRAFFIC, TRAFFIC_ID] = [0, 1, 2, 3, 4, 5, 6] as const;
const FIELDS = compileFields(PATHS);

function addPlace(sum: DecimalSum, bytes: Uint8Array, places: Int32Array, field: number): void {
  const from = places[field * 2] as number;
  if (from >= 0) sum.addAt(bytes, from, places[field * 2 + 1] as number);
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
