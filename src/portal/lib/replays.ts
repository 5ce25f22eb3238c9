import type { components } from '../generated/api.ts';
import { type Choice, toFilters } from './filters.ts';

export type Replay = components['schemas']['Replay'];
type CreateReplay = components['schemas']['CreateReplay'];
export type PatchReplay = components['schemas']['PatchReplay'];

/** Records a second: the greatest that the API takes. */
export const MOST_PACE = 1_000_000;

/** A range of times of arrival, ISO 8601 in UTC; an empty `from` is the oldest kept record, an empty `until` is now. */
export interface TimeRange {
  readonly from: string;
  readonly until: string;
}

/** The form of a replay. */
export interface ReplayDraft extends TimeRange {
  /** Records a second at most; empty: as fast as the destination takes them. */
  readonly pace: number | string;
  readonly choice: Choice;
}

/** The node checks its `filters` and counts by them; the form checks only that they are complete. */
export function replayBody({ from, until, pace, choice }: ReplayDraft): CreateReplay {
  const filters = toFilters(choice) as NonNullable<CreateReplay['filters']>;
  return {
    from: from === '' ? 'earliest' : from,
    ...(until === '' ? {} : { until }),
    ...(filters.length === 0 ? {} : { filters }),
    ...(pace === '' ? {} : { max_records_per_second: Number(pace) }),
  };
}

/** Of a replay's status; the others are those of a data stream. */
export const FINISHED = 5;

/** The records of a replay's range that are settled, and all of them as far as the node has counted. */
export function replayProgress({ progress }: Pick<Replay, 'progress'>): {
  readonly done: number;
  readonly all: number;
} {
  const { delivered, filtered, quarantined, expired, pending } = progress;
  const done = delivered + filtered + quarantined + expired;
  return { done, all: done + pending };
}

/**
 * The slots of a chart that a marked range touches, from the beginning of the first to the end of the last. The end of the
 * chart is now: nobody can mark the last second of it.
 * @param marked milliseconds since the epoch, as `now`
 */
export function rangeOfSlots(
  { step }: { readonly step: number },
  marked: { readonly from: number; readonly until: number },
  now: number,
): TimeRange {
  const from = Math.floor(marked.from / step) * step;
  const until = Math.max(Math.ceil(marked.until / step) * step, from + step);
  return {
    from: new Date(from).toISOString(),
    until: until > now - step / 2 ? '' : new Date(until).toISOString(),
  };
}

/** The range from one slot to another one, both included, whichever comes first. */
export function rangeBetween(
  { first, step }: { readonly first: number; readonly step: number },
  [one, other]: readonly [number, number],
  now: number,
): TimeRange {
  const from = first + Math.min(one, other) * step;
  return rangeOfSlots({ step }, { from, until: first + (Math.max(one, other) + 1) * step }, now);
}

/** The last `seconds` before `now`. */
export function lastRange(seconds: number, now: number): TimeRange {
  return { from: new Date(now - seconds * 1000).toISOString(), until: '' };
}
