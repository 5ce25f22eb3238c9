import { Anchor, Button, Group, Paper, Radio, Select, Stack, Stepper, Text, TextInput } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { linkTo, navigate, router, useAddress, useStillHere, useUnsaved } from '../lib/address.ts';
import { api, type ConnectionType, perform, read } from '../lib/api.ts';
import { deliveryOf, deliveryValues } from '../lib/delivery.ts';
import { useConnectionTest } from '../lib/destination.ts';
import { isValidChoice, usageChoice } from '../lib/filters.ts';
import { notify } from '../lib/notices.ts';
import { faultAt, type Problem, problemFrom, unshown } from '../lib/problem.ts';
import { change } from '../lib/query.ts';
import { useConnectionTypes } from '../lib/reads.ts';
import { HOME } from '../lib/router.ts';
import {
  type CredentialSchema,
  credentialSchema,
  initialValues,
  ofFormat,
  toCredentials,
} from '../lib/schema.ts';
import { useSession } from '../lib/session.ts';
import { isValidStart } from '../lib/start.ts';
import { bodyOf, type Draft, readDraft, sourceOf, writeDraft } from '../lib/wizard.ts';
import { ConnectionResult } from '../parts/connection-result.tsx';
import { DeliveryForm } from '../parts/delivery-form.tsx';
import { FilterForm } from '../parts/filter-form.tsx';
import { Heading } from '../parts/heading.tsx';
import { PreviewPane } from '../parts/preview.tsx';
import { SchemaForm } from '../parts/schema-form.tsx';
import { SetupGuide } from '../parts/setup-guide.tsx';
import { Failed, Loading } from '../parts/show.tsx';
import { StartForm } from '../parts/start-form.tsx';
import { Tiles } from '../parts/tiles.tsx';

/** The flow of a new stream. The address holds type, step and source. */
export default function Create() {
  const { canWrite } = useSession();
  const draft = readDraft(useAddress().searchParams);
  const types = useConnectionTypes();
  if (!canWrite) {
    return (
      <Stack>
        <Heading title="Add new data stream" />
        <Text>Your role can look at data streams, but not add any.</Text>
      </Stack>
    );
  }
  if (!types.data) {
    return (
      <Stack>
        <Heading title="Add new data stream" />
        {types.problem ? (
          <Failed problem={types.problem} retry={() => void types.reload()} />
        ) : (
          <Loading what="connection types" retry={types.reload} />
        )}
      </Stack>
    );
  }
  const type = types.data.find(({ id }) => id === draft.type);
  return (
    <Stack>
      <div>
        <Anchor size="sm" className="back" {...linkTo(HOME)}>
          Data Streams
        </Anchor>
        <Heading
          key={type?.id ?? 'types'}
          title={type ? `New data stream: ${type.description}` : 'Add new data stream'}
        />
      </div>
      {type ? (
        <Flow key={type.id} type={type} draft={draft} />
      ) : (
        <>
          <Text>
            Where should the records go?
            {draft.start.from === 'stream' &&
              ` The new data stream takes over from data stream ${draft.start.id}; it may go elsewhere.`}
          </Text>
          <Tiles types={types.data} linkOf={(id) => writeDraft({ ...draft, type: id })} />
        </>
      )}
    </Stack>
  );
}

