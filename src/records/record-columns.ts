import type { RecordIndex, RecordKind } from './block.ts';

/** The index of the records of a body, as it grows: plain columns, so that a record costs no allocation. */
export class RecordColumns {
  readonly kind: RecordKind;
  count = 0;
  /** Distinct organisation ids in order of first appearance. */
  readonly organisations: number[] = [];
  starts: Uint32Array;
  ends: Uint32Array;
  ordinals: Uint32Array;
  eventTypes: Uint32Array;
  alerts: Uint8Array;
  readonly #ordinalOf = new Map<number, number>();
  #lastOrganisation = -1;
  #lastOrdinal = -1;

  /** @param expected about how many records will come; more are taken all the same */
  constructor(kind: RecordKind, expected: number) {
    this.kind = kind;
    const events = kind === 'event' ? expected : 0;
    this.starts = new Uint32Array(expected);
    this.ends = new Uint32Array(expected);
    this.ordinals = new Uint32Array(expected);
    this.eventTypes = new Uint32Array(events);
    this.alerts = new Uint8Array(events);
  }

  add(start: number, end: number, organisation: number, eventType: number, alert: number): void {
    const at = this.count++;
    if (at === this.starts.length) this.#grow();
    this.starts[at] = start;
    this.ends[at] = end;
    this.ordinals[at] =
      organisation === this.#lastOrganisation ? this.#lastOrdinal : this.#ordinal(organisation);
    if (this.kind === 'event') {
      this.eventTypes[at] = eventType;
      this.alerts[at] = alert;
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

  #grow(): void {
    const size = Math.max(16, this.starts.length * 2);
    const larger = (column: Uint32Array) => {
      const grown = new Uint32Array(size);
      grown.set(column);
      return grown;
    };
    this.starts = larger(this.starts);
    this.ends = larger(this.ends);
    this.ordinals = larger(this.ordinals);
    if (this.kind !== 'event') return;
    this.eventTypes = larger(this.eventTypes);
    const alerts = new Uint8Array(size);
    alerts.set(this.alerts);
    this.alerts = alerts;
  }

  /** The index of what was added, in columns of their exact size. */
  toIndex(): RecordIndex {
    const { kind, count, organisations } = this;
    const events = kind === 'event' ? count : 0;
    const many = organisations.length > 1 ? count : 0;
    const ordinals = this.ordinals.subarray(0, many);
    return {
      kind,
      count,
      organisations: Float64Array.from(organisations),
      starts: this.starts.slice(0, count),
      ends: this.ends.slice(0, count),
      ordinals: organisations.length > 0xffff ? ordinals.slice() : new Uint16Array(ordinals),
      eventTypes: this.eventTypes.slice(0, events),
      alerts: this.alerts.slice(0, events),
    };
  }
}
