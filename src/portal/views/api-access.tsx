import { Alert, Anchor, Button, Group, Modal, Paper, Stack, Text, TextInput, Title } from '@mantine/core';
import { useState } from 'react';
import { api, perform, read } from '../lib/api.ts';
import { type LoggedCall, useCalls } from '../lib/call-log.ts';
import { GOOD, NEUTRAL } from '../lib/colors.ts';
import { useForm } from '../lib/form.ts';
import { UNKNOWN, zoneName } from '../lib/format.ts';
import { notify } from '../lib/notices.ts';
import { faultAt, restOf } from '../lib/problem.ts';
import { change, useRead } from '../lib/query.ts';
import { useSession } from '../lib/session.ts';
import { endOfDay, today } from '../lib/start.ts';
import { visible } from '../lib/text.ts';
import { Chip } from '../parts/chip.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { Heading } from '../parts/heading.tsx';
import { CallModal } from '../parts/notices.tsx';
import { Reading } from '../parts/reading.tsx';
import { CodeBlock, Failed, Time } from '../parts/show.tsx';
import { attempt } from '../parts/stream-actions.ts';

/** For programs: tokens, the calls that were just made here, and the description of all calls. */
export default function ApiAccess() {
  const { canWrite } = useSession();
  const tokens = useRead(['tokens'], readTokens);
  return (
    <Stack gap="lg">
      <Heading title="API" />
      <Text>
        A program can do over the API whatever this portal does. The{' '}
        <Anchor href="/api/docs" target="_blank" rel="noreferrer" underline="always">
          interactive documentation
        </Anchor>{' '}
        describes each call and lets you try it. Clients can be generated from the{' '}
        <Anchor href="/api/openapi.json" target="_blank" rel="noreferrer" underline="always">
          OpenAPI document
        </Anchor>
        .
      </Text>
      <Paper withBorder p="lg" component="section" aria-label="Application tokens">
        <Stack>
          <Title order={2} size="h4">
            Application tokens
          </Title>
          {canWrite ? (
            <NewToken />
          ) : (
            <Text size="sm">Your role can look at tokens, but not create or revoke any.</Text>
          )}
          <Reading of={tokens} what="tokens">
            {(data) =>
              data.length === 0 ? (
                <Text size="sm">There are no application tokens yet.</Text>
              ) : (
                <TokenTable tokens={data} />
              )
            }
          </Reading>
        </Stack>
      </Paper>
      <Paper withBorder p="lg" component="section" aria-label="First steps">
        <Title order={2} size="h4" mb="sm">
          First calls
        </Title>
        <CodeBlock text={firstCalls(window.location.origin)} label="First calls" />
      </Paper>
      <RecentCalls />
    </Stack>
  );
}

function NewToken() {
  const [description, setDescription] = useState('');
  const [expiry, setExpiry] = useState('');
  const [ip, setIp] = useState('');
  const { problem, busy, submit } = useForm();
  const [token, setToken] = useState<string>();
  const [asked, setAsked] = useState(false);
  const close = () => {
    setToken(undefined);
    setAsked(false);
  };
  const create = submit(async () => {
    const body = {
      ...(description.trim() ? { description: description.trim() } : {}),
      ...(expiry ? { expiry_date: endOfDay(expiry) } : {}),
      ...(ip.trim() ? { ip: ip.trim() } : {}),
    };
    const path = '/api/v1/application_token';
    await change(
      async () => {
        const { data, logged } = await perform('POST', path, body, api.POST(path, { body }));
        setToken(data.application_token);
        setDescription('');
        setExpiry('');
        setIp('');
        notify({ text: 'The token is created.', tone: 'done', call: logged });
      },
      ...TOKENS,
    );
  });
  const rest = restOf(problem, ['/description', '/expiry_date', '/ip']);
  return (
    <form onSubmit={create} aria-label="New application token">
      <Stack gap="sm">
        <Group align="flex-start" gap="sm">
          <TextInput
            label="Description"
            placeholder="Its purpose"
            maxLength={1000}
            value={description}
            error={faultAt(problem, '/description') ?? null}
            onChange={(event) => setDescription(event.currentTarget.value)}
          />
          <TextInput
            label="Last day"
            description={`Works until this day ends in ${zoneName()}`}
            inputWrapperOrder={['label', 'input', 'description', 'error']}
            type="date"
            min={today(Date.now())}
            value={expiry}
            error={faultAt(problem, '/expiry_date') ?? null}
            onChange={(event) => setExpiry(event.currentTarget.value)}
          />
          <TextInput
            label="Only from address"
            placeholder="192.0.2.0/24"
            value={ip}
            error={faultAt(problem, '/ip') ?? null}
            onChange={(event) => setIp(event.currentTarget.value)}
          />
        </Group>
        {rest && <Failed problem={rest} />}
        <Group>
          <Button type="submit" loading={busy}>
            Create token
          </Button>
        </Group>
      </Stack>
      <Modal
        opened={token !== undefined}
        // Escape is pressed by habit, and the token cannot be shown again.
        onClose={() => setAsked(true)}
        title="Your new application token"
        size="lg"
        closeOnClickOutside={false}
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        <Stack>
          <Alert color="yellow" variant="outline" role={asked ? 'alert' : 'note'}>
            {asked
              ? 'Have you copied the token? It cannot be shown again.'
              : 'Copy the token now. It is shown only once.'}
          </Alert>
          <CodeBlock text={token ?? ''} label="Application token" />
          <Group justify="flex-end">
            <Button onClick={close}>I have copied it</Button>
          </Group>
        </Stack>
      </Modal>
    </form>
  );
}

