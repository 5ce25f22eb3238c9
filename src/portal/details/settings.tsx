import { Anchor, Button, Group, Paper, Select, Stack, Text, TextInput, Title } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import type { components } from '../generated/api.ts';
import { linkTo, useUnsaved } from '../lib/address.ts';
import { api, type ConnectionType, type DataStream, perform } from '../lib/api.ts';
import { deliveryOf, deliveryValues } from '../lib/delivery.ts';
import { useConnectionTest } from '../lib/destination.ts';
import { type Choice, fromFilters, isValidChoice, toFilters } from '../lib/filters.ts';
import { notify } from '../lib/notices.ts';
import { faultAt, type Problem, problemFrom, unshown } from '../lib/problem.ts';
import { change } from '../lib/query.ts';
import { useConnectionTypes } from '../lib/reads.ts';
import { credentialSchema, initialValues, ofFormat, toCredentials } from '../lib/schema.ts';
import { kindOfRecords } from '../lib/streams.ts';
import { successorOf, writeDraft } from '../lib/wizard.ts';
import { ConnectionResult } from '../parts/connection-result.tsx';
import { DeliveryForm } from '../parts/delivery-form.tsx';
import { FilterForm } from '../parts/filter-form.tsx';
import { PreviewPane } from '../parts/preview.tsx';
import { SchemaForm } from '../parts/schema-form.tsx';
import { SetupGuide } from '../parts/setup-guide.tsx';
import { Failed, Loading } from '../parts/show.tsx';

type Patch = components['schemas']['PatchDataStream'];
interface Props {
  readonly stream: DataStream;
}

/** Name, filters, destination, order and pace of a stream, each saved by itself; and its successor. */
export function Settings({ stream }: Props) {
  return (
    <Stack gap="lg">
      <Rename stream={stream} />
      <Filters stream={stream} />
      <Destination stream={stream} />
      <Delivery stream={stream} />
      <Successor stream={stream} />
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

/** What the stream would deliver with other filters, by the request of its own destination. */
function previewOf(stream: DataStream, choice: Choice) {
  if (!isValidChoice(choice)) return undefined;
  const { id, data_stream_type, relation_resolution, destination } = stream;
  const { connection_type, credentials, format } = destination;
  return {
    id,
    data_stream_type: { id: data_stream_type.id },
    relation_resolution: { id: relation_resolution.id },
    filters: toFilters(choice) as NonNullable<Patch['filters']>,
    destination: { connection_type, credentials, format } as NonNullable<Patch['destination']>,
  };
}

function Delivery(props: Props) {
  const { problem, busy, save } = useSave(props);
  const stored = props.stream.delivery;
  const [values, setValues] = useState(() => deliveryValues(stored));
  const saved = useSaved(values);
  return (
    <Section title="Order and pace">
      <form
        noValidate
        onSubmit={async (event) => {
          event.preventDefault();
          const delivery = deliveryOf(values, stored) ?? {};
          if (await save({ delivery }, 'Order and pace are changed.')) saved(values);
        }}
      >
        <Stack>
          <Text size="sm">
            A change takes effect after the requests that are under way, and repeats nothing.
          </Text>
          <DeliveryForm values={values} change={setValues} problem={problem} />
          {problem && !faultAt(problem, '/delivery') && <Failed problem={problem} />}
          <Group>
            <Button type="submit" loading={busy}>
              Save order and pace
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}

function Successor({ stream }: Props) {
  const { taken_over_by } = stream;
  return (
    <Section title="Take over">
      <Stack align="flex-start">
        {taken_over_by === undefined ? (
          <>
            <Text size="sm">
              A new data stream can go on exactly where this one ends, to any destination. This one is paused
              then and stays as the way back. Together they deliver each record once.
            </Text>
            <Button component="a" variant="default" {...linkTo(writeDraft(successorOf(stream)))}>
              Add a data stream that takes over
            </Button>
          </>
        ) : (
          <Text size="sm">
            Data stream <Anchor {...linkTo(`/data-streams/${taken_over_by}`)}>{taken_over_by}</Anchor> took
            over from this one. To go back, delete that one, then switch this one on: it goes on from its own
            place, and so delivers again what that one delivered.
          </Text>
        )}
      </Stack>
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
