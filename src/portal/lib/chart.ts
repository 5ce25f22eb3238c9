import { formatTime } from './format.ts';

/** The value of a chart in one slot of time, and its text. */
export interface Reading {
  readonly from: number;
  readonly to: number;
  readonly value: number | null;
}

/** The slot at a place of the time axis; undefined outside of it. */
export function readingAt(
  { first, step }: { readonly first: number; readonly step: number },
  values: readonly (number | null)[],
  slot: number | null | undefined,
): Reading | undefined {
  if (slot === null || slot === undefined || slot < 0 || slot >= values.length) return undefined;
  const from = first + slot * step;
  return { from, to: from + step, value: values[slot] ?? null };
}

/** A reading for people, in their zone. @param format a figure with its unit */
export function describeReading({ from, to, value }: Reading, format: (value: number) => string): string {
  const time = (at: number) => formatTime(new Date(at).toISOString());
  return `${time(from)} to ${time(to).slice(-8)}: ${value === null ? 'no figure' : format(value)}`;
}

/** How long a slot is, in words that follow a figure: `per minute`. */
export function perSlot(step: number): string {
  const minutes = Math.round(step / 60_000);
  if (minutes === 1) return 'per minute';
  return minutes === 60 ? 'per hour' : `per ${minutes} minutes`;
}
