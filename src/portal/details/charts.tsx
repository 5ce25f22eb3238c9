import { Group, Paper, SegmentedControl, Text, Title } from '@mantine/core';
import { type ReactNode, useMemo, useState } from 'react';
import { api, read } from '../lib/api.ts';
import { perSlot } from '../lib/chart.ts';
import { formatCompact, formatCount, formatDuration } from '../lib/format.ts';
import { useRead } from '../lib/query.ts';
import type { TimeRange } from '../lib/replays.ts';
import { type Bucket, causesOf, type Range, type Slots, slotsOf } from '../lib/series.ts';
import { Failed, Loading } from '../parts/show.tsx';
import { Chart } from './chart.tsx';

const RANGES = [
  { value: '1h', label: '1 h' },
  { value: '24h', label: '24 h' },
  { value: '7d', label: '7 d' },
];

interface Marking {
  /** A range of the delivered records may be marked. */
  readonly mark: ((range: TimeRange) => void) | undefined;
  readonly marked: TimeRange | undefined;
}

export function Charts({
  id,
  action,
  children,
  ...marking
}: Marking & {
  readonly id: string;
  /** A button beside the title. */
  readonly action: ReactNode;
  /** Above the charts. */
  readonly children: ReactNode;
}) {
  const [range, setRange] = useState<Range>('1h');
  const params = { path: { id }, query: { range } };
  const series = useRead(
    ['series', id, range],
    (signal) => read(api.GET('/api/v2/data_stream/{id}/series', { params, signal })),
    5000,
  );
  const slots = useMemo(() => series.data && slotsOf(series.data, range, Date.now()), [series.data, range]);
  return (
    <section aria-label="Charts">
      <Group justify="space-between" mb="sm">
        <Title order={2} size="h4">
          Activity
        </Title>
        <Group gap="xs">
          {action}
          <SegmentedControl
            aria-label="Range of the charts"
            size="xs"
            data={RANGES}
            value={range}
            onChange={(value) => setRange(value as Range)}
          />
        </Group>
      </Group>
      {children}
      {slots ? (
        <Four slots={slots} {...marking} />
      ) : series.problem ? (
        <Failed problem={series.problem} retry={() => void series.reload()} />
      ) : (
        <Loading what="charts" retry={series.reload} />
      )}
    </section>
  );
}

/** Counts have no halves. */
const WHOLE = [1, 2, 5]
  .flatMap((digit) => Array.from({ length: 13 }, (_, power) => digit * 10 ** power))
  .sort((a, b) => a - b);
/** Milliseconds at which a time reads well: 1, 2, 5 up to a second, then as clocks count. */
const TIMES = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400].map(
    (s) => s * 1000,
  ),
];

function Four({ slots, ...marking }: Marking & { readonly slots: Slots }) {
  const figures = useMemo(() => {
    const of = (read: (bucket: Bucket) => number | null) =>
      slots.slots.map((bucket) => (bucket === undefined ? null : read(bucket)));
    return {
      delivered: of((bucket) => bucket.delivered),
      pending: of((bucket) => bucket.pending),
      failures: of((bucket) => bucket.failures),
      latency: of((bucket) => bucket.latency_avg_ms),
    };
  }, [slots]);
  const causes = causesOf(slots.slots);
  const per = perSlot(slots.step);
  const counts = { slots, format: formatCount, formatAxis: formatCompact, increments: WHOLE };
  return (
    <div className="charts">
      <Panel title={`Delivered records ${per}`}>
        <Chart {...counts} label="Delivered" values={figures.delivered} shape="bars" total {...marking} />
      </Panel>
      <Panel title="Pending records">
        <Chart {...counts} label="Pending" values={figures.pending} shape="bars" />
      </Panel>
      <Panel title={`Failed attempts ${per}`}>
        <Chart {...counts} label="Failed" values={figures.failures} shape="bars" total bad />
        <Text size="xs" c="dimmed" className="wrap">
          {causes.length === 0
            ? 'No failures'
            : `By cause: ${causes.map(([cause, count]) => `${cause} ${formatCount(count)}`).join(', ')}`}
        </Text>
      </Panel>
      <Panel title="Mean time from arrival to delivery">
        <Chart
          slots={slots}
          label="Mean latency"
          values={figures.latency}
          format={formatDuration}
          formatAxis={(value) => (value === 0 ? '0' : formatDuration(value))}
          increments={TIMES}
          shape="bars"
        />
      </Panel>
    </div>
  );
}

function Panel({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <Paper withBorder p="md" miw={0}>
      <Title order={3} size="h5" mb="xs">
        {title}
      </Title>
      {children}
    </Paper>
  );
}
