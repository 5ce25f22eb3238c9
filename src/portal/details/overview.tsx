import { Paper, Stack, Table, Text, Title } from '@mantine/core';
import { api, type DataStream, read } from '../lib/api.ts';
import { describeFilters } from '../lib/filters.ts';
import { formatCount, UNKNOWN } from '../lib/format.ts';
import { usePolling } from '../lib/polling.ts';
import type { CredentialSchema } from '../lib/schema.ts';
import { useEventTypes } from '../parts/filter-form.tsx';
import { Ago, Copy, Fact, Failed, Loading, Time } from '../parts/show.tsx';
import { WideTable } from '../parts/wide-table.tsx';
import { Charts } from './charts.tsx';

export function Overview({ stream }: { readonly stream: DataStream }) {
  const { progress, last_error, expired_hours } = stream;
  return (
    <Stack gap="lg">
      <Paper withBorder p="md">
        <dl className="facts">
          <Fact name="Delivered">{formatCount(progress.delivered)}</Fact>
          <Fact name="Pending">{formatCount(progress.pending)}</Fact>
          <Fact name="Oldest pending">
            <Ago at={progress.oldest_pending_at} />
          </Fact>
          <Fact name="Last delivery">
            <Ago at={progress.last_delivered_at} />
          </Fact>
          <Fact name="Filtered out">{formatCount(progress.filtered)}</Fact>
          <Fact name="Quarantined">{formatCount(progress.quarantined)}</Fact>
          <Fact name="Expired">{formatCount(progress.expired)}</Fact>
        </dl>
        {last_error && (
          <Text mt="sm" size="sm" className="wrap">
            Last error: {last_error.message}{' '}
            <Text span c="dimmed">
              (
            </Text>
            <Time at={last_error.at} />
            <Text span c="dimmed">
              )
            </Text>
          </Text>
        )}
        {expired_hours.length > 0 && (
          <Text mt="sm" size="sm" component="div">
            Expired before they could be delivered, by hour of arrival:{' '}
            {expired_hours.map(({ hour, records }) => (
              <span key={hour}>
                <Time at={hour} />: {formatCount(records)}.{' '}
              </span>
            ))}
          </Text>
        )}
      </Paper>
      <Charts id={stream.id} />
      <Setup stream={stream} />
      <History id={stream.id} />
    </Stack>
  );
}

function Setup({ stream }: { readonly stream: DataStream }) {
  const types = useEventTypes();
  const connectionTypes = usePolling('types', () => read(api.GET('/api/v2/data_stream/connection_type')));
  const type = connectionTypes.data?.find(({ id }) => id === stream.destination.connection_type);
  const schema = type?.schema as CredentialSchema | undefined;
  const nameOf = (type: number) => types.data?.find(({ id }) => id === type)?.description ?? `Type ${type}`;
  const { destination, data_stream_type, relation_resolution } = stream;
  const filters =
    data_stream_type.id === 1 ? 'Usage data is not filtered' : describeFilters(stream.filters, nameOf);
  return (
    <Paper withBorder p="md" component="section" aria-label="Configuration">
      <Title order={2} size="h4" mb="sm">
        Configuration
      </Title>
      <dl className="facts wide">
        <Fact name="Id">
          <span style={{ display: 'inline-flex', alignItems: 'center', gap: 8 }}>
            <code>{stream.id}</code>
            <Copy text={stream.id} label="Copy the id" />
          </span>
        </Fact>
        <Fact name="Source">{data_stream_type.description}</Fact>
        <Fact name="Filter">{filters}</Fact>
        <Fact name="Organisations">{relation_resolution.description}</Fact>
        <Fact name="Destination">
          {type?.description ?? destination.connection_type}, {destination.format}
        </Fact>
        {Object.entries(destination.credentials).map(([name, value]) => (
          <Fact key={name} name={schema?.properties[name]?.title ?? name}>
            {Array.isArray(value) ? value.join(', ') : String(value)}
          </Fact>
        ))}
        <Fact name="Created">
          <Time at={stream.created} />
        </Fact>
        <Fact name="Changed">
          <Time at={stream.modified} />
        </Fact>
      </dl>
    </Paper>
  );
}

function History({ id }: { readonly id: string }) {
  const history = usePolling(
    `history ${id}`,
    () => read(api.GET('/api/v2/data_stream/{id}/history', { params: { path: { id } } })),
    5000,
  );
  return (
    <Paper withBorder p="md" component="section" aria-label="State history">
      <Title order={2} size="h4" mb="sm">
        State history
      </Title>
      {!history.data &&
        (history.problem ? <Failed problem={history.problem} /> : <Loading what="the history" />)}
      {history.data?.length === 0 && <Text>{UNKNOWN}</Text>}
      {history.data && history.data.length > 0 && (
        <WideTable minWidth={520} label="Changes of state">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>When</Table.Th>
              <Table.Th>State</Table.Th>
              <Table.Th>What happened</Table.Th>
              <Table.Th>By</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {history.data.map(({ at, status, message, actor }) => (
              <Table.Tr key={`${at} ${message}`}>
                <Table.Td>
                  <Time at={at} />
                </Table.Td>
                <Table.Td>{status.description}</Table.Td>
                <Table.Td className="wrap">{message}</Table.Td>
                <Table.Td>{actor.replace(/^user:/, '').replace(/^application:/, 'token ')}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </WideTable>
      )}
    </Paper>
  );
}
