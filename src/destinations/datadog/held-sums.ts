import { addDecimals } from '../../records/fields.ts';
import type { DestinationEnvironment } from '../contract.ts';

/**
 * The points of the last minutes that Datadog already has. Its intake of counts keeps only the last value of a
 * metric, its tags and a second: a second session of a device that ends in the same second would overwrite the first.
 * So every point is sent as the sum of all records that belong to it, those of earlier requests included.
 *
 *  H1  A record counts once, by its id, however often it is sent.
 *  H2  A sum contains only records of accepted requests. A request whose answer was lost is sent again with the same sum.
 *  H3  Memory is bounded: a stream's by time while it delivers, and all of a process by the number of points.
 *  H4  What another process delivered is read from the record log, once for each opening of a destination.
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

/** Sessions of one device that were cut in the same second reach simstream within minutes of each other, ms. */
export const HELD_MS = 15 * 60_000;
/** About 300 bytes each: 60 MB in a process, whatever the number of streams. */
const MOST_POINTS = 200_000;
/** Each record makes two points: that of the volume and that of the cost. */
export const MOST_RECORDS_READ = MOST_POINTS / 2;

/** When records were taken by Datadog, and when they arrived at simstream; ms since the epoch. */
export interface Times {
  readonly now: number;
  readonly arrivedAt: number;
}

interface Entry extends Times {
  readonly of: HeldSums;
  readonly key: string;
  readonly point: HeldPoint;
  dropped: boolean;
}

/** Dropped entries that a queue may have. */
const SPARE = 1_000;

/** Entries, the oldest first. */
class Queue {
  #entries: Entry[] = [];
  #first = 0;

  /** @param left how many entries of the queue are not dropped, this one included */
  push(entry: Entry, left: number): void {
    this.#entries.push(entry);
    // One old entry must not keep all that were dropped behind it.
    if (this.#entries.length < SPARE + 2 * left) return;
    this.#entries = this.#entries.filter(({ dropped }) => !dropped);
    this.#first = 0;
  }

  /** The oldest entry that was not dropped. */
  first(): Entry | undefined {
    while (this.#entries[this.#first]?.dropped) this.#first++;
    return this.#entries[this.#first];
  }
}

/** The points of all streams of a process. */
export class HeldPoints {
  readonly #streams = new Map<string, HeldSums>();
  readonly #all = new Queue();
  readonly #most: number;
  #count = 0;

  constructor(most = MOST_POINTS) {
    this.#most = most;
  }

  ofStream(streamId: string): HeldSums {
    const held = this.#streams.get(streamId) ?? new HeldSums(this);
    this.#streams.set(streamId, held);
    return held;
  }

  keep(entry: Entry): void {
    this.#count++;
    this.#all.push(entry, this.#count);
    if (this.#count > this.#most) this.drop(this.#all.first());
  }

  drop(entry: Entry | undefined): void {
    if (!entry) return;
    entry.dropped = true;
    this.#count--;
    entry.of.forget(entry);
  }
}

/** The points of one stream, by kind of metric and tags. */
export class HeldSums {
  readonly #series = new Map<string, HeldPoint[]>();
  readonly #own = new Queue();
  #count = 0;
  readonly #all: HeldPoints;

  constructor(all = new HeldPoints()) {
    this.#all = all;
  }

  /** Datadog's points of a series, by its kind and tags; undefined: none that could be overwritten. */
  of(key: string): readonly HeldPoint[] | undefined {
    return this.#series.get(key);
  }

  /** Datadog accepted these. */
  take(key: string, contributions: readonly Contribution[], times: Times): void {
    this.#dropOld(times);
    const points = this.#series.get(key) ?? [];
    for (const contribution of contributions) {
      const held = points.find(({ timestamp }) => timestamp === contribution.timestamp);
      const point = held ?? newPoint(contribution);
      add(point, contribution);
      if (held) continue;
      points.push(point);
      // The bound may just have dropped the last one.
      if (points.length === 1) this.#series.set(key, points);
      const entry = { ...times, of: this, key, point, dropped: false };
      this.#own.push(entry, ++this.#count);
      this.#all.keep(entry);
    }
  }

  /** After an outage records go out long after they arrived, and one after another: then their arrival counts. */
  #dropOld({ now, arrivedAt }: Times): void {
    const isOld = (entry: Entry) => entry.now < now - HELD_MS && entry.arrivedAt < arrivedAt - HELD_MS;
    for (let entry = this.#own.first(); entry && isOld(entry); entry = this.#own.first())
      this.#all.drop(entry);
  }

  /** For `HeldPoints` alone. */
  forget({ key, point }: Entry): void {
    this.#count--;
    const points = this.#series.get(key) ?? [];
    points.splice(points.indexOf(point), 1);
    if (points.length === 0) this.#series.delete(key);
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

/** One for all streams of a process, so that a stream that is opened again still knows its earlier points. */
export function heldPointsOf({ variables }: Pick<DestinationEnvironment, 'variables'>): HeldPoints {
  const held = known.get(variables) ?? new HeldPoints();
  known.set(variables, held);
  return held;
}
