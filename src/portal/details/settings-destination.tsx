import { Button, Group, Select, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import type { ConnectionType } from '../lib/api.ts';
import { useConnectionTest } from '../lib/destination.ts';
import { unshown } from '../lib/problem.ts';
import { useConnectionTypes } from '../lib/reads.ts';
import { credentialSchema, initialValues, ofFormat, toCredentials } from '../lib/schema.ts';
import { ConnectionResult } from '../parts/connection-result.tsx';
import { SchemaForm } from '../parts/schema-form.tsx';
import { SetupGuide } from '../parts/setup-guide.tsx';
import { Failed, Loading } from '../parts/show.tsx';
import { type Patch, Section, type SettingsProps, useSave, useSaved } from './settings-form.tsx';

/** Changes where a stream delivers to, also to another connection type. */
export function Destination(props: SettingsProps) {
  const types = useConnectionTypes();
  const [chosen, setChosen] = useState(props.stream.destination.connection_type);
  const type = types.data?.find(({ id }) => id === chosen);
  return (
    <Section title="Destination">
      <Text size="sm" mb="md">
        The stream keeps its position, also with another connection type: each record goes to the old
        destination or to the new one, and none is left out. A secret shown as *** is kept, as long as the
        address stays the same.
      </Text>
      {!types.data &&
        (types.problem ? (
          <Failed problem={types.problem} retry={() => void types.reload()} />
        ) : (
          <Loading what="connection types" retry={types.reload} />
        ))}
      {types.data && (
        <Select
          label="Connection type"
          mb="md"
          allowDeselect={false}
          data={types.data.map(({ id, description }) => ({ value: id, label: description }))}
          value={chosen}
          onChange={(value) => setChosen(value ?? chosen)}
        />
      )}
      {type && <DestinationForm key={type.id} type={type} {...props} />}
    </Section>
  );
}

function DestinationForm({ type, ...props }: SettingsProps & { readonly type: ConnectionType }) {
  const { stream } = props;
  const { problem, setProblem, busy, save } = useSave(props);
  const schema = credentialSchema(type);
  const same = type.id === stream.destination.connection_type;
  const stored = same ? (stream.destination.credentials as Record<string, unknown>) : {};
  const [values, setValues] = useState(() => initialValues(schema, stored));
  const [format, setFormat] = useState(same ? stream.destination.format : (type.formats[0] ?? 'Json'));
  const destination = () =>
    ({
      connection_type: type.id,
      credentials: toCredentials(schema, values, format, stored),
      format,
    }) as NonNullable<Patch['destination']>;
  const form = { type: type.id, values, format };
  const saved = useSaved(same ? form : undefined);
  const tested = useConnectionTest(form, async () => ({
    id: stream.id,
    data_stream_type: { id: stream.data_stream_type.id },
    destination: destination(),
  }));
  const fault = problem ?? tested.problem;
  const fields = Object.keys(schema.properties).map((name) => `/destination/credentials/${name}`);
  const others = fault ? unshown(fault, fields) : [];
  const isMessage = fault && (others.length > 0 || Object.keys(fault.fields).length === 0);
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
          <SchemaForm
            schema={ofFormat(schema, format)}
            values={values}
            change={(changed) => {
              setProblem(undefined);
              setValues(changed);
            }}
            problem={fault}
          />
          {type.formats.length > 1 && (
            <Select
              label="Format"
              data={[...type.formats]}
              value={format}
              allowDeselect={false}
              onChange={(value) => setFormat(value ?? format)}
            />
          )}
          {isMessage && <Failed problem={{ ...fault, message: others.join(' ') || fault.message }} />}
          <ConnectionResult answer={problem ? undefined : tested.answer} />
          <Group>
            <Button
              variant="default"
              loading={tested.testing}
              onClick={() => {
                setProblem(undefined);
                void tested.test();
              }}
            >
              Test connection
            </Button>
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
