import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { describeReading, type Reading, readingAt } from '../lib/chart.ts';
import { formatTick, formatTime } from '../lib/format.ts';
import { rangeOfSlots, type TimeRange } from '../lib/replays.ts';
import type { Slots } from '../lib/series.ts';
import { ChartKeys } from './chart-keys.tsx';
import { followTouch } from './chart-touch.ts';

const HEIGHT = 170;
/** Of an axis of numbers: room for seven letters, 99.9K for example. */
const AXIS = 56;

interface ChartProps {
  readonly label: string;
  readonly slots: Pick<Slots, 'first' | 'step'>;
  readonly values: readonly (number | null)[];
  /** A figure with its unit, if there is room. */
  readonly format: (value: number) => string;
  /** A figure beside the axis. */
  readonly formatAxis: (value: number) => string;
  /** Steps that the axis may have; by default those of uPlot. */
  readonly increments?: number[];
  readonly shape: 'bars' | 'line';
  /** The sum means something. */
  readonly total?: boolean;
  readonly bad?: boolean;
  /** A range may be marked: with the mouse, with the keyboard, and with a finger once something is marked. */
  readonly mark?: ((range: TimeRange) => void) | undefined;
  /** The range that is marked. */
  readonly marked?: TimeRange | undefined;
}

/** A figure over time. Unknown values are gaps. A table holds all that the drawing shows. */
export function Chart(props: ChartProps) {
  const { label, slots, values, format, total = false } = props;
  const [reading, setReading] = useState<Reading>();
  const known = values.filter((value) => value !== null);
  const most = Math.max(...known, 0);
  const sum = known.reduce((all, value) => all + value, 0);
  const summary =
    known.length === 0
      ? `${label}: no figures in this time`
      : `${label}: ${total ? `${format(sum)} in all, ` : ''}at most ${format(most)}`;
  const end = (slot: number) => slots.first + (slot + 1) * slots.step;
  return (
    <figure style={{ margin: 0 }}>
      <div role="img" aria-label={summary}>
        <Plot {...props} read={setReading} />
      </div>
      <ChartKeys {...props} setReading={setReading} />
      <div className="reading" aria-hidden="true">
        {reading ? describeReading(reading, format) : 'Point at the chart, or touch it, to read a figure.'}
      </div>
      <figcaption style={{ fontSize: 12 }}>
        <details>
          <summary>{summary}</summary>
          <table className="figures">
            <thead>
              <tr>
                <th scope="col">Until</th>
                <th scope="col">{label}</th>
              </tr>
            </thead>
            <tbody>
              {values.map((value, slot) =>
                value === null ? null : (
                  <tr key={end(slot)}>
                    <td>{formatTime(iso(end(slot)))}</td>
                    <td style={{ textAlign: 'right' }}>{format(value)}</td>
                  </tr>
                ),
              )}
            </tbody>
          </table>
        </details>
      </figcaption>
    </figure>
  );
}

const iso = (time: number) => new Date(time).toISOString();

/** The drawing: uPlot, which draws again only when figures, width or colours change. */
function Plot({
  slots,
  values,
  read,
  marked,
  ...rest
}: ChartProps & { readonly read: (reading: Reading | undefined) => void }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const scheme = useComputedColorScheme('light');
  const canMark = rest.mark !== undefined;
  const latest = useRef({ slots, values, rest, read, marked });
  latest.current = { slots, values, rest, read, marked };

  // biome-ignore lint/correctness/useExhaustiveDependencies: colours are read from the page, and change with the scheme
  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    const options = optionsOf(element, latest.current.rest, latest.current.slots.step, {
      pointed: (slot) => {
        const { slots, values, read } = latest.current;
        read(readingAt(slots, values, slot));
      },
      mark: (from, until) => {
        const { rest, slots } = latest.current;
        rest.mark?.(rangeOfSlots(slots, { from, until }, Date.now()));
      },
    });
    const drawn = new uPlot(options, dataOf(latest.current.slots, latest.current.values), element);
    plot.current = drawn;
    // A finger reads the chart. Once the form for a range is open, it marks one.
    const stopTouch = followTouch(
      drawn,
      () => latest.current.rest.mark !== undefined && latest.current.marked !== undefined,
    );
    const observer = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      stopTouch();
      drawn.destroy();
      plot.current = undefined;
    };
  }, [scheme, slots.step, canMark]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new drawing has no mark yet
  useEffect(() => {
    plot.current?.setData(dataOf(slots, values));
    if (plot.current) showMark(plot.current, marked, slots.first);
  }, [slots, values, marked, scheme, canMark]);
  return <div ref={place} style={{ height: HEIGHT }} />;
}

