import { Button, Checkbox, Group, Stack, Table, Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import type { paths } from '../generated/api.ts';
import { api, perform, read } from '../lib/api.ts';
import { formatCount, UNKNOWN } from '../lib/format.ts';
import { usePolling } from '../lib/polling.ts';
import { problemFrom } from '../lib/problem.ts';
import { useSession } from '../lib/session.ts';
import { formatJson } from '../lib/tail.ts';
import { tell, tellFailure } from '../parts/notices.tsx';
import { Code, Failed, Loading, Time } from '../parts/show.tsx';
import { WideTable } from '../parts/wide-table.tsx';

type QuarantinedRecord =
  paths['/api/v2/data_stream/{id}/quarantine']['get']['responses'][200]['content']['application/json'][number];

/** Shown at first, and more at a time. */
const PAGE = 200;
/** Records that one call lists, sends again or removes at most. */
const MOST_PER_CALL = 1000;

interface Held {
  readonly records: readonly QuarantinedRecord[];
  readonly more: boolean;
}

/** The oldest `count` records, and whether there are more. */
async function readHeld(id: string, count: number): Promise<Held> {
  const records: QuarantinedRecord[] = [];
  while (records.length <= count) {
    const limit = Math.min(MOST_PER_CALL, count + 1 - records.length);
    const after = records.at(-1)?.id;
    const query = { limit, ...(after === undefined ? {} : { after }) };
    const page = await read(
      api.GET('/api/v2/data_stream/{id}/quarantine', { params: { path: { id }, query } }),
    );
    records.push(...page);
    if (page.length < limit) break;
  }
  return { records: records.slice(0, count), more: records.length > count };
}

/** Records that the destination refused for good: why, and what can be done with them. */
export function Quarantine({
  id,
  name,
  changed,
}: {
  readonly id: string;
  readonly name: string;
  readonly changed: () => Promise<void>;
}) {
  const { canWrite } = useSession();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [busy, setBusy] = useState(false);
  const [count, setCount] = useState(PAGE);
  const records = usePolling(`quarantine ${id}`, () => readHeld(id, count), 5000);
  const { reload } = records;
  // The polling reads as many as were asked for last; here it is told that there are more to read.
  useEffect(() => {
    if (count > PAGE) void reload();
  }, [count, reload]);
  if (!records.data) {
    return records.problem ? (
      <Failed problem={records.problem} retry={() => void records.reload()} />
    ) : (
      <Loading what="the quarantine" />
    );
  }
  if (records.data.records.length === 0) {
    return <Text>Nothing here: the destination has not refused any record that is still kept.</Text>;
  }
  const { records: here, more } = records.data;
  const selected = here.filter((record) => chosen.has(record.id));
  const meant = selected.length > 0 ? selected : here;
  const which =
    selected.length > 0 ? `${formatCount(selected.length)} chosen` : `${formatCount(here.length)} shown`;

  const run = async (what: 'resend' | 'discard') => {
    setBusy(true);
    try {
      for (let first = 0; first < meant.length; first += MOST_PER_CALL) {
        const ids = meant.slice(first, first + MOST_PER_CALL).map((record) => record.id);
        await (what === 'resend' ? resend(id, ids) : discard(id, ids));
      }
    } catch (error) {
      tellFailure(problemFrom(error).message);
    }
    setChosen(new Set());
    await Promise.all([records.reload(), changed()]);
    setBusy(false);
  };

  return (
    <Stack>
      <Group gap="xs">
        {canWrite && (
          <Button size="xs" loading={busy} onClick={() => void run('resend')}>
            Send again ({which})
          </Button>
        )}
        <Button size="xs" variant="default" onClick={() => download(name, meant)}>
          Download ({which})
        </Button>
        {canWrite && (
          <Button
            size="xs"
            variant="default"
            disabled={selected.length === 0 || busy}
            onClick={() => void run('discard')}
          >
            Remove chosen
          </Button>
        )}
      </Group>
      <WideTable minWidth={640} label="Quarantined records">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>
              <Checkbox
                aria-label="Choose all records"
                checked={selected.length === here.length}
                indeterminate={selected.length > 0 && selected.length < here.length}
                onChange={(event) =>
                  setChosen(new Set(event.currentTarget.checked ? here.map((record) => record.id) : []))
                }
              />
            </Table.Th>
            <Table.Th>Set aside</Table.Th>
            <Table.Th>Reason</Table.Th>
            <Table.Th>Status</Table.Th>
            <Table.Th>Record</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {here.map((record) => (
            <Table.Tr key={record.id}>
              <Table.Td>
                <Checkbox
                  aria-label={`Choose record ${record.id}`}
                  checked={chosen.has(record.id)}
                  onChange={(event) => {
                    const next = new Set(chosen);
                    if (event.currentTarget.checked) next.add(record.id);
                    else next.delete(record.id);
                    setChosen(next);
                  }}
                />
              </Table.Td>
              <Table.Td>
                <Time at={record.at} />
              </Table.Td>
              <Table.Td className="wrap">{record.message}</Table.Td>
              <Table.Td>{record.remote_status ?? UNKNOWN}</Table.Td>
              <Table.Td>
                <details>
                  <summary>Show</summary>
                  <Code text={formatJson(record.record)} label={`Record ${record.id}`} />
                </details>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </WideTable>
      {more && (
        <Group>
          <Button
            size="xs"
            variant="default"
            onClick={() => setCount(here.length + PAGE)}
            loading={count > here.length}
          >
            Show {formatCount(PAGE)} more
          </Button>
          <Text size="sm" c="dimmed">
            The oldest {formatCount(here.length)} are shown.
          </Text>
        </Group>
      )}
    </Stack>
  );
}

async function resend(id: string, ids: readonly string[]): Promise<void> {
  const body = { ids: [...ids] };
  const params = { path: { id } };
  const call = api.POST('/api/v2/data_stream/{id}/quarantine/resend', { params, body });
  const { data, logged } = await perform('POST', `/api/v2/data_stream/${id}/quarantine/resend`, body, call);
  const [first] = data.failed;
  const failed = first ? ` ${formatCount(data.failed.length)} were refused again: ${first.message}` : '';
  tell(`${formatCount(data.delivered)} records were delivered.${failed}`, logged);
}

async function discard(id: string, ids: readonly string[]): Promise<void> {
  const body = { ids: [...ids] };
  const params = { path: { id } };
  const call = api.POST('/api/v2/data_stream/{id}/quarantine/discard', { params, body });
  const { data, logged } = await perform('POST', `/api/v2/data_stream/${id}/quarantine/discard`, body, call);
  tell(`${formatCount(data.discarded)} records were removed.`, logged);
}

/** The records as they came in, one per line. */
function download(name: string, records: readonly { readonly record: string }[]): void {
  const lines = records.map(({ record }) => `${record.replaceAll(/[\r\n]+/g, ' ')}\n`);
  const url = URL.createObjectURL(new Blob(lines, { type: 'application/x-ndjson' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `quarantine-${name.replaceAll(/[^\w-]+/g, '-')}.ndjson`;
  link.click();
  URL.revokeObjectURL(url);
}
