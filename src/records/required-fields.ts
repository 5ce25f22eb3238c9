import { isAmountAt } from './decimal.ts';
import { endpointAt } from './endpoints.ts';
import type { RecordKind } from './kinds.ts';
import { BACKSLASH, LOWER_N, LOWER_T, QUOTE } from './scalars.ts';
import { isTimestampAt } from './timestamp.ts';
import { type Halves, isRecordId, unsignedAt } from './unsigned.ts';

/*
 * The fields that a record must have: those that routing, filters or connectors rely on. Each has a bit, so one number says
 * which fields a record has.
 *
 *   usage: id, traffic_type.id, start_timestamp, end_timestamp, organisation.id, volume.total, volume.rx, volume.tx, cost
 *   event: id, timestamp, event_type.id, organisation.id; alert may be missing or null, which is false
 *   SMS:   id, submit_date, organisation.id
 *
 * `end_timestamp` is null while a session is open, and `cost` is null if the record was not rated. A record must still have
 * both: a producer that omits them by mistake should learn of it.
 *
 * All kinds may have endpoint.id. The index keeps it if it is an unsigned 64-bit integer. Usage records may have currency.code and
 * traffic_type.description; the index keeps their places, and those of volume and cost, for the sums of the ledger.
 */
/** Type ids are an open set. The index of a block has 32 bits for an event's type. */
export const LARGEST_TYPE_ID = 2 ** 32 - 1;

// Fields, by the values that they take. Parents have an object with fields.
export const NONE = 0;
const ID = 1 << 0;
/** `timestamp` of an event, `submit_date` of an SMS. */
const TIMESTAMP = 1 << 1;
const START_TIMESTAMP = 1 << 2;
const END_TIMESTAMP = 1 << 3;
const COST = 1 << 4;
const VOLUME_TOTAL = 1 << 5;
const VOLUME_RX = 1 << 6;
const VOLUME_TX = 1 << 7;
const TRAFFIC_TYPE_ID = 1 << 8;
const ORGANISATION_ID = 1 << 9;
const EVENT_TYPE_ID = 1 << 10;
const ALERT = 1 << 11;
const TRAFFIC_TYPE = 1 << 12;
const ORGANISATION = 1 << 13;
const EVENT_TYPE = 1 << 14;
const VOLUME = 1 << 15;
const ENDPOINT = 1 << 16;
const ENDPOINT_ID = 1 << 17;
const CURRENCY = 1 << 18;
const CURRENCY_CODE = 1 << 19;
const TRAFFIC_TYPE_DESCRIPTION = 1 << 20;

const VOLUMES = VOLUME_TOTAL | VOLUME_RX | VOLUME_TX;
export const TIMESTAMPS = TIMESTAMP | START_TIMESTAMP | END_TIMESTAMP;
const NUMBERS = COST | VOLUMES;
/** The amounts of NUMBERS, by the number of their bit. */
const AMOUNT_OF_BIT: Readonly<Record<number, number>> = { 4: 3, 5: 0, 6: 1, 7: 2 };
/** May be null. */
const NULLABLE = COST | END_TIMESTAMP;
export const PARENTS = TRAFFIC_TYPE | ORGANISATION | EVENT_TYPE | VOLUME | ENDPOINT | CURRENCY;
/** A missing `alert` is false, so it counts as found from the start. */
const REQUIRED: Readonly<Record<RecordKind, number>> = {
  usage: ID | TRAFFIC_TYPE_ID | START_TIMESTAMP | END_TIMESTAMP | ORGANISATION_ID | VOLUMES | COST,
  event: ID | TIMESTAMP | EVENT_TYPE_ID | ORGANISATION_ID | ALERT,
  sms: ID | TIMESTAMP | ORGANISATION_ID,
};

/** The bits that a repeated field clears. */
export function cleared(scan: RecordScan, field: number): number {
  if (field === ENDPOINT || field === ENDPOINT_ID) {
    scan.endpoint.low = 0;
    scan.endpoint.high = 0;
  }
  if (field === CURRENCY || field === CURRENCY_CODE) scan.amounts[AMOUNT.currency] = -1;
  if (field === TRAFFIC_TYPE || field === TRAFFIC_TYPE_DESCRIPTION) scan.amounts[AMOUNT.trafficType] = -1;
  if (field === VOLUME) return VOLUMES;
  if (field === ORGANISATION) return ORGANISATION_ID;
  if (field === EVENT_TYPE) return EVENT_TYPE_ID;
  if (field === TRAFFIC_TYPE) return TRAFFIC_TYPE_ID;
  return field;
}

