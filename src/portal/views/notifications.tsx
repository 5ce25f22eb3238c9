import {
  Alert,
  Button,
  Group,
  NumberInput,
  Paper,
  PasswordInput,
  Stack,
  Switch,
  Text,
  TextInput,
} from '@mantine/core';
import { type FormEvent, useState } from 'react';
import type { components } from '../generated/api.ts';
import { useUnsaved } from '../lib/address.ts';
import { api, perform, read } from '../lib/api.ts';
import { formatDuration } from '../lib/format.ts';
import { notify } from '../lib/notices.ts';
import { EVENT_WORDS, notificationBody, notificationValues } from '../lib/notification.ts';
import { faultAt, type Problem, problemFrom, unshown } from '../lib/problem.ts';
import { change, useRead } from '../lib/query.ts';
import { newSigningSecret } from '../lib/schema.ts';
import { useSession } from '../lib/session.ts';
import { ExchangeView } from '../parts/exchange.tsx';
import { Heading } from '../parts/heading.tsx';
import { Copy, Failed, Loading, Message, Time } from '../parts/show.tsx';
import { attempt } from '../parts/stream-actions.ts';

type Notification = components['schemas']['Notification'];
type TestResult = components['schemas']['TestRecordResult'];

const PATH = '/api/v2/data_stream/notification';
const NAMES = ['notification'];

/** Who is notified when a data stream needs attention. */
export default function Notifications() {
  const stored = useRead(['notification'], (signal) => read(api.GET(PATH, { signal })));
  return (
    <Stack gap="lg">
      <Heading title="Notifications" />
      <Text>
        One webhook for all data streams of your organisation. It gets at most one message an hour for each
        data stream and event. The same facts come as events, with type ids from 10001, in data streams of
        events.
      </Text>
      {stored.data ? (
        <Receiver key={stored.data.modified} stored={stored.data} />
      ) : stored.problem ? (
        <Failed problem={stored.problem} retry={() => void stored.reload()} />
      ) : (
        <Loading what="the receiver of notifications" retry={stored.reload} />
      )}
    </Stack>
  );
}

