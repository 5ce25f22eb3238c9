import { Button, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import type { paths } from '../generated/api.ts';
import { api, type QuarantineGroup, readPage } from '../lib/api.ts';
import { download } from '../lib/download.ts';
import { formatCount } from '../lib/format.ts';
import { formatJson } from '../lib/json.ts';
import { notifyFailure } from '../lib/notices.ts';
import { useRead } from '../lib/query.ts';
import { lineOf } from '../lib/tail.ts';
import { DataTable } from '../parts/data-table.tsx';
import { Reading } from '../parts/reading.tsx';
import { Code, Message, Time } from '../parts/show.tsx';

type QuarantinedRecord =
  paths['/api/v2/data_stream/{id}/quarantine']['get']['responses'][200]['content']['application/json'][number];

/** Shown at first, and more at a time: each is drawn in full. */
const PAGE = 20;
/** Characters of what cannot be read as a record. */
const LONGEST_LINE = 200;
/** Records that one call lists at most. */
const MOST_PER_CALL = 1000;
/** Records of a download: more would not fit into the memory of a small machine. */
const MOST_DOWNLOADED = 100_000;

/** The records of a group, oldest first. */
export function QuarantinedRecords({
  id,
  name,
  group,
}: {
  readonly id: string;
  readonly name: string;
  readonly group: QuarantineGroup;
}) {
  const [count, setCount] = useState(PAGE);
  const [busy, setBusy] = useState(false);
  const records = useRead(['quarantine', id, group.group, count], () => readGroup(id, group.group, count));
  const save = async () => {
    setBusy(true);
    try {
      download(
        `quarantine-${name}`,
        'ndjson',
        'application/x-ndjson',
        linesOf(await readGroup(id, group.group, MOST_DOWNLOADED)),
      );
    } catch (error) {
      notifyFailure(error);
    }
    setBusy(false);
  };
  return (
    <Reading of={records} what="the records">
      {(data) => (
        <Stack gap="sm">
          <DataTable
            label="Quarantined records"
            rows={data}
            keyOf={(record) => record.id}
            columns={[
              { name: 'Arrived', cell: (record) => <Time at={record.arrived_at} /> },
              { name: 'Quarantined', cell: (record) => <Time at={record.at} /> },
              {
                name: 'Record',
                cell: (record) => (
                  <details>
                    <summary>
                      {/* Of a damaged record only the reason is known. */}
                      {record.record === '' ? (
                        <Message text={record.message} />
                      ) : (
                        lineOf(record.record).slice(0, LONGEST_LINE)
                      )}
                    </summary>
                    <Text size="sm" className="wrap">
                      <Message text={record.message} />
                    </Text>
                    <Code text={formatJson(record.record)} label={`Record ${record.id}`} />
                  </details>
                ),
              },
            ]}
          />
          <Group gap="xs">
            {data.length < group.records && (
              <Button size="xs" variant="default" onClick={() => setCount(count * 2)}>
                Show more
              </Button>
            )}
            <Button size="xs" variant="default" loading={busy} onClick={() => void save()}>
              Download all
            </Button>
            <Text size="sm" c="dimmed">
              The oldest {formatCount(data.length)} of {formatCount(group.records)} are shown.
            </Text>
          </Group>
        </Stack>
      )}
    </Reading>
  );
}

/** The oldest `count` records of a group. */
async function readGroup(id: string, group: string, count: number): Promise<readonly QuarantinedRecord[]> {
  const records: QuarantinedRecord[] = [];
  while (records.length < count) {
    const limit = Math.min(MOST_PER_CALL, count - records.length);
    const after = records.at(-1)?.id;
    const query = { limit, group, ...(after === undefined ? {} : { after }) };
    const { data, more } = await readPage(
      api.GET('/api/v2/data_stream/{id}/quarantine', { params: { path: { id }, query } }),
    );
    records.push(...data);
    if (!more) break;
  }
  return records;
}

/** The records as they came in, one per line. */
const linesOf = (records: readonly { readonly record: string }[]) =>
  records.map(({ record }) => `${record.replaceAll(/[\r\n]+/g, ' ')}\n`);
