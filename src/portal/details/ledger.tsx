import { Alert, Button, Group, SegmentedControl, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { api, type DataStream, read } from '../lib/api.ts';
import { download } from '../lib/download.ts';
import { formatCount, formatTick, formatUtc } from '../lib/format.ts';
import { formatJson } from '../lib/json.ts';
import {
  daysOf,
  explainLedger,
  type LedgerDay,
  type LedgerHour,
  type LedgerSum,
  sumOf,
} from '../lib/ledger.ts';
import { notifyFailure } from '../lib/notices.ts';
import { useRead } from '../lib/query.ts';
import { streamName } from '../lib/streams.ts';
import { DataTable } from '../parts/data-table.tsx';
import { Reading } from '../parts/reading.tsx';

const REFRESH = 10_000;
const RANGES = [
  { value: '1', label: '24 h' },
  { value: '7', label: '7 d' },
  { value: '90', label: '90 d' },
];
const DAY = 86_400_000;
const PATH = '/api/v2/data_stream/{id}/ledger';

/** The fate of every record, by day and hour of its arrival; with exact sums, to compare with a receiver's own. */
export function Ledger({ stream }: { readonly stream: DataStream }) {
  const { id } = stream;
  const [days, setDays] = useState('7');
  const [busy, setBusy] = useState(false);
  const queryOf = () => ({ from: new Date(Date.now() - Number(days) * DAY).toISOString() });
  const ledger = useRead(
    ['ledger', id, days],
    // As JSON, which is what a call without another wish gets.
    async (signal) =>
      (await read(
        api.GET(PATH, { params: { path: { id }, query: queryOf() }, signal }),
      )) as readonly LedgerHour[],
    REFRESH,
  );
  const save = async (type: 'text/csv' | 'application/json') => {
    setBusy(true);
    try {
      const params = { path: { id }, query: queryOf() };
      const call = api.GET(PATH, { params, headers: { accept: type }, parseAs: 'text' });
      const text = await read<string>(call as never);
      const name = `ledger-${streamName(stream)}`;
      if (type === 'text/csv') download(name, 'csv', type, [text]);
      else download(name, 'json', type, [formatJson(text)]);
    } catch (error) {
      notifyFailure(error);
    }
    setBusy(false);
  };
  return (
    <Stack>
      <Group justify="space-between">
        <SegmentedControl
          aria-label="Range of the ledger"
          size="xs"
          data={RANGES}
          value={days}
          onChange={setDays}
        />
        <Group gap="xs">
          <Button size="xs" variant="default" loading={busy} onClick={() => void save('text/csv')}>
            Download CSV
          </Button>
          <Button size="xs" variant="default" disabled={busy} onClick={() => void save('application/json')}>
            Download JSON
          </Button>
        </Group>
      </Group>
      <Reading of={ledger} what="the ledger">
        {(hours) => <Days days={daysOf(hours)} sum={sumOf(hours)} />}
      </Reading>
      <Text size="sm" c="dimmed">
        Records count in the hour in which they arrived. Sums are of delivered records, and exact.
      </Text>
    </Stack>
  );
}

function Days({ days, sum }: { readonly days: readonly LedgerDay[]; readonly sum: LedgerSum }) {
  const { settled, words } = explainLedger(sum);
  return (
    <>
      <Alert color={settled ? 'green' : 'yellow'} variant="outline" role="status">
        {words}
      </Alert>
      {days.map((day) => (
        <details key={day.first} open={day === days[0]}>
          <summary>
            <Day at={day.first} />: {formatCount(day.sum.records)} arrived, {formatCount(day.sum.delivered)}{' '}
            delivered
            {day.sum.pending > 0 && `, ${formatCount(day.sum.pending)} pending`}
          </summary>
          <DataTable
            label={`Ledger of ${new Date(day.first).toDateString()}`}
            rows={day.hours}
            keyOf={({ hour }) => hour}
            columns={[
              { name: 'Hour', cell: ({ hour }) => <Hour at={hour} /> },
              { name: 'Arrived', cell: ({ records }) => formatCount(records), right: true },
              { name: 'Delivered', cell: ({ delivered }) => formatCount(delivered), right: true },
              { name: 'Filtered', cell: ({ filtered }) => formatCount(filtered), right: true },
              { name: 'Quarantined', cell: ({ quarantined }) => formatCount(quarantined), right: true },
              { name: 'Expired', cell: ({ expired }) => formatCount(expired), right: true },
              { name: 'Pending', cell: ({ pending }) => formatCount(pending), right: true },
              ...(day.sum.volume_total === undefined
                ? []
                : [
                    {
                      name: 'Volume, MB',
                      cell: ({ volume_total }: LedgerSum) => volume_total,
                      right: true,
                    },
                    { name: 'Cost', cell: (hour: LedgerSum) => <Cost sum={hour} />, right: true },
                  ]),
            ]}
          />
          {day.sum.volume_total !== undefined && (
            <Text size="sm">
              Volume of the day: {day.sum.volume_total} MB (sent {day.sum.volume_tx}, received{' '}
              {day.sum.volume_rx}
              ). Cost: <Cost sum={day.sum} />
            </Text>
          )}
        </details>
      ))}
    </>
  );
}

function Cost({ sum: { cost = [] } }: { readonly sum: LedgerSum }) {
  if (cost.length === 0) return <>0</>;
  return cost.map(({ currency, traffic_type, amount }) => (
    <div key={`${currency} ${traffic_type}`}>
      {amount} {currency} {traffic_type}
    </div>
  ));
}

function Day({ at }: { readonly at: string }) {
  return <time dateTime={at}>{formatTick(Date.parse(at), 3_600_000)}</time>;
}

/** The time of day at which the hour begins: the day stands above. */
function Hour({ at }: { readonly at: string }) {
  return (
    <time dateTime={at} title={formatUtc(at)}>
      {formatTick(Date.parse(at), 0)}
    </time>
  );
}
