import { compileFields, decimal, isNumber, textAt } from '../../records/fields.ts';
import { recordTime } from '../../records/record-time.ts';
import { type ByteText, byteText, toByteText } from '../byte-text.ts';
import type { Cause } from '../contract.ts';

/** The measurement of one usage record, or its fault. */
type Reading =
  | { readonly type: 'measured'; readonly measurement: Measurement }
  /** Not sent: a message, although only data was requested. */
  | { readonly type: 'unwanted' }
  | { readonly type: 'rejected'; readonly cause: Cause };

export interface Measurement {
  /** The record's id: a repeated record counts once. */
  readonly id: string | undefined;
  /** Seconds since the epoch: the end of the slice. */
  readonly timestamp: number;
  /** The length of the slice in seconds. */
  readonly interval: number;
  /** Messages, not data. */
  readonly sms: boolean;
  /** What stands in a JSON array of tags. */
  readonly tags: ByteText;
  /** The same with the currency: amounts of different currencies must never add up. */
  readonly costTags: ByteText;
  /** Numbers' literals in plain notation; of volume or messages, and of the cost. */
  readonly total: string | undefined;
  readonly tx: string | undefined;
  readonly rx: string | undefined;
  readonly cost: string | undefined;
}

export interface SeriesOptions {
  /** Also messages, as `endpoint.sms`. */
  readonly includeSms: boolean;
  /** Points of any age. */
  readonly historical: boolean;
}

const HOUR = 3_600_000;
/**
 * The intake silently drops points that are more than an hour old. This limit is half a minute shorter, the longest time of a
 * request: a quarantined record can be sent again, a dropped point is lost.
 */
const OLDEST_POINT = HOUR - 30_000;
/** The intake also drops points more than ten minutes in the future. */
const NEWEST_POINT = 10 * 60_000;
const SMS = '6';
/** Datadog cuts tags here. */
const LONGEST_TAG = 200;

/** In the order of SLOT. */
const FIELDS = [
  'end_timestamp',
  'start_timestamp',
  'organisation.id',
  'endpoint.id',
  'sim.iccid',
  'operator.name',
  'operator.country.name',
  'traffic_type.id',
  'traffic_type.description',
  'volume.total',
  'volume.tx',
  'volume.rx',
  'cost',
  'currency.code',
  'id',
] as const;
const SLOT = Object.fromEntries(FIELDS.map((field, slot) => [field, slot])) as Record<
  (typeof FIELDS)[number],
  number
>;
const TAGS = [
  ['org', SLOT['organisation.id']],
  ['endpoint', SLOT['endpoint.id']],
  ['iccid', SLOT['sim.iccid']],
  ['operator', SLOT['operator.name']],
  ['country', SLOT['operator.country.name']],
  ['traffic_type', SLOT['traffic_type.description']],
] as const;

const reader = compileFields(FIELDS);

/**
 * Reads a usage record as metrics: the volume in its three parts and the cost, counted over the slice that the record is
 * about, at the slice's end.
 * @param now milliseconds since the epoch
 */
export function readUsage(record: Uint8Array, options: SeriesOptions, now: number): Reading {
  const places = reader.read(record, 0, record.length);
  const sms = textOf(record, places, SLOT['traffic_type.id']) === SMS;
  if (sms && !options.includeSms) return { type: 'unwanted' };
  const started = recordTime(textOf(record, places, SLOT.start_timestamp));
  // The end of an open session is not known.
  const end = recordTime(textOf(record, places, SLOT.end_timestamp)) ?? started;
  const cause = end === undefined ? NO_TIME : ageFault(end, now, options.historical);
  if (end === undefined || cause) return { type: 'rejected', cause: cause ?? NO_TIME };
  const start = started ?? end;

  const total = amountAt(record, places, SLOT['volume.total']);
  const tx = amountAt(record, places, SLOT['volume.tx']);
  const rx = amountAt(record, places, SLOT['volume.rx']);
  const cost = amountAt(record, places, SLOT.cost);
  if ((total ?? tx ?? rx ?? cost) === undefined) return { type: 'rejected', cause: NO_VALUES };
  let tags = '';
  for (const [name, slot] of TAGS) tags = withTag(tags, name, record, places, slot);
  const costTags = withTag(tags, 'currency', record, places, SLOT['currency.code']);
  const interval = Math.max(1, Math.round((end - start) / 1000));
  const timestamp = Math.floor(end / 1000);
  return {
    type: 'measured',
    measurement: {
      id: textOf(record, places, SLOT.id),
      timestamp,
      interval,
      sms,
      tags,
      costTags,
      total,
      tx,
      rx,
      cost,
    },
  };
}

