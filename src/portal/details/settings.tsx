import { Button, Group, Paper, Select, Stack, Text, TextInput, Title } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import type { components } from '../generated/api.ts';
import { useUnsaved } from '../lib/address.ts';
import { api, type ConnectionType, type DataStream, perform } from '../lib/api.ts';
import { useConnectionTest } from '../lib/destination.ts';
import { fromFilters, isValidChoice, toFilters } from '../lib/filters.ts';
import { notify } from '../lib/notices.ts';
import { faultAt, type Problem, problemFrom, unshown } from '../lib/problem.ts';
import { change } from '../lib/query.ts';
import { useConnectionTypes } from '../lib/reads.ts';
import { credentialSchema, initialValues, toCredentials } from '../lib/schema.ts';
import { ConnectionResult } from '../parts/connection-result.tsx';
import { FilterForm } from '../parts/filter-form.tsx';
import { SchemaForm } from '../parts/schema-form.tsx';
import { SetupGuide } from '../parts/setup-guide.tsx';
import { Failed, Loading } from '../parts/show.tsx';

type Patch = components['schemas']['PatchDataStream'];
interface Props {
  readonly stream: DataStream;
}

/** Name, filters and destination of a stream, each saved by itself. */
export function Settings({ stream }: Props) {
  return (
    <Stack gap="lg">
      <Rename stream={stream} />
      <Filters stream={stream} />
      <Destination stream={stream} />
    </Stack>
  );
}

/** Sends a change and says how it went; a fault stays beside the form. */
function useSave({ stream }: Props) {
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  /** @returns whether it was saved */
  const save = async (body: Patch, done: string): Promise<boolean> => {
    setBusy(true);
    setProblem(undefined);
    try {
      const params = { path: { id: stream.id } };
      await change(async () => {
        const call = api.PATCH('/api/v2/data_stream/{id}', { params, body });
        const { logged } = await perform('PATCH', `/api/v2/data_stream/${stream.id}`, body, call);
        notify({ text: done, tone: 'done', call: logged });
      });
      return true;
    } catch (error) {
      setProblem(problemFrom(error));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { problem, setProblem, busy, save };
}

/** The values of a form when it was last saved. A form with other values asks before it closes. */
function useSaved(held: unknown): (saved: unknown) => void {
  const [saved, setSaved] = useState(() => JSON.stringify(held));
  useUnsaved(JSON.stringify(held) !== saved);
  return (now) => setSaved(JSON.stringify(now));
}

function Section({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <Paper withBorder p="lg" component="section" aria-label={title}>
      <Title order={2} size="h4" mb="sm">
        {title}
      </Title>
      {children}
    </Paper>
  );
}

function Rename(props: Props) {
  const { problem, busy, save } = useSave(props);
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

function Filters(props: Props) {
  const { problem, busy, save } = useSave(props);
  const [choice, setChoice] = useState(() => fromFilters(props.stream.filters));
  const saved = useSaved(choice);
  return (
    <Section title="Filters">
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          const filters = toFilters(choice) as NonNullable<Patch['filters']>;
          if (await save({ filters }, 'The filters are changed.')) saved(choice);
        }}
      >
        <Stack>
          <FilterForm
            kind={props.stream.data_stream_type.id === 1 ? 'usage' : 'events'}
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
    </Section>
  );
}

function Destination(props: Props) {
  const types = useConnectionTypes();
  const [chosen, setChosen] = useState(props.stream.destination.connection_type);
  const type = types.data?.find(({ id }) => id === chosen);
  return (
    <Section title="Destination">
      <Text size="sm" mb="md">
        The stream keeps its position: pending records go to the new destination. A secret shown as *** is
        kept, as long as the address stays the same.
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

function DestinationForm({ type, ...props }: Props & { readonly type: ConnectionType }) {
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
      credentials: toCredentials(schema, values, stored),
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
            schema={schema}
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
