import { Anchor, Button, Group, Paper, Stack, Stepper, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { linkTo, navigate, router, useAddress, useStillHere, useUnsaved } from '../lib/address.ts';
import { api, type ConnectionType, perform, read } from '../lib/api.ts';
import {
  fieldsOfDestination,
  givenCredentials,
  heldDestination,
  useConnectionTest,
} from '../lib/destination.ts';
import { isValidChoice } from '../lib/filters.ts';
import { focusFirstFault, useFocusOnStep } from '../lib/focus.ts';
import { notify } from '../lib/notices.ts';
import { givenOptions, USUAL_OPTIONS } from '../lib/options.ts';
import { type Problem, problemFrom, restOf } from '../lib/problem.ts';
import { change } from '../lib/query.ts';
import { useConnectionTypes } from '../lib/reads.ts';
import { HOME } from '../lib/router.ts';
import { credentialSchema } from '../lib/schema.ts';
import { useSession } from '../lib/session.ts';
import { bodyOf, type Draft, readDraft, sourceOf, writeDraft } from '../lib/wizard.ts';
import { ConnectionResult } from '../parts/connection-result.tsx';
import { DestinationForm, TestButton } from '../parts/destination-form.tsx';
import { Heading } from '../parts/heading.tsx';
import { OptionsForm } from '../parts/options-form.tsx';
import { PreviewPane } from '../parts/preview.tsx';
import { Reading } from '../parts/reading.tsx';
import { SetupGuide } from '../parts/setup-guide.tsx';
import { Failed } from '../parts/show.tsx';
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
  const type = types.data?.find(({ id }) => id === draft.type);
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
      <Reading of={types} what="connection types">
        {(all) =>
          type ? (
            <Flow key={type.id} type={type} draft={draft} />
          ) : (
            <>
              <Text>
                Choose the destination of the records.
                {draft.start.from === 'stream' &&
                  ` The new data stream goes on exactly where data stream ${draft.start.id} ends. Its destination may be the same or another one.`}
              </Text>
              <Tiles types={all} linkOf={(id) => writeDraft({ ...draft, type: id })} />
            </>
          )
        }
      </Reading>
    </Stack>
  );
}

function Flow({ type, draft }: { readonly type: ConnectionType; readonly draft: Draft }) {
  const [initial] = useState(() => heldDestination(type));
  const [held, setHeld] = useState(initial);
  const [options, setOptions] = useState(USUAL_OPTIONS);
  const [problem, setProblem] = useState<Problem>();
  const [creating, setCreating] = useState(false);
  const stillHere = useStillHere();
  const place = useRef<HTMLDivElement>(null);
  // Both steps are one form, with all changes of the source.
  const saved = useUnsaved(
    JSON.stringify([held, options]) !== JSON.stringify([initial, USUAL_OPTIONS]),
    (to) => to.pathname === '/data-streams/new' && to.searchParams.get('type') === type.id,
  );
  useFocusOnStep(place, draft.step);

  const credentials = givenCredentials(type, held);
  const body = async () =>
    bodyOf(
      draft,
      credentials,
      held.format,
      { now: Date.now(), retention: await retentionFor(draft) },
      givenOptions(options),
    );
  const tested = useConnectionTest(held, body);
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
  // The request is shown once the form has what the connection type needs.
  const isFilled = (credentialSchema(type).required ?? []).every((name) => credentials[name] !== undefined);
  const { privacy: hidden } = givenOptions(options);
  const privacy = hidden === undefined ? {} : { privacy: hidden };
  const source = isValidChoice(draft.choice) ? sourceOf(draft) : undefined;
  const previewed =
    source &&
    (isFilled
      ? {
          ...source,
          ...privacy,
          destination: bodyOf(draft, credentials, held.format, { now: 0, retention: 0 }).destination,
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
                <DestinationForm
                  type={type}
                  held={held}
                  change={(changed) => {
                    setProblem(undefined);
                    setHeld(changed);
                  }}
                  problem={fault}
                />
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
                <Faults
                  problem={fault}
                  type={type}
                  title={
                    problem
                      ? 'The data stream cannot be created like this'
                      : 'The destination cannot be used like this'
                  }
                />
                <Group justify="space-between">
                  <Button variant="default" onClick={() => goTo('source')}>
                    Back
                  </Button>
                  <Group>
                    <TestButton tested={tested} start={() => setProblem(undefined)} disabled={creating} />
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
  type,
  title,
}: {
  readonly problem: Problem | undefined;
  readonly type: ConnectionType;
  readonly title: string;
}) {
  if (!problem) return null;
  const shown = [...fieldsOfDestination(type), '/delivery', '/privacy'];
  const rest = restOf(problem, shown) ?? { ...problem, message: 'See the fields that are marked above.' };
  return <Failed problem={rest} title={title} />;
}

/** Seconds that records are kept; read only where the start of the stream depends on it. */
async function retentionFor({ start }: Draft): Promise<number> {
  if (start.from !== 'all') return 0;
  return (await read(api.GET('/api/v2/data_stream/platform'))).retention_seconds;
}
