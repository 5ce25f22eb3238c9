import type { RecordKind } from './kinds.ts';
import { AMOUNTS } from './required-fields.ts';

export type { RecordKind } from './kinds.ts';

/**
 * The index over the records of a payload: one column per fact that routing, filters or connectors need of each record.
 * This file makes indexes that grow: from a scan, from a slice, from several blocks, or from one record. index-writer.ts makes
 * those of a known length.
 */
export interface RecordIndex {
  readonly kind: RecordKind;
  readonly count: number;
  /** Distinct organisation ids. */
  readonly organisations: ArrayLike<number>;
  /** Offset of each record's first byte in the payload, and of the byte after its last. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** Per record the position of its organisation in `organisations`; empty when there is only one. */
  readonly ordinals: Uint16Array | Uint32Array;
  /**
   * Per record the id of its endpoint: the lower 32 bits here, the upper ones in `endpointsHigh`, which is empty when all
   * are 0. The id 0 stands for a record without an endpoint, or with an id that is not an unsigned 64-bit integer.
   */
  readonly endpoints: Uint32Array;
  readonly endpointsHigh: Uint32Array;
  /** Event type id, and alert as 0 or 1. Empty for other kinds than events. */
  readonly eventTypes: Uint32Array;
  readonly alerts: Uint8Array;
  /**
   * For usage: AMOUNTS places each, within the record, of the values that the ledger sums up; see AMOUNT. 0: the
   * record lacks it. The first is NO_PLACES if the places are not known. Blocks of a few records, and blocks of older
   * versions, have no known places.
   */
  readonly amounts?: Uint16Array | undefined;
}

/** A place this far into a record cannot be stored. */
export const NO_PLACES = 0xffff;

/** The facts of one record in an index. */
export interface RecordFacts {
  readonly organisation: number;
  /** Events only. */
  readonly eventType?: number;
  readonly alert?: 0 | 1;
  /** 64 bits; 0 or missing: none. */
  readonly endpoint?: bigint;
}

/** With more organisations, their positions take 32 bits. */
const MOST_NARROW_ORGANISATIONS = 0xffff;

/** Builds an index record by record or range by range. Its columns grow, so that a record costs no allocation. */
export class RecordIndexBuilder {
  readonly kind: RecordKind;
  count = 0;
  readonly organisations: number[] = [];
  starts: Uint32Array;
  ends: Uint32Array;
  /** Filled even while only one organisation is known; in an index they are then empty. */
  ordinals: Uint32Array;
  endpoints: Uint32Array;
  endpointsHigh: Uint32Array;
  eventTypes: Uint32Array;
  alerts: Uint8Array;
  /** Filled from the first record with known places on. */
  amounts: Uint16Array | undefined;
  readonly #ordinalOf = new Map<number, number>();
  #lastOrganisation = -1;
  #lastOrdinal = -1;
  /** The index that `addRange` read last, and the positions of its organisations in this one (-1: not known yet). */
  #lastSource: RecordIndex | undefined;
  #translated = new Int32Array(0);

  /** @param expected about how many records will come. More may come; the exact number saves a copy */
  constructor(kind: RecordKind, expected: number) {
    this.kind = kind;
    const events = kind === 'event' ? expected : 0;
    this.starts = new Uint32Array(expected);
    this.ends = new Uint32Array(expected);
    this.ordinals = new Uint32Array(expected);
    this.endpoints = new Uint32Array(expected);
    this.endpointsHigh = new Uint32Array(0);
    this.eventTypes = new Uint32Array(events);
    this.alerts = new Uint8Array(events);
  }

  /** Adds one record. The endpoint's id comes in two halves, because a BigInt per record would be an allocation. */
  add(
    start: number,
    end: number,
    organisation: number,
    eventType: number,
    alert: number,
    endpointLow: number,
    endpointHigh: number,
  ): void {
    const at = this.count++;
    if (at === this.starts.length) this.#grow(at + 1);
    this.starts[at] = start;
    this.ends[at] = end;
    this.ordinals[at] =
      organisation === this.#lastOrganisation ? this.#lastOrdinal : this.#ordinal(organisation);
    this.endpoints[at] = endpointLow;
    if (endpointHigh !== 0) this.#highHalves()[at] = endpointHigh;
    if (this.kind === 'event') {
      this.eventTypes[at] = eventType;
      this.alerts[at] = alert;
    }
  }