/** A number begins with a minus or a digit; the first bytes of `true`, `false` and `null` are greater. */
const LARGEST_NUMBER_START = 0x39;

const KEYS = {
  id: Buffer.from('id'),
  cost: Buffer.from('cost'),
  alert: Buffer.from('alert'),
  volume: Buffer.from('volume'),
  total: Buffer.from('total'),
  rx: Buffer.from('rx'),
  tx: Buffer.from('tx'),
  endpoint: Buffer.from('endpoint'),
  currency: Buffer.from('currency'),
  code: Buffer.from('code'),
  description: Buffer.from('description'),
  timestamp: Buffer.from('timestamp'),
  submit_date: Buffer.from('submit_date'),
  event_type: Buffer.from('event_type'),
  organisation: Buffer.from('organisation'),
  traffic_type: Buffer.from('traffic_type'),
  end_timestamp: Buffer.from('end_timestamp'),
  start_timestamp: Buffer.from('start_timestamp'),
};

/** Values of a usage record that the ledger sums up, or by whose name it groups sums. */
export const AMOUNT = {
  total: 0,
  rx: 1,
  tx: 2,
  cost: 3,
  currency: 4,
  trafficType: 5,
  trafficTypeId: 6,
} as const;
export const AMOUNTS = Object.keys(AMOUNT).length;

/** The facts of one record; reused for the next one. */
export class RecordScan {
  readonly events: boolean;
  readonly usage: boolean;
  /** The fields that a record must have, and those that count as found before it is read. */
  readonly required: number;
  readonly given: number;
  /** Whether it is an object with all required fields. */
  valid = false;
  /** A name or a timestamp contains an escape, which only `examine.ts` can judge: `valid` is then false. */
  unusual = false;
  // If the record is valid:
  organisation = 0;
  eventType = 0;
  /** 0 or 1. */
  alert = 0;
  /** The endpoint's id; 0 if the record has none. */
  readonly endpoint: Halves = { low: 0, high: 0 };
  /** Of usage: where the values begin that AMOUNT names; -1: the record has none. */
  readonly amounts = new Int32Array(AMOUNTS).fill(-1);
  /** Names of amounts that may be missing and have appeared, as bits; and whether one has appeared twice. */
  #amountNames = 0;
  amountTwice = false;
  /** How often `endpoint` and `endpoint.id` appear. The shape of a record that repeats one is not learnt. */
  endpointNames = 0;
  endpointIdNames = 0;
  /** The place of a syntax fault, or -1. */
  faultAt = -1;
  /** Whether the fault is too deep nesting of objects and arrays. */
  tooDeep = false;

  constructor(kind: RecordKind) {
    this.events = kind === 'event';
    this.usage = kind === 'usage';
    this.required = REQUIRED[kind];
    this.given = this.events ? ALERT : NONE;
  }

  /** Resets the facts before a record is read: optional fields get their defaults. */
  clearOptional(): void {
    this.alert = 0;
    this.endpoint.low = 0;
    this.endpoint.high = 0;
    this.endpointNames = 0;
    this.endpointIdNames = 0;
    this.amounts[AMOUNT.currency] = -1;
    this.amounts[AMOUNT.trafficType] = -1;
    this.#amountNames = 0;
    this.amountTwice = false;
  }