function Flow({ type, draft }: { readonly type: ConnectionType; readonly draft: Draft }) {
  const schema = credentialSchema(type);
  const [initial] = useState(() => initialValues(schema));
  const [values, setValues] = useState(initial);
  const [format, setFormat] = useState(type.formats[0] ?? 'Json');
  const [delivery, setDelivery] = useState(() => deliveryValues(undefined));
  const [problem, setProblem] = useState<Problem>();
  const [creating, setCreating] = useState(false);
  const stillHere = useStillHere();
  const place = useRef<HTMLDivElement>(null);
  // Both steps are one form, with all changes of the source.
  const saved = useUnsaved(
    JSON.stringify(values) !== JSON.stringify(initial),
    (to) => to.pathname === '/data-streams/new' && to.searchParams.get('type') === type.id,
  );
  useFocusOnStep(place, draft.step);

  const body = async () =>
    bodyOf(
      draft,
      toCredentials(schema, values, format),
      format,
      { now: Date.now(), retention: await retentionFor(draft) },
      deliveryOf(delivery),
    );
  const tested = useConnectionTest({ values, format }, body);
  const edit = (part: Partial<Draft>) => {
    setProblem(undefined);
    router.amend(writeDraft({ ...draft, ...part }));
  };
  const goTo = (step: Draft['step']) => navigate(writeDraft({ ...draft, step }));

  /** Shows a fault where it is: its field may be on the step before. */
  const show = (found: Problem) => {
    setProblem(found);
    if (
      Object.keys(found.fields).some(
        (path) => !path.startsWith('/destination') && !path.startsWith('/delivery'),
      )
    )
      goTo('source');
  };
  // After the drawing that marks the fields.
  useEffect(() => {
    if (problem) focusFirstFault(place.current);
  }, [problem]);
  const create = async () => {
    setCreating(true);
    setProblem(undefined);
    try {
      const path = '/api/v2/data_stream';
      const sent = await body();
      const { logged, response } = await change(() =>
        perform('POST', path, sent, api.POST(path, { body: sent })),
      );
      const id = response.headers.get('location')?.split('/').at(-1);
      const link =
        id === undefined ? undefined : { to: `/data-streams/${id}`, label: 'Show the data stream' };
      notify({
        text: `${draft.name.trim() || 'The data stream'} is created.`,
        tone: 'done',
        call: logged,
        link,
      });
      saved();
      // A reader who has left the page is not pulled back; the notice has a link.
      if (stillHere()) navigate(HOME);
    } catch (error) {
      if (stillHere()) show(problemFrom(error));
      else notify({ text: `The data stream was not created: ${problemFrom(error).message}`, tone: 'failed' });
    }
    setCreating(false);
  };
  const fault = problem ?? tested.problem;
  const credentials = toCredentials(schema, values, format);
  // The request is shown once the form has what the connection type needs.
  const isFilled = (schema.required ?? []).every((name) => credentials[name] !== undefined);
  const source = isValidChoice(draft.choice) ? sourceOf(draft) : undefined;
  const previewed =
    source &&
    (isFilled
      ? {
          ...source,
          destination: bodyOf(draft, credentials, format, { now: 0, retention: 0 }).destination,
        }
      : source);

  return (
    <Stack gap="lg" ref={place}>
      <Stepper
        active={draft.step === 'source' ? 0 : 1}
        size="sm"
        onStepClick={(step) => goTo(step === 0 ? 'source' : 'destination')}
        allowNextStepsSelect={isReady(draft)}
        aria-label="Steps"
      >
        <Stepper.Step
          label="Source"
          description="What is delivered"
          {...(draft.step === 'source' ? { 'aria-current': 'step' } : {})}
        />
        <Stepper.Step
          label="Destination"
          description="Where it goes"
          {...(draft.step === 'destination' ? { 'aria-current': 'step' } : {})}
        />
      </Stepper>
      {draft.step === 'source' ? (
        <div className="create">
          <SourceStep draft={draft} change={edit} problem={fault} next={() => goTo('destination')} />
          <PreviewPane body={source} />
        </div>
      ) : (
        <div className="create">
          <form
            onSubmit={(event) => {
              event.preventDefault();
              void create();
            }}
            noValidate
            aria-label="Destination"
          >
            <Paper withBorder p="lg">
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
                    error={faultAt(fault, '/destination/format') ?? null}
                    onChange={(chosen) => setFormat(chosen ?? format)}
                  />
                )}
                <details>
                  <summary>Order and pace</summary>
                  <Stack mt="sm">
                    <DeliveryForm
                      values={delivery}
                      change={(changed) => {
                        setProblem(undefined);
                        setDelivery(changed);
                      }}
                      problem={fault}
                    />
                  </Stack>
                </details>
                <ConnectionResult answer={problem ? undefined : tested.answer} />
                <Faults problem={fault} schema={schema} />
                <Group justify="space-between">
                  <Button variant="default" onClick={() => goTo('source')}>
                    Back
                  </Button>
                  <Group>
                    <Button
                      variant="default"
                      loading={tested.testing}
                      disabled={creating}
                      onClick={() => {
                        setProblem(undefined);
                        void tested.test();
                      }}
                    >
                      Test connection
                    </Button>
                    <Button type="submit" loading={creating} disabled={tested.testing}>
                      Create
                    </Button>
                  </Group>
                </Group>
              </Stack>
            </Paper>
          </form>
          <Stack>
            <SetupGuide type={type} />
            <PreviewPane body={previewed} />
          </Stack>
        </div>
      )}
    </Stack>
  );
}

