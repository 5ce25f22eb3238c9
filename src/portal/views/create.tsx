import {
  Alert,
  Anchor,
  Button,
  Group,
  Paper,
  Radio,
  Select,
  Stack,
  Stepper,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { useState } from 'react';
import { api, type ConnectionType, perform, read } from '../lib/api.ts';
import { isValidChoice } from '../lib/filters.ts';
import { usePolling } from '../lib/polling.ts';
import { faultAt, type Problem, problemFrom, unshown } from '../lib/problem.ts';
import { linkTo, navigate, useAddress } from '../lib/router.ts';
import { type CredentialSchema, initialValues, toCredentials } from '../lib/schema.ts';
import { useSession } from '../lib/session.ts';
import { isValidStart } from '../lib/start.ts';
import { bodyOf, type Draft, readDraft, writeDraft } from '../lib/wizard.ts';
import { FilterForm } from '../parts/filter-form.tsx';
import { tell } from '../parts/notices.tsx';
import { SchemaForm } from '../parts/schema-form.tsx';
import { SetupGuide } from '../parts/setup-guide.tsx';
import { Failed, Loading } from '../parts/show.tsx';
import { StartForm } from '../parts/start-form.tsx';
import { Tiles } from '../parts/tiles.tsx';

/** The flow of a new stream. Which type, which step and what of the source stand in the address. */
export default function Create() {
  const { canWrite } = useSession();
  const draft = readDraft(useAddress().searchParams);
  const types = usePolling('types', () => read(api.GET('/api/v2/data_stream/connection_type')));
  if (!canWrite) {
    return (
      <Stack>
        <Title order={1}>Add new data stream</Title>
        <Text>Your role may look at data streams, and not add any.</Text>
      </Stack>
    );
  }
  if (!types.data) {
    return (
      <Stack>
        <Title order={1}>Add new data stream</Title>
        {types.problem ? (
          <Failed problem={types.problem} retry={() => void types.reload()} />
        ) : (
          <Loading what="connection types" />
        )}
      </Stack>
    );
  }
  const type = types.data.find(({ id }) => id === draft.type);
  return (
    <Stack>
      <div>
        <Anchor size="sm" {...linkTo('/data-streams')}>
          Data Streams
        </Anchor>
        <Title order={1}>{type ? `New data stream: ${type.description}` : 'Add new data stream'}</Title>
      </div>
      {type ? (
        <Flow key={type.id} type={type} draft={draft} />
      ) : (
        <>
          <Text>Where are the records to go?</Text>
          <Tiles types={types.data} />
        </>
      )}
    </Stack>
  );
}

function Flow({ type, draft }: { readonly type: ConnectionType; readonly draft: Draft }) {
  const schema = type.schema as unknown as CredentialSchema;
  const [values, setValues] = useState(() => initialValues(schema));
  const [format, setFormat] = useState(type.formats[0] ?? 'Json');
  const [problem, setProblem] = useState<Problem>();
  const [reached, setReached] = useState<string>();
  const [busy, setBusy] = useState<'test' | 'create'>();
  const change = (part: Partial<Draft>) => {
    setProblem(undefined);
    navigate(writeDraft({ ...draft, ...part }), { replace: true });
  };
  const goTo = (step: Draft['step']) => navigate(writeDraft({ ...draft, step }));

  const run = async (what: 'test' | 'create') => {
    setBusy(what);
    setProblem(undefined);
    setReached(undefined);
    try {
      const body = bodyOf(draft, toCredentials(schema, values), format, {
        now: Date.now(),
        retention: await retentionFor(draft),
      });
      if (what === 'test') {
        const path = '/api/v2/data_stream/test';
        const { data } = await perform('POST', path, body, api.POST(path, { body }));
        setReached(data.target);
      } else {
        const path = '/api/v2/data_stream';
        const { logged } = await perform('POST', path, body, api.POST(path, { body }));
        tell(`${draft.name.trim() || 'The data stream'} is created.`, logged);
        navigate('/data-streams');
        return;
      }
    } catch (error) {
      const found = problemFrom(error);
      setProblem(found);
      // The fault's field may be on the step before.
      if (Object.keys(found.fields).some((path) => !path.startsWith('/destination'))) goTo('source');
    }
    setBusy(undefined);
  };

  const active = draft.step === 'source' ? 0 : 1;
  return (
    <Stack gap="lg">
      <Stepper
        active={active}
        size="sm"
        onStepClick={(step) => goTo(step === 0 ? 'source' : 'destination')}
        allowNextStepsSelect={isReady(draft)}
        aria-label="Steps"
      >
        <Stepper.Step label="Source" description="What is delivered" />
        <Stepper.Step label="Destination" description="Where it goes" />
      </Stepper>
      {draft.step === 'source' ? (
        <SourceStep draft={draft} change={change} problem={problem} next={() => goTo('destination')} />
      ) : (
        <div className="create">
          <form
            onSubmit={(event) => {
              event.preventDefault();
              void run('create');
            }}
            noValidate
            aria-label="Destination"
          >
            <Paper withBorder p="lg">
              <Stack>
                <SchemaForm
                  schema={schema}
                  values={values}
                  change={(changed) => {
                    setValues(changed);
                    setReached(undefined);
                  }}
                  problem={problem}
                />
                {type.formats.length > 1 && (
                  <Select
                    label="Format"
                    data={[...type.formats]}
                    value={format}
                    allowDeselect={false}
                    error={faultAt(problem, '/destination/format') ?? null}
                    onChange={(chosen) => setFormat(chosen ?? format)}
                  />
                )}
                <Outcome problem={problem} reached={reached} schema={schema} />
                <Group justify="space-between">
                  <Button variant="default" onClick={() => goTo('source')}>
                    Back
                  </Button>
                  <Group>
                    <Button variant="default" loading={busy === 'test'} onClick={() => void run('test')}>
                      Test connection
                    </Button>
                    <Button type="submit" loading={busy === 'create'}>
                      Create
                    </Button>
                  </Group>
                </Group>
              </Stack>
            </Paper>
          </form>
          <SetupGuide type={type} />
        </div>
      )}
    </Stack>
  );
}

function Outcome({
  problem,
  reached,
  schema,
}: {
  readonly problem: Problem | undefined;
  readonly reached: string | undefined;
  readonly schema: CredentialSchema;
}) {
  if (reached !== undefined) {
    return (
      <Alert
        color="green"
        variant="outline"
        title="The destination can be used"
        role="status"
        className="wrap"
      >
        {reached} was reached. No record was delivered.
      </Alert>
    );
  }
  if (!problem) return null;
  const fields = Object.keys(schema.properties).map((name) => `/destination/credentials/${name}`);
  const others = unshown(problem, [...fields, '/destination/format']);
  const count = Object.keys(problem.fields).length;
  const message =
    count === 0
      ? problem.message
      : others.length > 0
        ? others.join(' ')
        : 'See the fields that are marked above.';
  return <Failed problem={{ ...problem, message }} title="The data stream cannot be created like this" />;
}

/** Seconds that records are kept, asked for where the start depends on it. */
async function retentionFor({ start }: Draft): Promise<number> {
  if (start.from !== 'all') return 0;
  return (await read(api.GET('/api/v2/data_stream/platform'))).retention_seconds;
}

/** Nothing of the source is still to be filled in. */
const isReady = ({ kind, choice, start }: Draft) =>
  isValidStart(start) && (kind === 'usage' || isValidChoice(choice));

const OF = [
  { value: '1', label: 'This organisation' },
  { value: '2', label: 'Organisations below it' },
  { value: '3', label: 'This organisation and those below it' },
];

function SourceStep({
  draft,
  change,
  problem,
  next,
}: {
  readonly draft: Draft;
  readonly change: (part: Partial<Draft>) => void;
  readonly problem: Problem | undefined;
  readonly next: () => void;
}) {
  return (
    <Paper withBorder p="lg" maw={720}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          next();
        }}
        aria-label="Source"
      >
        <Stack>
          <TextInput
            label="Name"
            description="For you to know it by; may be left empty."
            value={draft.name}
            maxLength={500}
            autoComplete="off"
            error={faultAt(problem, '/name') ?? null}
            onChange={(event) => change({ name: event.currentTarget.value })}
          />
          <Radio.Group
            label="What to deliver"
            value={draft.kind}
            onChange={(kind) => change({ kind: kind as Draft['kind'] })}
            error={faultAt(problem, '/data_stream_type') ?? null}
          >
            <Stack gap="xs" mt="xs">
              <Radio
                value="usage"
                label="Usage data"
                description="Volume and cost of data and SMS, per SIM"
              />
              <Radio value="events" label="Events" description="What happens to SIMs, endpoints and users" />
            </Stack>
          </Radio.Group>
          {draft.kind === 'events' && (
            <FilterForm choice={draft.choice} change={(choice) => change({ choice })} problem={problem} />
          )}
          <Select
            label="Of which organisations"
            data={OF}
            value={String(draft.relation)}
            allowDeselect={false}
            onChange={(value) => change({ relation: Number(value ?? 1) as 1 | 2 | 3 })}
          />
          <StartForm
            start={draft.start}
            change={(start) => change({ start })}
            fault={faultAt(problem, '/start_from')}
          />
          <Group justify="flex-end">
            <Button type="submit" disabled={!isReady(draft)}>
              Next: destination
            </Button>
          </Group>
        </Stack>
      </form>
    </Paper>
  );
}
