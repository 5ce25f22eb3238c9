import { Button, Group, Paper, Select, Stack, Switch, Text, TextInput, Title } from '@mantine/core';
import { useState } from 'react';
import { download } from '../lib/download.ts';
import { ALL_EVENTS, type EventSearch, type ListedEvent } from '../lib/event-history.ts';
import { formatNumberOf, UNKNOWN } from '../lib/format.ts';
import { formatJson } from '../lib/json.ts';
import { useRead } from '../lib/query.ts';
import { readEvents } from '../lib/read-events.ts';
import { useEventTypes } from '../lib/reads.ts';
import { useSettled } from '../lib/settled.ts';
import { fromLocalInput, toLocalInput } from '../lib/start.ts';
import { visible } from '../lib/text.ts';
import { DataTable } from './data-table.tsx';
import { Reading } from './reading.tsx';
import { Code, Time } from './show.tsx';

/** The events of the organisation that are still kept, whatever data streams it has. */
export function EventHistory() {
  const [search, setSearch] = useState(ALL_EVENTS);
  const asked = useSettled(search);
  return (
    <Paper withBorder p="md" component="section" aria-label="Event history">
      <Stack gap="sm">
        <Title order={2} size="h4">
          Event history
        </Title>
        <Text size="sm">
          The events of your organisation that are still kept, the one that arrived last first. Data streams
          are not needed for it.
        </Text>
        <Search search={search} change={setSearch} />
        <Found key={JSON.stringify(asked)} search={asked} />
      </Stack>
    </Paper>
  );
}

function Search({
  search,
  change,
}: {
  readonly search: EventSearch;
  readonly change: (search: EventSearch) => void;
}) {
  const types = useEventTypes();
  const set = (part: Partial<EventSearch>) => change({ ...search, ...part });
  return (
    <>
      <Group align="flex-end" gap="sm">
        <Select
          label="Event type"
          placeholder="All"
          searchable
          clearable
          clearButtonProps={{ 'aria-label': 'Clear: Event type' }}
          data={(types.data ?? []).map(({ id, description }) => ({
            value: String(id),
            label: `${description} (${id})`,
          }))}
          value={search.type === '' ? null : search.type}
          onChange={(type) => set({ type: type ?? '' })}
        />
        <TextInput
          label="Device"
          placeholder="Name, id or ICCID"
          maxLength={200}
          value={search.device}
          onChange={(event) => set({ device: event.currentTarget.value })}
        />
        <TextInput
          label="From"
          type="datetime-local"
          value={toLocalInput(search.from)}
          onChange={(event) => set({ from: fromLocalInput(event.currentTarget.value) })}
        />
        <TextInput
          label="Until"
          type="datetime-local"
          value={toLocalInput(search.until)}
          onChange={(event) => set({ until: fromLocalInput(event.currentTarget.value) })}
        />
      </Group>
      <Switch
        label="Alerts only"
        checked={search.alerts}
        onChange={(event) => set({ alerts: event.currentTarget.checked })}
      />
    </>
  );
}

function Found({ search }: { readonly search: EventSearch }) {
  const [pages, setPages] = useState(1);
  const found = useRead(['events', search, pages], (signal) => readEvents(search, pages, signal));
  return (
    <Reading of={found} what="the events">
      {({ events, more }) => (
        <>
          {events.length > 0 && <EventTable events={events} />}
          <Text size="sm" c="dimmed" role="status">
            {wordsOf(events.length, more)}
          </Text>
          <Group gap="xs">
            {more && (
              <Button size="xs" variant="default" onClick={() => setPages(pages * 2)}>
                Look further back
              </Button>
            )}
            <Button size="xs" variant="default" onClick={() => void found.reload()}>
              Look for new events
            </Button>
            {events.length > 0 && (
              <Button
                size="xs"
                variant="default"
                onClick={() =>
                  download(
                    'events',
                    'ndjson',
                    'application/x-ndjson',
                    events.map(({ text }) => `${text.replaceAll(/[\r\n]+/g, ' ')}\n`),
                  )
                }
              >
                Download these
              </Button>
            )}
          </Group>
        </>
      )}
    </Reading>
  );
}

function wordsOf(count: number, more: boolean): string {
  if (count === 0)
    return more
      ? 'None among the newest events. Look further back for older ones.'
      : 'There are no such events.';
  return `${formatNumberOf(count, 'event')}${more ? ', and there may be older ones.' : ': all that are kept.'}`;
}

function EventTable({ events }: { readonly events: readonly ListedEvent[] }) {
  return (
    <DataTable
      label="Events"
      rows={events}
      keyOf={({ key }) => key}
      columns={[
        { name: 'When', cell: ({ at }) => <Time at={at} /> },
        { name: 'Type', cell: ({ type }) => <bdi>{visible(type) || UNKNOWN}</bdi> },
        { name: 'Severity', cell: ({ severity }) => <bdi>{visible(severity) || UNKNOWN}</bdi> },
        { name: 'Device', cell: ({ device }) => <bdi>{visible(device) || UNKNOWN}</bdi> },
        { name: 'Event', cell: (event) => <Whole event={event} /> },
      ]}
    />
  );
}

function Whole({ event: { description, text } }: { readonly event: ListedEvent }) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <bdi>{visible(description) || 'Show the event'}</bdi>
      </summary>
      {open && <Code text={formatJson(text)} label="The whole event" />}
    </details>
  );
}
