import type { paths } from '../generated/api.ts';

type Series =
  paths['/api/v2/data_stream/{id}/series']['get']['responses'][200]['content']['application/json'];
export type Bucket = Series['buckets'][number];
/** A series of which only the delivered records are known. */
export type Delivered =
  paths['/api/v2/data_stream/series']['get']['responses'][200]['content']['application/json'] extends {
    readonly streams: readonly (infer S)[];
  }
    ? { readonly step_seconds: number; readonly buckets: S extends { buckets: infer B } ? B : never }
    : never;
export type Range = '1h' | '24h' | '7d';

const LENGTHS: Readonly<Record<Range, number>> = { '1h': 3_600_000, '24h': 86_400_000, '7d': 604_800_000 };

export interface Slots<B = Bucket> {
  /** Start of the first slot, ms since the epoch. */
  readonly first: number;
  /** Milliseconds of a slot. */
  readonly step: number;
  /** The bucket of the slot, undefined if nothing happened; the last slot is the present one. */
  readonly slots: readonly (B | undefined)[];
}

/** The buckets of a series in evenly spaced slots up to now: a chart's time axis. */
export function slotsOf<B extends { readonly at: string }>(
  { step_seconds, buckets }: { readonly step_seconds: number; readonly buckets: readonly B[] },
  range: Range,
  now: number,
): Slots<B> {
  const step = step_seconds * 1000;
  const count = Math.round(LENGTHS[range] / step);
  const last = Math.floor(now / step);
  const slots = new Array<B | undefined>(count).fill(undefined);
  for (const bucket of buckets) {
    const place = Math.floor(Date.parse(bucket.at) / step) - last + count - 1;
    if (place >= 0 && place < count) slots[place] = bucket;
  }
  return { first: (last - count + 1) * step, step, slots };
}

/** Failures by cause, the most frequent first. */
export function causesOf(slots: Slots['slots']): [string, number][] {
  const causes = new Map<string, number>();
  for (const slot of slots) {
    for (const [cause, count] of Object.entries(slot?.causes ?? {})) {
      causes.set(cause, (causes.get(cause) ?? 0) + count);
    }
  }
  return [...causes].sort(([, a], [, b]) => b - a);
}