  /**
   * Keeps where the amounts of the record that was added last begin.
   * @param places in the same bytes as `start`; -1: none
   */
  addAmounts(places: Int32Array): void {
    const record = this.count - 1;
    const amounts = this.#amountsFor(this.count);
    const start = this.starts[record] as number;
    for (let amount = 0, at = record * AMOUNTS; amount < AMOUNTS; amount++, at++) {
      const place = places[amount] as number;
      const within = place < 0 ? 0 : place - start;
      if (within >= NO_PLACES) {
        amounts[record * AMOUNTS] = NO_PLACES;
        return;
      }
      amounts[at] = within;
    }
  }

  /** Room for the amounts of this many records; unknown ones are marked. */
  #amountsFor(count: number): Uint16Array {
    const { amounts } = this;
    if (amounts && amounts.length >= count * AMOUNTS) return amounts;
    const larger = new Uint16Array(Math.max(this.starts.length, count) * AMOUNTS).fill(NO_PLACES);
    if (amounts) larger.set(amounts);
    this.amounts = larger;
    return larger;
  }

  /** Adds one record by its facts. */
  addFacts(
    start: number,
    end: number,
    { organisation, eventType = 0, alert = 0, endpoint = 0n }: RecordFacts,
  ): void {
    const low = Number(endpoint & 0xffff_ffffn);
    this.add(start, end, organisation, eventType, alert, low, Number(endpoint >> 32n));
  }

  /**
   * Adds the records `from` (included) to `to` (excluded) of another index of the same kind.
   * @param at the place of the first record's first byte in the payload of this index; the distances between records stay
   */
  addRange(source: RecordIndex, from: number, to: number, at: number): void {
    if (to <= from) return;
    const begin = this.count;
    const end = begin + to - from;
    if (end > this.starts.length) this.#grow(end);
    this.count = end;
    const shift = at - (source.starts[from] as number);
    for (let i = from, row = begin; i < to; i++, row++) {
      this.starts[row] = (source.starts[i] as number) + shift;
      this.ends[row] = (source.ends[i] as number) + shift;
    }
    this.#addOrdinals(source, from, to, begin);
    copyRange(source.endpoints, from, to, this.endpoints, begin);
    if (source.endpointsHigh.length > 0) copyRange(source.endpointsHigh, from, to, this.#highHalves(), begin);
    if (source.amounts)
      this.#amountsFor(end).set(source.amounts.subarray(from * AMOUNTS, to * AMOUNTS), begin * AMOUNTS);
    if (this.kind !== 'event') return;
    copyRange(source.eventTypes, from, to, this.eventTypes, begin);
    copyRange(source.alerts, from, to, this.alerts, begin);
  }

  #addOrdinals(source: RecordIndex, from: number, to: number, begin: number): void {
    const { organisations, ordinals } = source;
    if (organisations.length === 1) {
      this.ordinals.fill(this.#ordinal(organisations[0] as number), begin, begin + to - from);
      return;
    }
    if (source !== this.#lastSource || this.#translated.length < organisations.length) {
      this.#lastSource = source;
      this.#translated = new Int32Array(organisations.length).fill(-1);
    }
    const translated = this.#translated;
    for (let i = from, row = begin; i < to; i++, row++) {
      const foreign = ordinals[i] as number;
      let own = translated[foreign] as number;
      if (own < 0) {
        own = this.#ordinal(organisations[foreign] as number);
        translated[foreign] = own;
      }
      this.ordinals[row] = own;
    }
  }

  #ordinal(organisation: number): number {
    let ordinal = this.#ordinalOf.get(organisation);
    if (ordinal === undefined) {
      ordinal = this.organisations.push(organisation) - 1;
      this.#ordinalOf.set(organisation, ordinal);
    }
    this.#lastOrganisation = organisation;
    this.#lastOrdinal = ordinal;
    return ordinal;
  }

  /** Most ids fit 32 bits, so the upper halves take memory only once an id does not. */
  #highHalves(): Uint32Array {
    if (this.endpointsHigh.length < this.starts.length)
      this.endpointsHigh = grown(this.endpointsHigh, this.starts.length);
    return this.endpointsHigh;
  }

  #grow(least: number): void {
    const size = Math.max(16, least, this.starts.length * 2);
    this.starts = grown(this.starts, size);
    this.ends = grown(this.ends, size);
    this.ordinals = grown(this.ordinals, size);
    this.endpoints = grown(this.endpoints, size);
    if (this.endpointsHigh.length > 0) this.endpointsHigh = grown(this.endpointsHigh, size);
    if (this.kind !== 'event') return;
    this.eventTypes = grown(this.eventTypes, size);
    const alerts = new Uint8Array(size);
    alerts.set(this.alerts);
    this.alerts = alerts;
  }

  /** The index of the added records, in columns of exact size. Do not use the builder afterwards. */
  toIndex(): RecordIndex {
    const { kind, count, organisations } = this;
    const events = kind === 'event' ? count : 0;
    const ordinals = this.ordinals.subarray(0, organisations.length > 1 ? count : 0);
    return {
      kind,
      count,
      organisations: Float64Array.from(organisations),
      starts: exactly(this.starts, count),
      ends: exactly(this.ends, count),
      ordinals:
        organisations.length > MOST_NARROW_ORGANISATIONS ? ordinals.slice() : new Uint16Array(ordinals),
      endpoints: exactly(this.endpoints, count),
      endpointsHigh: this.endpointsHigh.some((half) => half !== 0)
        ? exactly(this.endpointsHigh, count)
        : new Uint32Array(0),
      eventTypes: exactly(this.eventTypes, events),
      alerts: this.alerts.length === events ? this.alerts : this.alerts.slice(0, events),
      ...(this.amounts ? { amounts: this.#amountsFor(count).slice(0, count * AMOUNTS) } : {}),
    };
  }
}

type Column = Uint32Array | Uint8Array;

/** A range this short is copied value by value: a view of it would cost more. */
const SHORT_RANGE = 32;

function copyRange(source: Column, from: number, to: number, target: Column, at: number): void {
  if (to - from > SHORT_RANGE) target.set(source.subarray(from, to), at);
  else for (let i = from; i < to; i++) target[at + i - from] = source[i] as number;
}

function grown(column: Uint32Array, size: number): Uint32Array {
  const larger = new Uint32Array(size);
  larger.set(column);
  return larger;
}

function exactly(column: Uint32Array, count: number): Uint32Array {
  return column.length === count ? column : column.slice(0, count);
}

/** The index of no records. */
export function emptyIndex(kind: RecordKind): RecordIndex {
  return new RecordIndexBuilder(kind, 0).toIndex();
}

/** The index of one record that fills a payload of `length` bytes. */
export function indexOfOne(kind: RecordKind, length: number, facts: RecordFacts): RecordIndex {
  const builder = new RecordIndexBuilder(kind, 1);
  builder.addFacts(0, length, facts);
  return builder.toIndex();
}

/** The index of the records `from` (included) to `to` (excluded), over a payload that begins with the first of them. */
export function sliceIndex(source: RecordIndex, from: number, to: number): RecordIndex {
  const builder = new RecordIndexBuilder(source.kind, to - from);
  builder.addRange(source, from, to, 0);
  return builder.toIndex();
}

/** Whether two indexes hold the same facts of the same records. */
export function sameIndex(one: RecordIndex, other: RecordIndex): boolean {
  return (
    one.kind === other.kind &&
    one.count === other.count &&
    sameNumbers(one.organisations, other.organisations) &&
    sameNumbers(one.starts, other.starts) &&
    sameNumbers(one.ends, other.ends) &&
    sameNumbers(one.ordinals, other.ordinals) &&
    sameNumbers(one.endpoints, other.endpoints) &&
    sameNumbers(one.endpointsHigh, other.endpointsHigh) &&
    sameNumbers(one.eventTypes, other.eventTypes) &&
    sameNumbers(one.alerts, other.alerts)
  );
}

function sameNumbers(one: ArrayLike<number>, other: ArrayLike<number>): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}

/** The organisation of one record. */
export function organisationOf(index: RecordIndex, at: number): number {
  const ordinal = index.organisations.length > 1 ? (index.ordinals[at] as number) : 0;
  return index.organisations[ordinal] as number;
}

/** The endpoint's id of one record in decimal digits, for example as a key that keeps its records in order; '' if it has none. */
export function endpointIdOf(index: RecordIndex, at: number): string {
  const low = index.endpoints[at] as number;
  const high = index.endpointsHigh.length > 0 ? (index.endpointsHigh[at] as number) : 0;
  if (high === 0) return low === 0 ? '' : String(low);
  // Below 2^53 a double is exact, and cheaper than a BigInt.
  if (high < 2 ** 21) return String(high * 2 ** 32 + low);
  return ((BigInt(high) << 32n) | BigInt(low)).toString();
}

/** All facts of one record in an index. */
export function factsOf(index: RecordIndex, at: number): RecordFacts {
  const organisation = organisationOf(index, at);
  const endpoint = BigInt(endpointIdOf(index, at));
  if (index.kind !== 'event') return { organisation, endpoint };
  const alert = index.alerts[at] === 1 ? 1 : 0;
  return { organisation, endpoint, eventType: index.eventTypes[at] as number, alert };
}