  /** @returns the field */
  amountName(field: number): number {
    if ((this.#amountNames & field) !== 0) this.amountTwice = true;
    this.#amountNames |= field;
    return field;
  }

  /** Whether the scalars alone suffice to read records of the same shape. */
  get learnable(): boolean {
    return this.valid && this.endpointNames < 2 && this.endpointIdNames < 2 && !this.amountTwice;
  }
}

/** The field of a key at the top of the record. `from` and `to` are within its quotes. */
export function topField(scan: RecordScan, bytes: Uint8Array, from: number, to: number): number {
  switch (to - from) {
    case 2:
      if (same(bytes, from, to, KEYS.id)) return ID;
      break;
    case 4:
      if (scan.usage && same(bytes, from, to, KEYS.cost)) return COST;
      break;
    case 5:
      if (scan.events && same(bytes, from, to, KEYS.alert)) return ALERT;
      break;
    case 6:
      if (scan.usage && same(bytes, from, to, KEYS.volume)) return VOLUME;
      break;
    case 8:
      if (same(bytes, from, to, KEYS.endpoint)) {
        scan.endpointNames++;
        return ENDPOINT;
      }
      if (scan.usage && same(bytes, from, to, KEYS.currency)) return scan.amountName(CURRENCY);
      break;
    case 9:
      if (scan.events && same(bytes, from, to, KEYS.timestamp)) return TIMESTAMP;
      break;
    case 10:
      if (scan.events && same(bytes, from, to, KEYS.event_type)) return EVENT_TYPE;
      break;
    case 11:
      if (!scan.events && !scan.usage && same(bytes, from, to, KEYS.submit_date)) return TIMESTAMP;
      break;
    case 12:
      if (same(bytes, from, to, KEYS.organisation)) return ORGANISATION;
      if (scan.usage && same(bytes, from, to, KEYS.traffic_type)) return scan.amountName(TRAFFIC_TYPE);
      break;
    case 13:
      if (scan.usage && same(bytes, from, to, KEYS.end_timestamp)) return END_TIMESTAMP;
      break;
    case 15:
      if (scan.usage && same(bytes, from, to, KEYS.start_timestamp)) return START_TIMESTAMP;
      break;
  }
  if (hasEscape(bytes, from, to)) scan.unusual = true;
  return NONE;
}

/** The field of a key in one of the parents. */
export function innerField(
  scan: RecordScan,
  parent: number,
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  if (parent === VOLUME) {
    if (same(bytes, from, to, KEYS.total)) return VOLUME_TOTAL;
    if (same(bytes, from, to, KEYS.rx)) return VOLUME_RX;
    if (same(bytes, from, to, KEYS.tx)) return VOLUME_TX;
  } else if (parent === CURRENCY) {
    if (same(bytes, from, to, KEYS.code)) return scan.amountName(CURRENCY_CODE);
  } else if (parent === TRAFFIC_TYPE && same(bytes, from, to, KEYS.description)) {
    return scan.amountName(TRAFFIC_TYPE_DESCRIPTION);
  } else if (same(bytes, from, to, KEYS.id)) {
    if (parent === ORGANISATION) return ORGANISATION_ID;
    if (parent === ENDPOINT) {
      scan.endpointIdNames++;
      return ENDPOINT_ID;
    }
    return parent === TRAFFIC_TYPE ? TRAFFIC_TYPE_ID : EVENT_TYPE_ID;
  }
  if (hasEscape(bytes, from, to)) scan.unusual = true;
  return NONE;
}

/**
 * Whether a well-formed scalar is valid for the field. Keeps what the index of a block needs of it. Does not decide on a
 * timestamp with an escape, see `unusual`.
 */
export function takeScalar(
  scan: RecordScan,
  field: number,
  bytes: Uint8Array,
  from: number,
  to: number,
): boolean {
  if (field >= ENDPOINT) {
    // Any value is valid, and it replaces the value of an earlier occurrence of the name.
    if (field === ENDPOINT_ID) endpointAt(bytes, from, to, scan.endpoint);
    else if (field === CURRENCY_CODE) scan.amounts[AMOUNT.currency] = from;
    else if (field === TRAFFIC_TYPE_DESCRIPTION) scan.amounts[AMOUNT.trafficType] = from;
    return true;
  }
  if ((field & NUMBERS) !== 0) scan.amounts[AMOUNT_OF_BIT[31 - Math.clz32(field)] as number] = from;
  const first = bytes[from] as number;
  if (first === QUOTE) return (field & TIMESTAMPS) !== 0 && isTimestampAt(bytes, from + 1, to - 1);
  if (first > LARGEST_NUMBER_START) {
    if ((field & NULLABLE) !== 0 && first === LOWER_N) return true;
    if (field !== ALERT) return false;
    scan.alert = first === LOWER_T ? 1 : 0;
    return true;
  }
  if ((field & NUMBERS) !== 0) return isAmountAt(bytes, from, to);
  if (field === ID) return isRecordId(bytes, from, to);
  const value = unsignedAt(bytes, from, to);
  switch (field) {
    case ORGANISATION_ID:
      scan.organisation = value;
      return value >= 1;
    case EVENT_TYPE_ID:
      scan.eventType = value;
      return value >= 0 && value <= LARGEST_TYPE_ID;
    case TRAFFIC_TYPE_ID:
      scan.amounts[AMOUNT.trafficTypeId] = from;
      return value >= 0 && value <= LARGEST_TYPE_ID;
    case ALERT:
      scan.alert = value;
      return value === 0 || value === 1;
    default:
      return false;
  }
}

function same(bytes: Uint8Array, from: number, to: number, key: Uint8Array): boolean {
  if (to - from !== key.length) return false;
  for (let i = 0; i < key.length; i++) if (bytes[from + i] !== key[i]) return false;
  return true;
}

export function hasEscape(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] === BACKSLASH) return true;
  return false;
}
