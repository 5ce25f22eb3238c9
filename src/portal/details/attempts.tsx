import { Button, SegmentedControl, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { api, type DataStream, read } from '../lib/api.ts';
import { type Attempt, type Delivery, foldAttempts, isSplit } from '../lib/attempts.ts';
import { BAD, GOOD, POOR } from '../lib/colors.ts';
import { formatBytes, formatCount, formatDuration, formatNumberOf, UNKNOWN } from '../lib/format.ts';
import { useRead } from '../lib/query.ts';
import { STATUS } from '../lib/streams.ts';
import { Chip } from '../parts/chip.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { ExchangeDialog } from '../parts/exchange.tsx';
import { Reading } from '../parts/reading.tsx';
import { Message, Time } from '../parts/show.tsx';

const SHOWN = [
  { value: 'all', label: 'All' },
  { value: 'good', label: 'Delivered' },
  { value: 'bad', label: 'Not delivered' },
];

/** The last deliveries, newest first, each with the attempts that it took. */
export function Attempts({ stream }: { readonly stream: DataStream }) {
  const { id } = stream;
  const attempts = useRead(
    ['attempts', id],
    (signal) => read(api.GET('/api/v2/data_stream/{id}/attempt', { params: { path: { id } }, signal })),
    2000,
  );
  const [opened, setOpened] = useState<string>();
  return (
    <>
      <Reading of={attempts} what="attempts">
        {(data) =>
          data.length === 0 ? (
            <Text>Nothing has been sent yet. Deliveries appear here as records arrive.</Text>
          ) : (
            <Deliveries stream={stream} attempts={data} open={setOpened} />
          )
        }
      </Reading>
      <ExchangeDialog stream={id} attempt={opened} close={() => setOpened(undefined)} />
    </>
  );
}

function Deliveries({
  stream: { status },
  attempts,
  open,
}: {
  readonly stream: DataStream;
  readonly attempts: readonly Attempt[];
  /** Opens the request and answer of an attempt. */
  readonly open: (attempt: string) => void;
}) {
  const [shown, setShown] = useState('all');
  const deliveries = foldAttempts(attempts, status.id === STATUS.error);
  const rows = deliveries.filter(
    ({ end }) => shown === 'all' || (end === 'delivered') === (shown === 'good'),
  );
  return (
    <Stack>
      <SegmentedControl
        aria-label="Which deliveries"
        size="xs"
        className="choice"
        data={SHOWN}
        value={shown}
        onChange={setShown}
      />
      {rows.length === 0 && (
        <Text>None of the last {formatCount(deliveries.length)} deliveries is of this kind.</Text>
      )}
      {rows.length > 0 && (
        <DataTable
          label="Deliveries"
          rows={rows}
          keyOf={({ key }) => key}
          columns={[
            { name: 'When', cell: ({ at }) => <Time at={at} /> },
            {
              name: 'Outcome',
              words: true,
              cell: ({ end }) => <Chip color={ENDS[end][1]}>{ENDS[end][0]}</Chip>,
            },
            { name: 'Records', cell: ({ records }) => formatCount(records), right: true },
            { name: 'Size', cell: ({ bytes }) => formatBytes(bytes), right: true },
            { name: 'Took', cell: ({ duration }) => formatDuration(duration), right: true },
            { name: 'Status', cell: ({ remoteStatus }) => remoteStatus ?? UNKNOWN, right: true },
            { name: 'Details', cell: (delivery) => <Explained delivery={delivery} open={open} /> },
          ]}
        />
      )}
      <Text size="sm" c="dimmed">
        {formatNumberOf(attempts.length, 'request')} in{' '}
        {formatNumberOf(deliveries.length, 'delivery', 'deliveries')}: the node keeps the last 50.
      </Text>
    </Stack>
  );
}

const ENDS: Readonly<Record<Delivery['end'], readonly [string, string]>> = {
  delivered: ['Delivered', GOOD],
  'in part': ['Delivered in part', POOR],
  refused: ['Quarantined', POOR],
  pending: ['Will be retried', POOR],
  'given up': ['Given up', BAD],
};

function Explained({
  delivery: { message, attempts, end },
  open,
}: {
  readonly delivery: Delivery;
  readonly open: (attempt: string) => void;
}) {
  const failed = attempts.find((attempt) => attempt.has_exchange && attempt.outcome !== 'delivered');
  const shown = (end === 'delivered' ? attempts.find((attempt) => attempt.has_exchange) : failed)?.id;
  return (
    <>
      {message && <Message text={message} />}{' '}
      {shown && (
        <Button size="compact-xs" variant="default" onClick={() => open(shown)}>
          Show request
        </Button>
      )}
      {attempts.length > 1 && (
        <details>
          <summary>{formatNumberOf(attempts.length, 'request')}</summary>
          <ol className="steps">
            {attempts.map((attempt) => (
              <li key={`${attempt.at} ${attempt.delivery_id} ${attempt.tries}`}>
                <Time at={attempt.at} />: {wordOf(attempt)}, {formatCount(attempt.records)}{' '}
                {attempt.records === 1 ? 'record' : 'records'}, {formatDuration(attempt.duration_ms)}
                {attempt.remote_status !== null && `, status ${attempt.remote_status}`}
                {attempt.message && (
                  <>
                    . <Message text={attempt.message} />
                  </>
                )}
              </li>
            ))}
          </ol>
        </details>
      )}
      {!message && !shown && attempts.length === 1 && UNKNOWN}
    </>
  );
}

const WORDS: Readonly<Record<string, string>> = {
  delivered: 'Delivered',
  retry: 'Not delivered',
  partial: 'Delivered in part',
  too_large: 'Too large',
  platform: 'Not sent: a fault of the platform',
  refused: 'Refused',
  rejected: 'Quarantined',
};

const wordOf = (attempt: Attempt) =>
  isSplit(attempt) ? 'Refused as a whole, was split' : (WORDS[attempt.outcome] ?? attempt.outcome);
