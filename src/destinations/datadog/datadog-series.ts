import { bytesOf } from '../byte-text.ts';
import {
  add,
  type Contribution,
  type HeldPoint,
  type HeldSums,
  newPoint,
  type Times,
  type Value,
} from './held-sums.ts';
import type { Measurement } from './measurement.ts';

/** Datadog's number of the metric type whose values are summed over time. */
const COUNT = 1;

/** About how many bytes a measurement is at most in the body, alone in its series. */
export function seriesBytes({ tags, costTags, total, tx, rx, cost }: Measurement): number {
  let bytes = 0;
  for (const value of [total, tx, rx]) if (value !== undefined) bytes += tags.length + value.length + AROUND;
  return cost === undefined ? bytes : bytes + costTags.length + cost.length + AROUND;
}

/** The text around tags and value of a point that is alone in its series, with its numbers. */
const AROUND = 180;

/** Measurements that may share series, because their tags are the same. */
interface Group {
  readonly of: keyof typeof METRICS;
  readonly tags: string;
  readonly first: Measurement;
  /** Those behind the first; most groups have none. */
  more: Measurement[] | undefined;
}

/** The metrics of each kind of group: the beginning of the series' text, and whose values they are. */
const METRICS = {
  volume: metrics({ total: 'endpoint.volume', tx: 'endpoint.volume_tx', rx: 'endpoint.volume_rx' }),
  sms: metrics({ total: 'endpoint.sms', tx: 'endpoint.sms_tx', rx: 'endpoint.sms_rx' }),
  cost: metrics({ cost: 'endpoint.cost' }),
} as const;
const UNITS = { volume: '"unit":"megabyte",', sms: '"unit":"message",', cost: '' } as const;

function metrics(names: Partial<Record<Value, string>>): { value: Value; head: string }[] {
  return Object.entries(names).map(([value, metric]) => ({
    value: value as Value,
    head: `{"metric":"${metric}","type":${COUNT},"interval":`,
  }));
}

/** A call of the series intake. */
interface SeriesCall {
  readonly body: Buffer;
  /** Call once Datadog has accepted it. */
  taken(times: Times): void;
}

/**
 * Makes a call of the series intake. The intake keeps only the last of several values with the same metric, tags and
 * second. So each value is the sum of all records that belong to it: those of this call, and those of earlier calls.
 * @param held what earlier calls sent
 */
export function seriesCall(measurements: readonly Measurement[], held: HeldSums): SeriesCall {
  const groups = groupsOf(measurements);
  return {
    body: bodyOf(groups, held),
    taken: (times) => holdGroups(groups, held, times),
  };
}

/** Datadog has these from an earlier process. */
export function holdMeasurements(measurements: readonly Measurement[], held: HeldSums, times: Times): void {
  holdGroups(groupsOf(measurements), held, times);
}

function holdGroups(groups: readonly Group[], held: HeldSums, times: Times): void {
  for (const group of groups) held.take(keyOf(group), contributionsOf(group), times);
}

function groupsOf(measurements: readonly Measurement[]): Group[] {
  const groups: Group[] = [];
  const known = {
    volume: new Map<string, Group>(),
    sms: new Map<string, Group>(),
    cost: new Map<string, Group>(),
  };
  const put = (of: Group['of'], tags: string, measurement: Measurement) => {
    const group = known[of].get(tags);
    if (!group) {
      const made: Group = { of, tags, first: measurement, more: undefined };
      known[of].set(tags, made);
      groups.push(made);
    } else if (group.more) group.more.push(measurement);
    else group.more = [measurement];
  };
  for (const measurement of measurements) {
    const { total, tx, rx, cost, tags, costTags, sms } = measurement;
    if ((total ?? tx ?? rx) !== undefined) put(sms ? 'sms' : 'volume', tags, measurement);
    if (cost !== undefined) put('cost', costTags, measurement);
  }
  return groups;
}

function keyOf({ of, tags }: Group): string {
  return `${of} ${tags}`;
}

function bodyOf(groups: readonly Group[], held: HeldSums): Buffer {
  const parts: Buffer[] = [];
  let text = '{"series":[';
  for (const [index, group] of groups.entries()) {
    const before = held.of(keyOf(group));
    const series = group.more || before ? sharedSeries(group, before) : ownSeries(group);
    text += index > 0 ? series : series.slice(1);
    if (text.length < PIECE) continue;
    parts.push(bytesOf(text));
    text = '';
  }
  parts.push(bytesOf(`${text}]}`));
  return Buffer.concat(parts);
}

/** Text becomes bytes in pieces of about this many characters, so that its source strings can soon be collected. */
const PIECE = 8_192;

/** The series of a measurement that shares them with none, each with a comma before it. */
function ownSeries({ of, tags, first }: Group): string {
  const middle = `${first.interval},${UNITS[of]}"tags":[${tags}],"points":[{"timestamp":${first.timestamp},"value":`;
  let text = '';
  for (const { value, head } of METRICS[of]) {
    const literal = first[value];
    if (literal !== undefined) text += `,${head}${middle}${literal}}]}`;
  }
  return text;
}

/** The series of several records: an interval belongs to a series, so the points that share one are together. */
function sharedSeries(group: Group, before: readonly HeldPoint[] | undefined): string {
  const { of, tags } = group;
  const points = new Map<number, HeldPoint>();
  for (const contribution of contributionsOf(group)) {
    const { timestamp } = contribution;
    const point = points.get(timestamp) ?? copyOf(before, timestamp) ?? newPoint(contribution);
    points.set(timestamp, point);
    add(point, contribution);
  }
  let text = '';
  for (const { value, head } of METRICS[of]) {
    const wanted = [...points.values()].filter(({ values }) => values[value] !== undefined);
    for (const [interval, some] of Map.groupBy(wanted, (point) => point.interval)) {
      const list = some.map(({ timestamp, values }) => `{"timestamp":${timestamp},"value":${values[value]}}`);
      text += `,${head}${interval},${UNITS[of]}"tags":[${tags}],"points":[${list.join(',')}]}`;
    }
  }
  return text;
}

function copyOf(held: readonly HeldPoint[] | undefined, timestamp: number): HeldPoint | undefined {
  const point = held?.find((one) => one.timestamp === timestamp);
  return point && { ...point, ids: [...point.ids], values: { ...point.values } };
}

/** The values of a group's records. If a record appears twice, the last one counts, as it would in two calls. */
function contributionsOf({ of, first, more }: Group): readonly Contribution[] {
  const all = more ? lastOfEach([first, ...more]) : [first];
  if (of === 'cost')
    return all.map(({ id, timestamp, interval, cost }) => ({ id, timestamp, interval, cost }));
  return all.map(({ id, timestamp, interval, total, tx, rx }) => ({
    id,
    timestamp,
    interval,
    total,
    tx,
    rx,
  }));
}

/** The measurements without those that a later one of the same record replaces. */
function lastOfEach(measurements: readonly Measurement[]): readonly Measurement[] {
  const kept = new Map<unknown, Measurement>();
  for (const measurement of measurements) kept.set(measurement.id ?? measurement, measurement);
  return [...kept.values()];
}
