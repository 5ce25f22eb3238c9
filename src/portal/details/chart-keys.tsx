import { useRef, useState } from 'react';
import { describeReading, type Reading, readingAt } from '../lib/chart.ts';
import { rangeBetween, type TimeRange } from '../lib/replays.ts';
import type { Slots } from '../lib/series.ts';

/**
 * Reads the chart with the arrow keys, one slot after another. With Shift they mark a range, from the slot at which Shift was
 * pressed first. It is invisible until it has the focus of the keyboard.
 */
export function ChartKeys({
  label,
  slots,
  values,
  format,
  mark,
  setReading,
}: {
  readonly label: string;
  readonly slots: Pick<Slots, 'first' | 'step'>;
  readonly values: readonly (number | null)[];
  readonly format: (value: number) => string;
  readonly mark?: ((range: TimeRange) => void) | undefined;
  readonly setReading: (reading: Reading | undefined) => void;
}) {
  const last = values.length - 1;
  const [chosen, setChosen] = useState<number>();
  const anchor = useRef<number>(undefined);
  const slot = Math.min(chosen ?? last, last);
  const reading = readingAt(slots, values, slot);
  const goTo = (next: number) => {
    setChosen(next);
    setReading(readingAt(slots, values, next));
  };
  if (last < 0) return null;
  return (
    <input
      type="range"
      className="by-keys"
      aria-label={`Read: ${label}${mark ? '. Shift and the arrow keys mark a range' : ''}`}
      aria-valuetext={reading && describeReading(reading, format)}
      min={0}
      max={last}
      value={slot}
      onChange={(event) => goTo(Number(event.currentTarget.value))}
      onFocus={() => goTo(slot)}
      onBlur={() => setReading(undefined)}
      onKeyDown={(event) => {
        const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!event.shiftKey) anchor.current = undefined;
        if (!mark || !event.shiftKey || way === undefined) return;
        event.preventDefault();
        anchor.current ??= slot;
        const next = Math.min(last, Math.max(0, slot + way));
        goTo(next);
        mark(rangeBetween(slots, [anchor.current, next], Date.now()));
      }}
    />
  );
}