type Tokens = Awaited<ReturnType<typeof readTokens>>;
const readTokens = () => read(api.GET('/api/v1/application_token'));
/** The data that a change of tokens reads again. */
const TOKENS = [undefined, ['tokens']] as const;

function TokenTable({ tokens }: { readonly tokens: Tokens }) {
  const { canWrite } = useSession();
  const [doomed, setDoomed] = useState<Tokens[number]>();
  const revoke = async (id: number) => {
    const body = { status: { id: 1 } };
    const params = { path: { id: String(id) } };
    const call = api.PATCH('/api/v1/application_token/{id}', { params, body });
    const run = () => perform('PATCH', `/api/v1/application_token/${id}`, body, call);
    await attempt('The token is revoked.', run, TOKENS[1]);
    setDoomed(undefined);
  };
  return (
    <>
      <DataTable
        label="List of application tokens"
        rows={tokens}
        keyOf={({ id }) => id}
        columns={[
          { name: 'Id', words: true, cell: ({ id }) => id },
          { name: 'Description', cell: (token) => <bdi>{visible(token.description ?? UNKNOWN)}</bdi> },
          {
            name: 'Status',
            cell: ({ status }) => <Chip color={status.id === 0 ? GOOD : NEUTRAL}>{status.description}</Chip>,
          },
          { name: 'Created', cell: ({ created }) => <Time at={created} /> },
          { name: 'Expires', cell: (token) => <Time at={token.expiry_date} /> },
          { name: 'From', cell: ({ ip }) => ip ?? 'any' },
          ...(canWrite
            ? [
                {
                  name: 'Action',
                  cell: (token: Tokens[number]) =>
                    token.status.id === 0 ? (
                      <Button
                        size="xs"
                        variant="default"
                        aria-label={`Revoke token ${token.id}`}
                        onClick={() => setDoomed(token)}
                      >
                        Revoke
                      </Button>
                    ) : (
                      UNKNOWN
                    ),
                },
              ]
            : []),
        ]}
      />
      <Confirm
        opened={doomed !== undefined}
        title="Revoke application token?"
        keep="Keep it"
        act="Revoke"
        close={() => setDoomed(undefined)}
        run={() => doomed && revoke(doomed.id)}
      >
        <Text className="wrap">
          Token {doomed?.id} {doomed?.description ? `(${visible(doomed.description)}) ` : ''}stops working at
          once, and for good.
        </Text>
      </Confirm>
    </>
  );
}

function RecentCalls() {
  const calls = useCalls();
  const [shown, setShown] = useState<LoggedCall>();
  return (
    <Paper withBorder p="lg" component="section" aria-label="Your last actions">
      <Title order={2} size="h4" mb="sm">
        Your last actions, as API calls
      </Title>
      {calls.length === 0 && (
        <Text size="sm">
          The changes that you make in the portal appear here as API calls, ready to copy.
        </Text>
      )}
      {calls.length > 0 && (
        <DataTable
          label="List of your last actions"
          rows={calls}
          keyOf={({ key }) => key}
          columns={[
            { name: 'When', cell: ({ at }) => <Time at={at} /> },
            {
              name: 'Call',
              cell: ({ method, path }) => (
                <code>
                  {method} {path}
                </code>
              ),
            },
            { name: 'Answer', cell: ({ status }) => status },
            {
              name: 'curl',
              cell: (call) => (
                <Button size="compact-xs" variant="default" onClick={() => setShown(call)}>
                  Show as API call
                </Button>
              ),
            },
          ]}
        />
      )}
      <CallModal call={shown} close={() => setShown(undefined)} />
    </Paper>
  );
}

/** From an application token to the list of data streams. */
function firstCalls(origin: string): string {
  return `# An application token gives an auth token, which all other calls take.
SIMSTREAM_TOKEN=$(curl -s '${origin}/api/v1/authenticate' \\
  -H 'Content-Type: application/json' \\
  -d '{"application_token": "YOUR-APPLICATION-TOKEN"}' | sed 's/.*"auth_token":"\\([^"]*\\)".*/\\1/')

curl -s '${origin}/api/v2/data_stream' -H "Authorization: Bearer $SIMSTREAM_TOKEN"`;
}
