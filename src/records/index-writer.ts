import { NO_PLACES, type RecordIndex } from './record-index.ts';
import { AMOUNTS } from './required-fields.ts';

/**
 * Writes an index whose number of records and organisations are known beforehand. The records may come
 * in any order of their rows, and each row is written once.
 */
export class IndexWriter {
  readonly #index: {
    readonly kind: RecordIndex['kind'];
    readonly count: number;
    readonly organisations: Float64Array;
    readonly starts: Uint32Array;
    readonly ends: Uint32Array;
    readonly ordinals: Uint16Array | Uint32Array;
    readonly endpoints: Uint32Array;
    endpointsHigh: Uint32Array;
    readonly eventTypes: Uint32Array;
    readonly alerts: Uint8Array;
    readonly amounts?: Uint16Array;
  };

  /**
   * @param organisations distinct ids, whose positions the ordinals are
   * @param amounts whether some of the records may have places of amounts
   */
  constructor(kind: RecordIndex['kind'], count: number, organisations: Float64Array, amounts: boolean) {
    const events = kind === 'event' ? count : 0;
    const several = organisations.length > 1 ? count : 0;
    const wide = organisations.length > 0xffff;
    const places = amounts ? count * AMOUNTS : 0;
    // One piece of memory for all columns, the widest first: each piece outside of V8's heap costs as much as some hundred values.
    const memory = new ArrayBuffer(count * 12 + events * 5 + several * (wide ? 4 : 2) + places * 2);
    let at = 0;
    const words = (length: number) => {
      const column = new Uint32Array(memory, at, length);
      at += column.byteLength;
      return column;
    };
    const halves = (length: number) => {
      const column = new Uint16Array(memory, at, length);
      at += column.byteLength;
      return column;
    };
    this.#index = {
      kind,
      count,
      organisations,
      starts: words(count),
      ends: words(count),
      endpoints: words(count),
      eventTypes: words(events),
      ordinals: wide ? words(several) : halves(several),
      endpointsHigh: NONE,
      ...(amounts ? { amounts: halves(places) } : {}),
      alerts: new Uint8Array(memory, at, events),
    };
  }

  /**
   * Writes the records `from` (included) to `to` (excluded) of another index of the same kind.
   * @param row of the first of them
   * @param at the place of its first byte in the payload of this index; the distances between the records stay
   * @param ordinal of its organisation here, by its position among the organisations of the source
   */
  put(
    source: RecordIndex,
    from: number,
    to: number,
    row: number,
    at: number,
    ordinal: ArrayLike<number>,
  ): void {
    const { starts, ends, ordinals, endpoints, eventTypes, alerts } = this.#index;
    const shift = at - (source.starts[from] as number);
    const several = ordinals.length > 0;
    const events = eventTypes.length > 0;
    const one = source.organisations.length === 1;
    for (let i = from, own = row; i < to; i++, own++) {
      starts[own] = (source.starts[i] as number) + shift;
      ends[own] = (source.ends[i] as number) + shift;
      endpoints[own] = source.endpoints[i] as number;
      if (several) ordinals[own] = ordinal[one ? 0 : (source.ordinals[i] as number)] as number;
      if (!events) continue;
      eventTypes[own] = source.eventTypes[i] as number;
      alerts[own] = source.alerts[i] as number;
    }
    if (source.endpointsHigh.length > 0) this.#putHighHalves(source.endpointsHigh, from, to, row);
    this.#putAmounts(source.amounts, from, to, row);
  }

  /** Most ids fit 32 bits, so the upper halves take memory only once an id does not. */
  #putHighHalves(halves: Uint32Array, from: number, to: number, row: number): void {
    for (let i = from; i < to; i++) {
      const half = halves[i] as number;
      if (half === 0) continue;
      if (this.#index.endpointsHigh.length === 0)
        this.#index.endpointsHigh = new Uint32Array(this.#index.count);
      this.#index.endpointsHigh[row + i - from] = half;
    }
  }

  #putAmounts(places: Uint16Array | undefined, from: number, to: number, row: number): void {
    const { amounts } = this.#index;
    if (!amounts) return;
    // The columns of a builder end with the last record whose places are known.
    for (let i = from * AMOUNTS, own = row * AMOUNTS; i < to * AMOUNTS; i++, own++)
      amounts[own] = places?.[i] ?? NO_PLACES;
  }

  /** The index, once every row is written. Do not use the writer afterwards. */
  toIndex(): RecordIndex {
    return this.#index;
  }
}

const NONE = new Uint32Array(0);
