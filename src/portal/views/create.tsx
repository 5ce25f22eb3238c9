import { Anchor, Button, Group, Paper, Select, Stack, Stepper, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { linkTo, navigate, router, useAddress, useStillHere, useUnsaved } from '../lib/address.ts';
import { api, type ConnectionType, perform, read } from '../lib/api.ts';
import { useConnectionTest } from '../lib/destination.ts';
import { isValidChoice } from '../lib/filters.ts';
import { focusFirstFault, useFocusOnStep } from '../lib/focus.ts';
import { notify } from '../lib/notices.ts';
import { givenOptions, USUAL_OPTIONS } from '../lib/options.ts';
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
import { bodyOf, type Draft, readDraft, sourceOf, writeDraft } from '../lib/wizard.ts';
import { ConnectionResult } from '../parts/connection-result.tsx';
import { Heading } from '../parts/heading.tsx';
import { OptionsForm } from '../parts/options-form.tsx';
import { PreviewPane } from '../parts/preview.tsx';
import { SchemaForm } from '../parts/schema-form.tsx';
import { SetupGuide } from '../parts/setup-guide.tsx';
import { Failed, Loading } from '../parts/show.tsx';
import { isReady, SourceForm } from '../parts/source-form.tsx';
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
  const [options, setOptions] = useState(USUAL_OPTIONS);
  const [problem, setProblem] = useState<Problem>();
  const [creating, setCreating] = useState(false);
  const stillHere = useStillHere();
  const place = useRef<HTMLDivElement>(null);
  // Both steps are one form, with all changes of the source.
  const saved = useUnsaved(
    JSON.stringify([values, options]) !== JSON.stringify([initial, USUAL_OPTIONS]),
    (to) => to.pathname === '/data-streams/new' && to.searchParams.get('type') === type.id,
  );
  useFocusOnStep(place, draft.step);

  const body = async () =>
    bodyOf(
      draft,
      toCredentials(schema, values, format),
      format,
      { now: Date.now(), retention: await retentionFor(draft) },
      givenOptions(options),
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
    if (Object.keys(found.fields).some((path) => !/^\/(destination|delivery|privacy)/.test(path)))
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
  const { privacy: hidden } = givenOptions(options);
  const privacy = hidden === undefined ? {} : { privacy: hidden };
  const source = isValidChoice(draft.choice) ? sourceOf(draft) : undefined;
  const previewed =
    source &&
    (isFilled
      ? {
          ...source,
          ...privacy,
          destination: bodyOf(draft, credentials, format, { now: 0, retention: 0 }).destination,
        }
      : { ...source, ...privacy });

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
          <SourceForm draft={draft} change={edit} problem={fault} next={() => goTo('destination')} />
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
                <OptionsForm
                  kind={draft.kind}
                  options={options}
                  change={(changed) => {
                    setProblem(undefined);
                    setOptions(changed);
                  }}
                  problem={fault}
                />
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

function Faults({
  problem,
  schema,
}: {
  readonly problem: Problem | undefined;
  readonly schema: CredentialSchema;
}) {
  if (!problem) return null;
  const fields = Object.keys(schema.properties).map((name) => `/destination/credentials/${name}`);
  const others = unshown(problem, [...fields, '/destination/format', '/delivery', '/privacy']);
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