/** A step that replaces another one takes the focus with its first field. */
function useFocusOnStep(place: React.RefObject<HTMLElement | null>, step: Draft['step']): void {
  const before = useRef(step);
  useEffect(() => {
    if (before.current === step) return;
    before.current = step;
    place.current?.querySelector<HTMLElement>('form input, form textarea')?.focus();
  }, [place, step]);
}

/** Moves the focus to the first marked field, otherwise to the message. */
function focusFirstFault(place: HTMLElement | null): void {
  // The focus that the step sets itself comes first.
  requestAnimationFrame(() => {
    const fault = place?.querySelector<HTMLElement>('[aria-invalid="true"], [data-error="true"] input');
    if (fault) return fault.focus();
    const alert = place?.querySelector<HTMLElement>('[role="alert"]');
    if (!alert) return;
    alert.tabIndex = -1;
    alert.focus();
  });
}

function Faults({
  problem,
  schema,
}: {
  readonly problem: Problem | undefined;
  readonly schema: CredentialSchema;
}) {
  if (!problem) return null;
  const fields = Object.keys(schema.properties).map((name) => `/destination/credentials/${name}`);
  const others = unshown(problem, [...fields, '/destination/format', '/delivery']);
  const count = Object.keys(problem.fields).length;
  const message =
    count === 0
      ? problem.message
      : others.length > 0
        ? others.join(' ')
        : 'See the fields that are marked above.';
  return <Failed problem={{ ...problem, message }} title="The data stream cannot be created like this" />;
}

/** Seconds that records are kept; read only where the start of the stream depends on it. */
async function retentionFor({ start }: Draft): Promise<number> {
  if (start.from !== 'all') return 0;
  return (await read(api.GET('/api/v2/data_stream/platform'))).retention_seconds;
}

/** The source is complete. */
const isReady = ({ kind, choice, start }: Draft) =>
  isValidStart(start) && (kind === 'usage' || isValidChoice(choice));

const OF = [
  { value: '1', label: 'This organisation' },
  { value: '2', label: 'Its child organisations' },
  { value: '3', label: 'This organisation and its children' },
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
    <Paper withBorder p="lg">
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
            description="Optional. Helps you to find the stream again."
            value={draft.name}
            maxLength={500}
            autoComplete="off"
            error={faultAt(problem, '/name') ?? null}
            onChange={(event) => change({ name: event.currentTarget.value })}
          />
          <Radio.Group
            label="What to deliver"
            value={draft.kind}
            onChange={(kind) =>
              change({
                kind: kind as Draft['kind'],
                // A stream of the other kind cannot go on there.
                ...(draft.start.from === 'stream' ? { start: { from: 'now' } } : {}),
              })
            }
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
          {draft.kind && (
            <FilterForm
              kind={draft.kind}
              choice={draft.kind === 'usage' ? usageChoice(draft.choice) : draft.choice}
              change={(choice) => change({ choice })}
              problem={problem}
            />
          )}
          <Select
            label="Of which organisations"
            data={OF}
            value={String(draft.relation)}
            allowDeselect={false}
            onChange={(value) => change({ relation: Number(value ?? 1) as 1 | 2 | 3 })}
          />
          <StartForm
            kind={draft.kind}
            start={draft.start}
            change={(start) => change({ start })}
            fault={faultAt(problem, '/start_from') ?? faultAt(problem, '/continue_from')}
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
