import { Button, Group, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { DataStream } from '../lib/api.ts';
import { type Choice, fromFilters, isValidChoice, toFilters } from '../lib/filters.ts';
import { faultAt } from '../lib/problem.ts';
import { kindOfRecords } from '../lib/streams.ts';
import { FilterForm } from '../parts/filter-form.tsx';
import { PreviewPane } from '../parts/preview.tsx';
import { Failed } from '../parts/show.tsx';
import { Delivery, Privacy, Successor } from './settings-delivery.tsx';
import { Destination } from './settings-destination.tsx';
import { type Patch, Section, type SettingsProps, useSave, useSaved } from './settings-form.tsx';

/** The settings of a stream, each part saved by itself; and its successor. */
export function Settings({ stream }: SettingsProps) {
  return (
    <Stack gap="lg">
      <Rename stream={stream} />
      <Filters stream={stream} />
      <Destination stream={stream} />
      <Delivery stream={stream} />
      <Privacy stream={stream} />
      <Successor stream={stream} />
    </Stack>
  );
}

function Rename(props: SettingsProps) {
  const { problem, busy, save } = useSave(props, (one) => one.name);
  const [name, setName] = useState(props.stream.name ?? '');
  const saved = useSaved(name);
  return (
    <Section title="Name">
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          if (await save({ name: name.trim() }, 'The name is changed.')) saved(name);
        }}
      >
        <Stack>
          <TextInput
            label="Name"
            value={name}
            maxLength={500}
            error={faultAt(problem, '/name') ?? problem?.message ?? null}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Group>
            <Button type="submit" loading={busy}>
              Rename
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}

function Filters(props: SettingsProps) {
  const { problem, busy, save } = useSave(props, (one) => one.filters);
  const [choice, setChoice] = useState(() => fromFilters(props.stream.filters));
  const saved = useSaved(choice);
  return (
    <Section title="Filters">
      <div className="create">
        <form
          onSubmit={async (event) => {
            event.preventDefault();
            const filters = toFilters(choice) as NonNullable<Patch['filters']>;
            if (await save({ filters }, 'The filters are changed.')) saved(choice);
          }}
        >
          <Stack>
            <FilterForm
              kind={kindOfRecords(props.stream)}
              choice={choice}
              change={setChoice}
              problem={problem}
            />
            {problem && !faultAt(problem, '/filters') && <Failed problem={problem} />}
            <Group>
              <Button type="submit" loading={busy} disabled={!isValidChoice(choice)}>
                Update filters
              </Button>
            </Group>
          </Stack>
        </form>
        <PreviewPane body={previewOf(props.stream, choice)} />
      </div>
    </Section>
  );
}

/** The records that the stream would deliver with other filters, with the request of its own destination. */
function previewOf(stream: DataStream, choice: Choice) {
  if (!isValidChoice(choice)) return undefined;
  const { id, data_stream_type, relation_resolution, destination, privacy } = stream;
  const { connection_type, credentials, format } = destination;
  return {
    id,
    data_stream_type: { id: data_stream_type.id },
    relation_resolution: { id: relation_resolution.id },
    filters: toFilters(choice) as NonNullable<Patch['filters']>,
    ...(privacy === undefined ? {} : { privacy }),
    destination: { connection_type, credentials, format } as NonNullable<Patch['destination']>,
  };
}
