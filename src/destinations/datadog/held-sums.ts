import { addDecimals } from '../../records/fields.ts';
import type { DestinationEnvironment } from '../contract.ts';

/**
 * What Datadog already has of the last minutes. Its intake of counts keeps only the last value of a metric, its tags and a
 * second: a second session of a device that ends in the same second would overwrite the first. So every point is sent as
 * the sum of all records that belong to it, those of earlier requests included.
 *
 *  H1  A record counts once, by its id, however often it is sent.
 *  H2  A sum contains only records of accepted requests. A request whose answer was lost is sent again with the same sum.
 *  H3  Memory is bounded: by time, and by the number of points of a process.
 */
export type Value = 'total' | 'tx' | 'rx' | 'cost';

/** The sum of the records in one point, for each metric of a kind. */
export interface HeldPoint {
  /** Seconds since the epoch. */
  readonly timestamp: number;
  /** Seconds: of the longest slice. */
  interval: number;
  readonly ids: string[];
  /** Literals in plain notation. */
  readonly values: { [value in Value]?: string };
}

/** The values that a record adds to a point. */
export interface Contribution {
  readonly id: string | undefined;
  readonly timestamp: number;
  readonly interval: number;
  readonly total?: string | undefined;
  readonly tx?: string | undefined;
  readonly rx?: string | undefined;
  readonly cost?: string | undefined;
}

/** Sessions of one device that were cut in the same second reach simstream within minutes of each other. */
const HELD_MS = 15 * 60_000;
/** About 300 bytes each: 60 MB in a process, whatever the number of streams. */
const MOST_POINTS = 200_000;

interface Entry {
  readonly series: Map<string, HeldPoint[]>;
  readonly key: string;
  readonly point: HeldPoint;
  readonly at: number;
}

/** The points of all streams of a process. */
export class HeldPoints {
  readonly #streams = new Map<string, HeldSums>();
  /** Ordered by age; the points before `#first` were removed. */
  #queue: Entry[] = [];
  #first = 0;
  readonly #most: number;

  constructor(most = MOST_POINTS) {
    this.#most = most;
  }

  ofStream(streamId: string): HeldSums {
    const held = this.#streams.get(streamId) ?? new HeldSums((entry) => this.#keep(entry));
    this.#streams.set(streamId, held);
    return held;
  }

  #keep(entry: Entry): void {
    this.#queue.push(entry);
    while (this.#queue.length - this.#first > this.#most || this.#isOld(entry.at)) this.#dropFirst();
    if (this.#first < this.#queue.length / 2) return;
    this.#queue = this.#queue.slice(this.#first);
    this.#first = 0;
  }

  #isOld(now: number): boolean {
    const [oldest] = this.#queue.slice(this.#first, this.#first + 1);
    return oldest !== undefined && oldest.at < now - HELD_MS;
  }

  #dropFirst(): void {
    const { series, key, point } = this.#queue[this.#first++] as Entry;
    const left = series.get(key)?.filter((one) => one !== point) ?? [];
    if (left.length > 0) series.set(key, left);
    else series.delete(key);
  }
}

/** The points of one stream, by kind of metric and tags. */
export class HeldSums {
  readonly #series = new Map<string, HeldPoint[]>();
  readonly #keep: (entry: Entry) => void;

  constructor(keep: (entry: Entry) => void = () => {}) {
    this.#keep = keep;
  }

  /** Datadog's points of a series, by its kind and tags; undefined: none that could be overwritten. */
  of(key: string): readonly HeldPoint[] | undefined {
    return this.#series.get(key);
  }

  /** Datadog accepted these. @param now milliseconds since the epoch */
  take(key: string, contributions: readonly Contribution[], now: number): void {
    const points = this.#series.get(key) ?? [];
    if (points.length === 0) this.#series.set(key, points);
    for (const contribution of contributions) {
      const held = points.find(({ timestamp }) => timestamp === contribution.timestamp);
      const point = held ?? newPoint(contribution);
      add(point, contribution);
      if (held) continue;
      points.push(point);
      this.#keep({ series: this.#series, key, point, at: now });
    }
  }
}

export function newPoint({ timestamp, interval }: Contribution): HeldPoint {
  return { timestamp, interval, ids: [], values: {} };
}

/** Adds a record to a point, unless it is part of it already (H1). */
export function add(point: HeldPoint, contribution: Contribution): void {
  const { id, interval } = contribution;
  if (id !== undefined) {
    if (point.ids.includes(id)) return;
    point.ids.push(id);
  }
  point.interval = Math.max(point.interval, interval);
  for (const value of VALUES) {
    const literal = contribution[value];
    const before = point.values[value];
    if (literal !== undefined) point.values[value] = before ? addDecimals(before, literal) : literal;
  }
}

const VALUES: readonly Value[] = ['total', 'tx', 'rx', 'cost'];

const known = new WeakMap<DestinationEnvironment['variables'], HeldPoints>();

/** One for all streams of a process, so that a stream that is opened again still knows what it sent. */
export function heldPointsOf({ variables }: Pick<DestinationEnvironment, 'variables'>): HeldPoints {
  const held = known.get(variables) ?? new HeldPoints();
  known.set(variables, held);
  return held;
}
