import { Button, Group, Select, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import type { ConnectionType } from '../lib/api.ts';
import {
  fieldsOfDestination,
  givenCredentials,
  heldDestination,
  useConnectionTest,
} from '../lib/destination.ts';
import { restOf } from '../lib/problem.ts';
import { useConnectionTypes } from '../lib/reads.ts';
import { ConnectionResult } from '../parts/connection-result.tsx';
import { DestinationForm, TestButton } from '../parts/destination-form.tsx';
import { Reading } from '../parts/reading.tsx';
import { SetupGuide } from '../parts/setup-guide.tsx';
import { Failed } from '../parts/show.tsx';
import { type Patch, Section, type SettingsProps, useSave, useSaved } from './settings-form.tsx';

/** Changes where a stream delivers to, also to another connection type. */
export function Destination(props: SettingsProps) {
  const types = useConnectionTypes();
  return (
    <Section title="Destination">
      <Text size="sm" mb="md">
        The stream keeps its position, also with another connection type: each record goes to the old
        destination or to the new one, and none is left out. A secret shown as *** is kept, as long as the
        address stays the same.
      </Text>
      <Reading of={types} what="connection types">
        {(data) => <OfType types={data} {...props} />}
      </Reading>
    </Section>
  );
}

function OfType({ types, ...props }: SettingsProps & { readonly types: readonly ConnectionType[] }) {
  const [chosen, setChosen] = useState(props.stream.destination.connection_type);
  const type = types.find(({ id }) => id === chosen);
  return (
    <>
      <Select
        label="Connection type"
        mb="md"
        allowDeselect={false}
        data={types.map(({ id, description }) => ({ value: id, label: description }))}
        value={chosen}
        onChange={(value) => setChosen(value ?? chosen)}
      />
      {type && <Change key={type.id} type={type} {...props} />}
    </>
  );
}

function Change({ type, ...props }: SettingsProps & { readonly type: ConnectionType }) {
  const { stream } = props;
  const { problem, setProblem, busy, save } = useSave(props, (one) => one.destination);
  const stored = type.id === stream.destination.connection_type ? stream.destination : undefined;
  const [held, setHeld] = useState(() => heldDestination(type, stored));
  const destination = () =>
    ({
      connection_type: type.id,
      credentials: givenCredentials(type, held, stored),
      format: held.format,
    }) as NonNullable<Patch['destination']>;
  const form = { type: type.id, ...held };
  const saved = useSaved(stored ? form : undefined);
  const tested = useConnectionTest(form, async () => ({
    id: stream.id,
    data_stream_type: { id: stream.data_stream_type.id },
    destination: destination(),
  }));
  const fault = problem ?? tested.problem;
  const rest = restOf(fault, fieldsOfDestination(type));
  return (
    <div className="create">
      <form
        noValidate
        onSubmit={async (event) => {
          event.preventDefault();
          if (await save({ destination: destination() }, 'The destination is changed.')) saved(form);
        }}
      >
        <Stack>
          <DestinationForm
            type={type}
            held={held}
            change={(changed) => {
              setProblem(undefined);
              setHeld(changed);
            }}
            problem={fault}
          />
          {rest && <Failed problem={rest} />}
          <ConnectionResult answer={problem ? undefined : tested.answer} />
          <Group>
            <TestButton tested={tested} start={() => setProblem(undefined)} />
            <Button type="submit" loading={busy} disabled={tested.testing}>
              Save destination
            </Button>
          </Group>
        </Stack>
      </form>
      <SetupGuide type={type} />
    </div>
  );
}