function textOf(record: Uint8Array, places: Int32Array, slot: number): string | undefined {
  return textAt(record, places[slot * 2] as number, places[slot * 2 + 1] as number);
}

const NO_TIME: Cause = {
  code: 'no_timestamp',
  message: 'The record has no readable end_timestamp, and Datadog needs the time of the usage.',
};
const NO_VALUES: Cause = {
  code: 'no_values',
  message: 'The record has neither a volume nor a cost that is a number.',
};

function ageFault(end: number, now: number, historical: boolean): Cause | undefined {
  if (end > now + NEWEST_POINT) {
    return {
      code: 'point_in_future',
      message: 'The record ends more than ten minutes in the future; Datadog does not accept such points.',
    };
  }
  if (historical || end >= now - OLDEST_POINT) return undefined;
  return {
    code: 'point_too_old',
    message:
      'The record ended more than an hour ago; Datadog does not accept such points unless Historical Metrics Ingestion ' +
      'is switched on for the metrics endpoint.*. Switch it on, set historical_metrics, and send the record again.',
  };
}

/** A number's literal in plain notation; undefined for other text, and for a number far beyond Datadog's range. */
function amountAt(record: Uint8Array, places: Int32Array, slot: number): string | undefined {
  const from = places[slot * 2] as number;
  const to = places[slot * 2 + 1] as number;
  if (isPlainNumber(record, from, to)) return byteText(record, from, to);
  const text = textAt(record, from, to);
  if (text === undefined || !isNumber(text)) return undefined;
  const value = decimal(text, 0);
  return /[eE]/.test(value) ? undefined : value;
}

const QUOTE = 0x22;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const BACKSLASH = 0x5c;

/** Whether a literal is a number that `decimal` would leave as it is. */
function isPlainNumber(bytes: Uint8Array, from: number, to: number): boolean {
  if (from < 0) return false;
  let fraction = false;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte >= ZERO && byte <= NINE) continue;
    if (byte === POINT) fraction = true;
    else if (byte !== MINUS) return false;
  }
  return !fraction || bytes[to - 1] !== ZERO;
}

/** Adds a tag, `"name:value"`, if the field has a value. */
function withTag(tags: string, name: string, record: Uint8Array, places: Int32Array, slot: number): string {
  const from = places[slot * 2] as number;
  const to = places[slot * 2 + 1] as number;
  const comma = tags === '' ? '' : ',';
  if (to - from < LONGEST_TAG - name.length) {
    // What needs no escape in the record needs none in the tag.
    if (isPlainNumber(record, from, to)) return `${tags}${comma}"${name}:${byteText(record, from, to)}"`;
    if (isPlainString(record, from, to)) {
      return to - from === 2 ? tags : `${tags}${comma}"${name}:${byteText(record, from + 1, to - 1)}"`;
    }
  }
  const value = textAt(record, from, to);
  if (value === undefined || value === '') return tags;
  const text = JSON.stringify(`${name}:${value}`.slice(0, LONGEST_TAG).toWellFormed());
  return `${tags}${comma}${toByteText(text)}`;
}

function isPlainString(bytes: Uint8Array, from: number, to: number): boolean {
  if (from < 0 || bytes[from] !== QUOTE) return false;
  for (let at = from; at < to; at++) if (bytes[at] === BACKSLASH) return false;
  return true;
}
