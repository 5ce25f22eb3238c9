import { Badge, Table, Text } from '@mantine/core';
import { api, read } from '../lib/api.ts';
import { formatBytes, formatCount, formatDuration, UNKNOWN } from '../lib/format.ts';
import { usePolling } from '../lib/polling.ts';
import { Failed, Loading, Time } from '../parts/show.tsx';
import { WideTable } from '../parts/wide-table.tsx';

/** The last delivery attempts, newest first. */
export function Attempts({ id }: { readonly id: string }) {
  const attempts = usePolling(
    `attempts ${id}`,
    () => read(api.GET('/api/v2/data_stream/{id}/attempt', { params: { path: { id } } })),
    2000,
  );
  if (!attempts.data) {
    return attempts.problem ? (
      <Failed problem={attempts.problem} retry={() => void attempts.reload()} />
    ) : (
      <Loading what="attempts" />
    );
  }
  if (attempts.data.length === 0)
    return <Text>Nothing has been sent yet. Attempts appear as records arrive.</Text>;
  return (
    <WideTable minWidth={760} label="Delivery attempts">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>When</Table.Th>
          <Table.Th>Outcome</Table.Th>
          <Table.Th ta="right">Records</Table.Th>
          <Table.Th ta="right">Size</Table.Th>
          <Table.Th ta="right">Took</Table.Th>
          <Table.Th ta="right">Try</Table.Th>
          <Table.Th ta="right">Status</Table.Th>
          <Table.Th>Message</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {attempts.data.map((attempt) => (
          <Table.Tr key={`${attempt.at} ${attempt.delivery_id} ${attempt.tries}`}>
            <Table.Td>
              <Time at={attempt.at} />
            </Table.Td>
            <Table.Td>
              <Outcome outcome={attempt.outcome} />
            </Table.Td>
            <Table.Td ta="right">{formatCount(attempt.records)}</Table.Td>
            <Table.Td ta="right">{formatBytes(attempt.bytes)}</Table.Td>
            <Table.Td ta="right">{formatDuration(attempt.duration_ms)}</Table.Td>
            <Table.Td ta="right">{formatCount(attempt.tries)}</Table.Td>
            <Table.Td ta="right">{attempt.remote_status ?? UNKNOWN}</Table.Td>
            <Table.Td className="wrap">{attempt.message ?? UNKNOWN}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </WideTable>
  );
}

const WORDS: Readonly<Record<string, readonly [string, string]>> = {
  delivered: ['Delivered', '#23782f'],
  retry: ['Will be retried', '#8f5300'],
  partial: ['Taken in part', '#8f5300'],
  too_large: ['Too large, is split', '#8f5300'],
  platform: ['Put off by the platform', '#5b636b'],
  refused: ['Refused', '#c92a2a'],
  rejected: ['Rejected', '#c92a2a'],
};

function Outcome({ outcome }: { readonly outcome: string }) {
  const [word, color] = WORDS[outcome] ?? [outcome, '#5b636b'];
  return (
    <Badge
      color={color}
      variant="filled"
      radius="sm"
      tt="none"
      fullWidth={false}
      style={{ overflow: 'visible' }}
    >
      {word}
    </Badge>
  );
}