function Receiver({ stored }: { readonly stored: Notification }) {
  const { canWrite } = useSession();
  const [initial] = useState(() => notificationValues(stored));
  const [values, setValues] = useState(initial);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const isChanged = JSON.stringify(values) !== JSON.stringify(initial);
  useUnsaved(isChanged);
  const set = (part: Partial<typeof values>) => {
    setProblem(undefined);
    setValues({ ...values, ...part });
  };
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    const body = notificationBody(values, stored);
    try {
      const call = () => perform('PUT', PATH, body, api.PUT(PATH, { body }));
      const { logged } = await change(call, undefined, NAMES);
      notify({ text: 'The receiver of notifications is changed.', tone: 'done', call: logged });
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  const others = problem ? unshown(problem, ['/url', '/signing_secret', '/events', '/lag_minutes']) : [];
  const isMessage = problem && (others.length > 0 || Object.keys(problem.fields).length === 0);
  return (
    <Paper withBorder p="lg" component="section" aria-label="Receiver">
      <form onSubmit={submit} noValidate>
        <fieldset disabled={!canWrite} className="plain">
          <Stack maw={560}>
            <Standing stored={stored} />
            <TextInput
              label="URL"
              description="Messages are sent there by POST, as Standard Webhooks describes"
              placeholder="https://example.com/simstream"
              autoComplete="off"
              spellCheck={false}
              value={values.url}
              error={faultAt(problem, '/url') ?? null}
              onChange={(event) => set({ url: event.currentTarget.value })}
            />
            <Secret
              value={values.secret}
              error={faultAt(problem, '/signing_secret')}
              change={(secret) => set({ secret })}
            />
            <fieldset className="plain">
              <Text component="legend" size="sm" fw={500} mb="xs">
                Of what
              </Text>
              <Stack gap="xs">
                {EVENT_WORDS.map(({ event, label, help }) => (
                  <Switch
                    key={event}
                    label={label}
                    description={help}
                    checked={values.events.includes(event)}
                    onChange={({ currentTarget: { checked } }) =>
                      set({
                        events: EVENT_WORDS.map((each) => each.event).filter((each) =>
                          each === event ? checked : values.events.includes(each),
                        ),
                      })
                    }
                  />
                ))}
              </Stack>
              {faultAt(problem, '/events') && (
                <Text size="sm" c="var(--mantine-color-error)" role="alert">
                  {faultAt(problem, '/events')}
                </Text>
              )}
            </fieldset>
            {values.events.includes('lag') && (
              <NumberInput
                label="Longest that a record may wait, in minutes"
                value={values.lag}
                allowDecimal={false}
                clampBehavior="none"
                hideControls
                error={faultAt(problem, '/lag_minutes') ?? null}
                onChange={(lag) => set({ lag })}
              />
            )}
            {isMessage && problem && (
              <Failed problem={{ ...problem, message: others.join(' ') || problem.message }} />
            )}
            {canWrite && (
              <Group>
                <Button type="submit" loading={busy}>
                  Save
                </Button>
                {stored.url !== null && <Others isChanged={isChanged} />}
              </Group>
            )}
          </Stack>
        </fieldset>
      </form>
    </Paper>
  );
}

function Standing({ stored }: { readonly stored: Notification }) {
  if (stored.url !== null) {
    return (
      <Text size="sm" c="dimmed">
        Set on <Time at={stored.modified} />.
      </Text>
    );
  }
  return (
    <Text size="sm">
      {stored.default_receiver
        ? 'No receiver is set. The platform operator is notified in your place.'
        : 'No receiver is set: nobody is notified.'}
    </Text>
  );
}

function Secret({
  value,
  error,
  change,
}: {
  readonly value: string;
  readonly error: string | undefined;
  readonly change: (secret: string) => void;
}) {
  const [made, setMade] = useState<string>();
  return (
    <Stack gap={6}>
      <PasswordInput
        label="Signing secret"
        description="Optional. Your receiver checks with it that a message is from here."
        autoComplete="new-password"
        value={value}
        error={error ?? null}
        onChange={(event) => change(event.currentTarget.value)}
        visibilityToggleButtonProps={{ 'aria-label': 'Show or hide the signing secret', tabIndex: 0 }}
      />
      <Group gap="xs">
        <Button
          size="xs"
          variant="default"
          onClick={() => {
            const secret = newSigningSecret((bytes) => crypto.getRandomValues(bytes));
            setMade(secret);
            change(secret);
          }}
        >
          Generate
        </Button>
        {made !== undefined && made === value && (
          <>
            <Copy text={made} label="Copy the signing secret" />
            <Text size="sm" role="status">
              Copy it to your receiver now: it is not shown again.
            </Text>
          </>
        )}
      </Group>
    </Stack>
  );
}

/** What can be done with a receiver that is set: a test message, and removing it. */
function Others({ isChanged }: { readonly isChanged: boolean }) {
  const [sending, setSending] = useState(false);
  const [result, setResult] = useState<TestResult>();
  const [problem, setProblem] = useState<Problem>();
  const test = async () => {
    setSending(true);
    setResult(undefined);
    setProblem(undefined);
    try {
      const path = `${PATH}/test` as const;
      setResult((await perform('POST', path, undefined, api.POST(path))).data);
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setSending(false);
  };
  const remove = () =>
    attempt(
      'Nobody is notified any more.',
      () => perform('DELETE', PATH, undefined, api.DELETE(PATH)),
      NAMES,
    );
  const good = result?.outcome === 'delivered';
  return (
    <>
      <Button variant="default" loading={sending} disabled={isChanged} onClick={() => void test()}>
        Send test message
      </Button>
      <Button variant="default" onClick={() => void remove()}>
        Remove
      </Button>
      {isChanged && (
        <Text size="sm" c="dimmed">
          Save first: the test goes to the receiver that is stored.
        </Text>
      )}
      {problem && <Failed problem={problem} title="No test message was sent" />}
      {result && (
        <Alert
          color={good ? 'green' : 'red'}
          variant="outline"
          title={good ? 'The test message was taken' : 'The test message was not taken'}
          role="status"
          className="wrap"
          w="100%"
        >
          <Text size="sm">
            <Message text={result.message} /> It took {formatDuration(result.duration_ms)}.
          </Text>
          {result.exchange && (
            <details>
              <summary>Request and answer</summary>
              <ExchangeView exchange={result.exchange} />
            </details>
          )}
        </Alert>
      )}
    </>
  );
}
