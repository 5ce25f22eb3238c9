import { Alert, Button, Group, Paper, Select, Stack, Text, TextInput, Title } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import type { components } from '../generated/api.ts';
import { api, type ConnectionType, type DataStream, perform, read } from '../lib/api.ts';
import { fromFilters, isValidChoice, toFilters } from '../lib/filters.ts';
import { usePolling } from '../lib/polling.ts';
import { faultAt, type Problem, problemFrom, unshown } from '../lib/problem.ts';
import { type CredentialSchema, initialValues, toCredentials } from '../lib/schema.ts';
import { FilterForm } from '../parts/filter-form.tsx';
import { tell } from '../parts/notices.tsx';
import { SchemaForm } from '../parts/schema-form.tsx';
import { SetupGuide } from '../parts/setup-guide.tsx';
import { Failed, Loading } from '../parts/show.tsx';

type Patch = components['schemas']['PatchDataStream'];
interface Props {
  readonly stream: DataStream;
  readonly changed: () => Promise<void>;
}

/** Name, filters and destination of a stream, each saved by itself. */
export function Settings({ stream, changed }: Props) {
  return (
    <Stack gap="lg">
      <Rename stream={stream} changed={changed} />
      {stream.data_stream_type.id === 2 && <Filters stream={stream} changed={changed} />}
      <Destination stream={stream} changed={changed} />
    </Stack>
  );
}

/** Sends a change and tells how it went; the fault stays beside the form. */
function useSave({ stream, changed }: Props) {
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const save = async (body: Patch, done: string) => {
    setBusy(true);
    setProblem(undefined);
    try {
      const params = { path: { id: stream.id } };
      const call = api.PATCH('/api/v2/data_stream/{id}', { params, body });
      const { logged } = await perform('PATCH', `/api/v2/data_stream/${stream.id}`, body, call);
      tell(done, logged);
      await changed();
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  return { problem, setProblem, busy, save };
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
  return (
    <Section title="Name">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void save({ name: name.trim() }, 'The name is changed.');
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
  return (
    <Section title="Filters">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const filters = toFilters(choice) as NonNullable<Patch['filters']>;
          void save({ filters }, 'The filters are changed.');
        }}
      >
        <Stack>
          <FilterForm choice={choice} change={setChoice} problem={problem} />
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
  const types = usePolling('types', () => read(api.GET('/api/v2/data_stream/connection_type')));
  const [chosen, setChosen] = useState(props.stream.destination.connection_type);
  const type = types.data?.find(({ id }) => id === chosen);
  return (
    <Section title="Destination">
      <Text size="sm" mb="md">
        The stream keeps its place: what waits goes to the new destination. A secret shown as *** stays as it
        is, as long as the address does.
      </Text>
      {!types.data &&
        (types.problem ? <Failed problem={types.problem} /> : <Loading what="connection types" />)}
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
  const schema = type.schema as unknown as CredentialSchema;
  const same = type.id === stream.destination.connection_type;
  const stored = same ? (stream.destination.credentials as unknown as Record<string, unknown>) : {};
  const [values, setValues] = useState(() => initialValues(schema, stored));
  const [format, setFormat] = useState(same ? stream.destination.format : (type.formats[0] ?? 'Json'));
  const [reached, setReached] = useState<string>();
  const [testing, setTesting] = useState(false);
  const destination = () =>
    ({
      connection_type: type.id,
      credentials: toCredentials(schema, values, stored),
      format,
    }) as unknown as NonNullable<Patch['destination']>;

  const test = async () => {
    setTesting(true);
    setProblem(undefined);
    setReached(undefined);
    try {
      const path = '/api/v2/data_stream/test';
      const body = {
        id: stream.id,
        data_stream_type: { id: stream.data_stream_type.id },
        destination: destination(),
      };
      const { data } = await perform('POST', path, body, api.POST(path, { body }));
      setReached(data.target);
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setTesting(false);
  };
  const fields = Object.keys(schema.properties).map((name) => `/destination/credentials/${name}`);
  const others = problem ? unshown(problem, fields) : [];
  const told = problem && (others.length > 0 || Object.keys(problem.fields).length === 0);
  return (
    <div className="create">
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          setReached(undefined);
          void save({ destination: destination() }, 'The destination is changed.');
        }}
      >
        <Stack>
          <SchemaForm schema={schema} values={values} change={setValues} problem={problem} />
          {type.formats.length > 1 && (
            <Select
              label="Format"
              data={[...type.formats]}
              value={format}
              allowDeselect={false}
              onChange={(value) => setFormat(value ?? format)}
            />
          )}
          {told && <Failed problem={{ ...problem, message: others.join(' ') || problem.message }} />}
          {reached !== undefined && (
            <Alert color="green" variant="outline" role="status" title="The destination can be used">
              {reached} was reached. No record was delivered.
            </Alert>
          )}
          <Group>
            <Button variant="default" loading={testing} onClick={() => void test()}>
              Test connection
            </Button>
            <Button type="submit" loading={busy}>
              Save destination
            </Button>
          </Group>
        </Stack>
      </form>
      <SetupGuide type={type} />
    </div>
  );
}
