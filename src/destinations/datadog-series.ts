import { addDecimals, compileFields, decimal, isNumber, textAt } from '../records/fields.ts';
import { recordTime } from '../records/record-time.ts';
import type { Cause } from './contract.ts';

/** What one usage record comes to. */
export type Reading =
  | { readonly type: 'measured'; readonly measurement: Measurement }
  /** Not asked for: a message while only data is wanted. */
  | { readonly type: 'unwanted' }
  | { readonly type: 'rejected'; readonly cause: Cause };

export interface Measurement {
  /** Seconds since the epoch: the end of the slice. */
  readonly timestamp: number;
  /** The length of the slice in seconds. */
  readonly interval: number;
  readonly values: readonly MetricValue[];
}

interface MetricValue {
  readonly metric: string;
  readonly unit: string | undefined;
  /** The tags as a JSON array. */
  readonly tags: string;
  /** A number's literal in plain notation. */
  readonly value: string;
}

export interface SeriesOptions {
  /** Also messages, as `endpoint.sms`. */
  readonly includeSms: boolean;
  /** Points of any age. */
  readonly historical: boolean;
}

const HOUR = 3_600_000;
/**
 * The intake drops points that are more than an hour old, and says nothing. Half a minute less, the time a request may
 * take: a point that is set aside can be sent again, one that is dropped is gone.
 */
const OLDEST_POINT = HOUR - 30_000;
/** And points more than ten minutes ahead. */
const NEWEST_POINT = 10 * 60_000;
const SMS = '6';
/** Datadog's number of the metric type whose values are summed over time. */
const COUNT = 1;
/** Datadog cuts tags here. */
const LONGEST_TAG = 200;

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
] as const;
type Field = (typeof FIELDS)[number];

const reader = compileFields(FIELDS);

/**
 * Reads a usage record as metrics: the volume in its three parts and the cost, counted over the slice that the record is
 * about, at the slice's end.
 * @param now milliseconds since the epoch
 */
export function readUsage(record: Uint8Array, options: SeriesOptions, now: number): Reading {
  const places = reader.read(record, 0, record.length);
  const field = (name: Field) => {
    const slot = FIELDS.indexOf(name);
    return textAt(record, places[slot * 2] as number, places[slot * 2 + 1] as number);
  };
  const isSms = field('traffic_type.id') === SMS;
  if (isSms && !options.includeSms) return { type: 'unwanted' };
  const end = recordTime(field('end_timestamp'));
  const cause = end === undefined ? NO_TIME : ageFault(end, now, options.historical);
  if (end === undefined || cause) return { type: 'rejected', cause: cause ?? NO_TIME };
  const start = recordTime(field('start_timestamp')) ?? end;

  const tags = [
    tag('org', field('organisation.id')),
    tag('endpoint', field('endpoint.id')),
    tag('iccid', field('sim.iccid')),
    tag('operator', field('operator.name')),
    tag('country', field('operator.country.name')),
    tag('traffic_type', field('traffic_type.description')),
  ].filter((one) => one !== undefined);
  const shared = JSON.stringify(tags);
  // Amounts of different currencies must never add up.
  const currency = tag('currency', field('currency.code'));
  const withCurrency = currency ? JSON.stringify([...tags, currency]) : shared;

  const values: MetricValue[] = [];
  const add = (metric: string, name: Field, unit: string | undefined, of: string) => {
    const text = field(name);
    if (text === undefined || !isNumber(text)) return;
    const value = decimal(text, 0);
    // An exponent that is left means a number far beyond what Datadog can hold.
    if (!/[eE]/.test(value)) values.push({ metric, unit, tags: of, value });
  };
  const volume = isSms ? 'endpoint.sms' : 'endpoint.volume';
  const unit = isSms ? 'message' : 'megabyte';
  add(volume, 'volume.total', unit, shared);
  add(`${volume}_tx`, 'volume.tx', unit, shared);
  add(`${volume}_rx`, 'volume.rx', unit, shared);
  add('endpoint.cost', 'cost', undefined, withCurrency);
  if (values.length === 0) return { type: 'rejected', cause: NO_VALUES };
  const interval = Math.max(1, Math.round((end - start) / 1000));
  return { type: 'measured', measurement: { timestamp: Math.floor(end / 1000), interval, values } };
}

const NO_TIME: Cause = {
  code: 'no_timestamp',
  message:
    'The record has no end_timestamp that can be read, so Datadog cannot be told when its volume was used.',
};
const NO_VALUES: Cause = {
  code: 'no_values',
  message: 'The record has neither a volume nor a cost that is a number.',
};

function ageFault(end: number, now: number, historical: boolean): Cause | undefined {
  if (end > now + NEWEST_POINT) {
    return {
      code: 'point_in_future',
      message: 'The record ends more than ten minutes in the future; Datadog does not take such points.',
    };
  }
  if (historical || end >= now - OLDEST_POINT) return undefined;
  return {
    code: 'point_too_old',
    message:
      'The record ended more than an hour ago; Datadog does not take such points unless Historical Metrics Ingestion ' +
      'is switched on for the metrics endpoint.*. Switch it on, set historical_metrics, and send the record again.',
  };
}

function tag(name: string, value: string | undefined): string | undefined {
  return value === undefined || value === ''
    ? undefined
    : `${name}:${value}`.slice(0, LONGEST_TAG).toWellFormed();
}

/** About how many bytes a measurement is at most in the body, alone in its series. */
export function seriesBytes({ values }: Measurement): number {
  return values.reduce(
    (sum, { tags, metric, value }) => sum + Buffer.byteLength(tags) + metric.length + value.length + 160,
    0,
  );
}

/**
 * The body of a call of the series intake. The intake keeps only the last of several values with the same metric, tags
 * and second, so they are added up here.
 */
export function seriesBody(measurements: readonly Measurement[]): Buffer {
  const series = new Map<string, { first: MetricValue; points: Map<number, Point> }>();
  for (const { timestamp, interval, values } of measurements) {
    for (const value of values) {
      const key = `${value.metric}${value.tags}`;
      let one = series.get(key);
      if (!one) {
        one = { first: value, points: new Map() };
        series.set(key, one);
      }
      const before = one.points.get(timestamp);
      one.points.set(timestamp, {
        interval: Math.max(interval, before?.interval ?? 0),
        value: before ? addDecimals(before.value, value.value) : value.value,
      });
    }
  }
  const parts = [...series.values()].flatMap(({ first, points }) => seriesText(first, points));
  return Buffer.from(`{"series":[${parts.join(',')}]}`);
}

interface Point {
  readonly interval: number;
  readonly value: string;
}

/** The points of one metric and its tags: an interval belongs to a series, so those that share one are together. */
function seriesText({ metric, unit, tags }: MetricValue, points: ReadonlyMap<number, Point>): string[] {
  const byInterval = Map.groupBy(points, ([, { interval }]) => interval);
  return [...byInterval].map(([interval, group]) => {
    const list = group
      .map(([timestamp, { value }]) => `{"timestamp":${timestamp},"value":${value}}`)
      .join(',');
    const unitText = unit ? `"unit":"${unit}",` : '';
    return `{"metric":"${metric}","type":${COUNT},"interval":${interval},${unitText}"tags":${tags},"points":[${list}]}`;
  });
}
