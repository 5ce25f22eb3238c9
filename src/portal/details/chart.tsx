import { formatTime, UNKNOWN } from '../lib/format.ts';
import type { Slots } from '../lib/series.ts';

const WIDTH = 480;
const HEIGHT = 120;
const BASE = HEIGHT - 18;
const TOP = 14;

/** Bars over time. What is not known has no bar; what can be seen can also be read, as a table. */
export function Chart({
  label,
  slots: { first, step },
  values,
  format,
  total = false,
  bad = false,
}: {
  readonly label: string;
  readonly slots: Slots;
  readonly values: readonly (number | null)[];
  readonly format: (value: number) => string;
  /** The sum means something. */
  readonly total?: boolean;
  readonly bad?: boolean;
}) {
  const known = values.filter((value) => value !== null);
  const most = Math.max(...known, 0);
  const width = WIDTH / values.length;
  const sum = known.reduce((all, value) => all + value, 0);
  const summary =
    known.length === 0
      ? `${label}: no figures in this time`
      : `${label}: ${total ? `${format(sum)} in all, ` : ''}at most ${format(most)}`;
  const timeOf = (slot: number) => new Date(first + slot * step).toISOString();
  return (
    <figure style={{ margin: 0 }}>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} className="chart" role="img" aria-label={summary}>
        <path d={`M0 ${BASE + 0.5}H${WIDTH}M0 ${TOP}H${WIDTH}`} stroke="var(--portal-line)" fill="none" />
        {values.map((value, slot) => {
          if (value === null || value === 0) return null;
          const height = Math.max(1.5, (value / (most || 1)) * (BASE - TOP));
          return (
            <rect
              // biome-ignore lint/suspicious/noArrayIndexKey: a slot is its place in time
              key={slot}
              x={slot * width + width * 0.1}
              y={BASE - height}
              width={width * 0.8}
              height={height}
              fill={bad ? 'var(--portal-chart-bad)' : 'var(--portal-chart)'}
            >
              <title>{`${formatTime(timeOf(slot))}: ${format(value)}`}</title>
            </rect>
          );
        })}
        <g fontSize="11" fill="var(--mantine-color-dimmed)">
          <text x="0" y={TOP - 4}>
            {known.length === 0 ? UNKNOWN : format(most)}
          </text>
          <text x="0" y={HEIGHT - 4}>
            {shortTime(first, step)}
          </text>
          <text x={WIDTH} y={HEIGHT - 4} textAnchor="end">
            now
          </text>
        </g>
      </svg>
      <figcaption style={{ fontSize: 12 }}>
        <details>
          <summary>{summary}</summary>
          <table>
            <thead>
              <tr>
                <th scope="col">From</th>
                <th scope="col">{label}</th>
              </tr>
            </thead>
            <tbody>
              {values.map((value, slot) =>
                value === null ? null : (
                  <tr key={timeOf(slot)}>
                    <td>{formatTime(timeOf(slot))}</td>
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

function shortTime(time: number, step: number): string {
  const options: Intl.DateTimeFormatOptions =
    step >= 3_600_000 ? { day: '2-digit', month: 'short' } : { hour: '2-digit', minute: '2-digit' };
  return new Intl.DateTimeFormat('en-GB', options).format(time);
}
