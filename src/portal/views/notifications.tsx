import { Alert, Button, Group, NumberInput, Paper, Stack, Switch, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { components } from '../generated/api.ts';
import { useUnsaved } from '../lib/address.ts';
import { api, perform, read } from '../lib/api.ts';
import { useForm } from '../lib/form.ts';
import { formatDuration } from '../lib/format.ts';
import { notify } from '../lib/notices.ts';
import { EVENT_WORDS, notificationBody, notificationValues } from '../lib/notification.ts';
import { faultAt, type Problem, problemFrom, restOf } from '../lib/problem.ts';
import { change, useRead } from '../lib/query.ts';
import { useSession } from '../lib/session.ts';
import { ExchangeView } from '../parts/exchange.tsx';
import { Heading } from '../parts/heading.tsx';
import { Reading } from '../parts/reading.tsx';
import { SecretField } from '../parts/secret-field.tsx';
import { Failed, Message, Time } from '../parts/show.tsx';
import { attempt } from '../parts/stream-actions.ts';

type Notification = components['schemas']['Notification'];
type TestResult = components['schemas']['TestRecordResult'];

const PATH = '/api/v2/data_stream/notification';
const NAMES = ['notification'];

/** The receiver of notifications about data streams that need attention. */
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
      <Reading of={stored} what="the receiver of notifications">
        {(data) => <Receiver key={data.modified} stored={data} />}
      </Reading>
    </Stack>
  );
}

function Receiver({ stored }: { readonly stored: Notification }) {
  const { canWrite } = useSession();
  const [initial] = useState(() => notificationValues(stored));
  const [values, setValues] = useState(initial);
  const { problem, busy, clear, submit } = useForm();
  const isChanged = JSON.stringify(values) !== JSON.stringify(initial);
  useUnsaved(isChanged);
  const set = (part: Partial<typeof values>) => {
    clear();
    setValues({ ...values, ...part });
  };
  const save = submit(async () => {
    const body = notificationBody(values, stored);
    const call = () => perform('PUT', PATH, body, api.PUT(PATH, { body }));
    const { logged } = await change(call, undefined, NAMES);
    notify({ text: 'The receiver of notifications is changed.', tone: 'done', call: logged });
  });
  const rest = restOf(problem, ['/url', '/signing_secret', '/events', '/lag_minutes']);
  return (
    <Paper withBorder p="lg" component="section" aria-label="Receiver">
      <form onSubmit={save} noValidate>
        <fieldset disabled={!canWrite} className="plain">
          <Stack maw={560}>
            <Standing stored={stored} />
            {!canWrite && <Text size="sm">Your role can look at the receiver, but not change it.</Text>}
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
            <SecretField
              label="Signing secret"
              description="Optional. Your receiver checks with it that a message is from here."
              value={values.secret}
              error={faultAt(problem, '/signing_secret') ?? null}
              set={(secret) => set({ secret })}
              canGenerate={canWrite}
            />
            <fieldset className="plain">
              <Text component="legend" size="sm" fw={600} mb="xs">
                Events to be notified of
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
            {rest && <Failed problem={rest} />}
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
        : 'No receiver is set: nobody gets notifications.'}
    </Text>
  );
}

/** The actions on a receiver: a test message, and its removal. */
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
      'The receiver is removed: nobody gets notifications any more.',
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
          Save first: the test goes to the stored receiver.
        </Text>
      )}
      {problem && <Failed problem={problem} title="No test message was sent" />}
      {result && (
        <Alert
          color={good ? 'green' : 'red'}
          variant="outline"
          title={good ? 'The test message was accepted' : 'The test message was not accepted'}
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
