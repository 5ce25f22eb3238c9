import {
  Anchor,
  Group,
  Paper,
  SegmentedControl,
  Select,
  Stack,
  Tabs,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { useState } from 'react';
import type { components } from '../generated/api.ts';
import { navigate, useAddress } from '../lib/address.ts';
import { api, read } from '../lib/api.ts';
import { formatNumberOf, UNKNOWN } from '../lib/format.ts';
import { formatJson } from '../lib/json.ts';
import { useRead } from '../lib/query.ts';
import { useEventTypes } from '../lib/reads.ts';
import { DataTable } from '../parts/data-table.tsx';
import { EventHistory } from '../parts/event-history.tsx';
import { Heading } from '../parts/heading.tsx';
import { Marked } from '../parts/marked.tsx';
import { Reading } from '../parts/reading.tsx';
import { CodeBlock } from '../parts/show.tsx';

type EventType = components['schemas']['EventType'];

const KINDS = [
  { value: '2', label: 'Event' },
  { value: '1', label: 'Usage' },
  { value: '4', label: 'SMS' },
];
const FIRST_TYPE = 3;

/** A sample of each kind of record, the catalogue of event types, and the events that are kept. */
export default function Records() {
  const address = useAddress();
  const tab = address.searchParams.get('tab') === 'events' ? 'events' : 'samples';
  return (
    <Stack gap="lg">
      <Heading title="Records" />
      <Tabs
        value={tab}
        onChange={(next) =>
          navigate(next === 'events' ? '/records?tab=events' : '/records', { replace: true })
        }
        keepMounted={false}
      >
        <Tabs.List mb="md" aria-label="Of records">
          <Tabs.Tab value="samples">Samples and event types</Tabs.Tab>
          <Tabs.Tab value="events">Event history</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="samples">
          <Reference />
        </Tabs.Panel>
        <Tabs.Panel value="events">
          <EventHistory />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}

function Reference() {
  const types = useEventTypes();
  const [typeId, setTypeId] = useState(FIRST_TYPE);
  const [kind, setKind] = useState('2');
  return (
    <Stack gap="lg">
      <Text>
        What a data stream delivers, for building a receiver before the first record comes. The reference of
        all fields is in the{' '}
        <Anchor href="/api/docs" underline="always">
          API documentation
        </Anchor>
        .
      </Text>
      <Paper withBorder p="md" component="section" aria-label="Sample">
        <Stack gap="sm">
          <Title order={2} size="h4">
            Sample record
          </Title>
          <Group align="flex-end" gap="sm">
            <SegmentedControl
              aria-label="Kind of record"
              className="choice"
              data={KINDS}
              value={kind}
              onChange={setKind}
            />
            {kind === '2' && (
              <Select
                label="Event type"
                searchable
                allowDeselect={false}
                data={(types.data ?? []).map(({ id, description }) => ({
                  value: String(id),
                  label: `${description} (${id})`,
                }))}
                value={String(typeId)}
                onChange={(chosen) => setTypeId(Number(chosen ?? FIRST_TYPE))}
              />
            )}
          </Group>
          <Sample kind={Number(kind) as 1 | 2 | 4} typeId={typeId} />
        </Stack>
      </Paper>
      <Paper withBorder p="md" component="section" aria-label="Event types">
        <Title order={2} size="h4" mb="sm">
          Event types
        </Title>
        <Reading of={types} what="the event types">
          {(data) => (
            <Catalogue
              types={data}
              show={(id) => {
                setKind('2');
                setTypeId(id);
                window.scrollTo(0, 0);
              }}
            />
          )}
        </Reading>
      </Paper>
    </Stack>
  );
}

function Sample({ kind, typeId }: { readonly kind: 1 | 2 | 4; readonly typeId: number }) {
  const sample = useRead(['sample', kind, kind === 2 ? typeId : 0], (signal) =>
    read(
      api.GET('/api/v2/data_stream/sample_record', {
        params: { query: { data_stream_type: kind, ...(kind === 2 ? { event_type_id: typeId } : {}) } },
        // Its ids have more digits than a number of JavaScript.
        parseAs: 'text',
        signal,
      }),
    ),
  );
  return (
    <Reading of={sample} what="the sample">
      {(data) => <CodeBlock text={formatJson(data)} label="Sample record" />}
    </Reading>
  );
}

function Catalogue({
  types,
  show,
}: {
  readonly types: readonly EventType[];
  readonly show: (id: number) => void;
}) {
  const [wanted, setWanted] = useState('');
  const words = wanted.toLowerCase().trim();
  const found = types.filter(({ id, description, meaning }) =>
    `${id} ${description} ${meaning}`.toLowerCase().includes(words),
  );
  return (
    <Stack gap="sm">
      <Text size="sm">
        More types may come at any time: a receiver should also keep events with unknown ids.
      </Text>
      <TextInput
        label="Search"
        placeholder="Name, id or words"
        value={wanted}
        onChange={(event) => setWanted(event.currentTarget.value)}
      />
      <Text size="sm" c="dimmed" role="status">
        {formatNumberOf(found.length, 'event type')}
      </Text>
      {found.length > 0 && (
        <DataTable
          label="Event types"
          rows={found}
          keyOf={({ id }) => id}
          columns={[
            { name: 'Id', cell: ({ id }) => id, right: true },
            {
              name: 'Name',
              cell: ({ id, description }) => (
                <Anchor component="button" type="button" size="sm" ta="left" onClick={() => show(id)}>
                  {description}
                </Anchor>
              ),
            },
            { name: 'When', cell: ({ meaning }) => <Marked text={meaning} /> },
            { name: 'Severity', words: true, cell: ({ severity }) => severity ?? UNKNOWN },
            { name: 'Source', words: true, cell: ({ source }) => source ?? UNKNOWN },
            { name: 'Alert', cell: ({ alert }) => (alert === null ? UNKNOWN : alert ? 'Yes' : 'No') },
          ]}
        />
      )}
    </Stack>
  );
}