const dataOf = (
  { first, step }: Pick<Slots, 'first' | 'step'>,
  values: readonly (number | null)[],
): uPlot.AlignedData => [values.map((_, slot) => first + slot * step), [...values]];

function optionsOf(
  element: HTMLElement,
  {
    formatAxis,
    increments,
    shape,
    bad = false,
    mark,
  }: Pick<ChartProps, 'formatAxis' | 'increments' | 'shape' | 'bad' | 'mark'>,
  step: number,
  events: {
    pointed(slot: number | null | undefined): void;
    mark(from: number, until: number): void;
  },
): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const forced = window.matchMedia('(forced-colors: active)').matches;
  // The system's grey may be a loud colour: thin dots of its text colour stay behind the figures.
  const line = forced ? 'CanvasText' : colour('--portal-line');
  const text = forced ? 'CanvasText' : colour('--mantine-color-dimmed');
  const ink = forced ? 'Highlight' : colour(bad ? '--portal-chart-bad' : '--portal-chart');
  const axis: uPlot.Axis = {
    stroke: text,
    grid: { stroke: line, width: 1, ...(forced ? { dash: [1, 5] } : {}) },
    ticks: { stroke: line, width: 1, size: 4 },
    font: `12px ${style.fontFamily}`,
  };
  const bars = uPlot.paths.bars?.({ size: [0.8, 40], align: 1 });
  return {
    width: element.clientWidth,
    height: HEIGHT,
    ms: 1,
    legend: { show: false },
    cursor: {
      y: false,
      // A click is not a range.
      drag: { x: mark !== undefined, y: false, setScale: false, dist: 4 },
      points: { show: shape === 'line' },
    },
    scales: {
      // The last bar begins at the last time, and is as long as a step.
      x: { time: true, range: (_, min, max) => [min, max + step] },
      // From zero, so that bars compare; and a chart of nothing has an axis too.
      y: { range: (_, __, max) => [0, max > 0 ? max * 1.05 : 1] },
    },
    axes: [
      { ...axis, space: 60, values: (_, splits) => splits.map((at) => formatTick(at, step)) },
      {
        ...axis,
        size: AXIS,
        ...(increments ? { incrs: increments } : {}),
        values: (_, splits) => splits.map((value) => formatAxis(value)),
      },
    ],
    series: [
      {},
      {
        stroke: ink,
        ...(shape === 'bars' ? { fill: ink, width: 0, points: { show: false } } : { width: 2 }),
        ...(shape === 'bars' && bars ? { paths: bars } : {}),
      },
    ],
    hooks: {
      setCursor: [({ cursor }) => events.pointed(cursor.idx)],
      setSelect: [
        (drawn) => {
          const { left, width } = drawn.select;
          if (width > 0) events.mark(drawn.posToVal(left, 'x'), drawn.posToVal(left + width, 'x'));
        },
      ],
    },
  };
}

/** Shows the marked range, as far as it lies in the chart. */
function showMark(drawn: uPlot, marked: TimeRange | undefined, first: number): void {
  const { width = 0, height = 0 } = drawn.over.getBoundingClientRect();
  const place = (at: string, otherwise: number) => {
    const time = at === '' ? otherwise : Date.parse(at);
    return Math.min(width, Math.max(0, drawn.valToPos(time, 'x')));
  };
  const left = marked ? place(marked.from, first) : 0;
  const right = marked ? place(marked.until, Number.MAX_SAFE_INTEGER) : 0;
  // Nothing marked has no borders either.
  const length = right - left;
  drawn.setSelect({ left, width: length, top: 0, height: length > 0 ? height : 0 }, false);
}
