import { Group, Paper, SegmentedControl, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { api, read } from '../lib/api.ts';
import { formatCount, formatDuration } from '../lib/format.ts';
import { usePolling } from '../lib/polling.ts';
import { type Bucket, causesOf, type Range, type Slots, slotsOf } from '../lib/series.ts';
import { Failed, Loading } from '../parts/show.tsx';
import { Chart } from './chart.tsx';

const RANGES = [
  { value: '1h', label: '1 h' },
  { value: '24h', label: '24 h' },
  { value: '7d', label: '7 d' },
];

export function Charts({ id }: { readonly id: string }) {
  const [range, setRange] = useState<Range>('1h');
  const series = usePolling(
    `series ${id} ${range}`,
    () => read(api.GET('/api/v2/data_stream/{id}/series', { params: { path: { id }, query: { range } } })),
    5000,
  );
  return (
    <section aria-label="Charts">
      <Group justify="space-between" mb="sm">
        <Title order={2} size="h4">
          Activity
        </Title>
        <SegmentedControl
          aria-label="Range of the charts"
          size="xs"
          data={RANGES}
          value={range}
          onChange={(value) => setRange(value as Range)}
        />
      </Group>
      {series.data ? (
        <Four slots={slotsOf(series.data, range, Date.now())} />
      ) : series.problem ? (
        <Failed problem={series.problem} retry={() => void series.reload()} />
      ) : (
        <Loading what="charts" />
      )}
    </section>
  );
}

function Four({ slots }: { readonly slots: Slots }) {
  const of = (read: (bucket: Bucket) => number | null) =>
    slots.slots.map((bucket) => (bucket === undefined ? null : read(bucket)));
  const causes = causesOf(slots.slots);
  return (
    <div className="charts">
      <Panel title="Delivered records">
        <Chart
          label="Delivered"
          slots={slots}
          values={of((bucket) => bucket.delivered)}
          format={formatCount}
          total
        />
      </Panel>
      <Panel title="Pending records">
        <Chart label="Pending" slots={slots} values={of((bucket) => bucket.pending)} format={formatCount} />
      </Panel>
      <Panel title="Failed attempts">
        <Chart
          label="Failed"
          slots={slots}
          values={of((bucket) => bucket.failures)}
          format={formatCount}
          total
          bad
        />
        <Text size="xs" c="dimmed" className="wrap">
          {causes.length === 0
            ? 'No failures'
            : `By cause: ${causes.map(([cause, count]) => `${cause} ${formatCount(count)}`).join(', ')}`}
        </Text>
      </Panel>
      <Panel title="Latency, arrival to delivery">
        <Chart
          label="Mean latency"
          slots={slots}
          values={of((bucket) => bucket.latency_avg_ms)}
          format={formatDuration}
        />
      </Panel>
    </div>
  );
}

function Panel({ title, children }: { readonly title: string; readonly children: React.ReactNode }) {
  return (
    <Paper withBorder p="md">
      <Title order={3} size="h5" mb="xs">
        {title}
      </Title>
      {children}
    </Paper>
  );
}
