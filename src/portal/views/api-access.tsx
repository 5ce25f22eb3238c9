import {
  Alert,
  Anchor,
  Badge,
  Button,
  Group,
  Modal,
  Paper,
  Stack,
  Table,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { api, perform, read } from '../lib/api.ts';
import { type LoggedCall, useCalls } from '../lib/call-log.ts';
import { UNKNOWN } from '../lib/format.ts';
import { usePolling } from '../lib/polling.ts';
import { faultAt, type Problem, problemFrom, unshown } from '../lib/problem.ts';
import { useSession } from '../lib/session.ts';
import { CallModal, tell } from '../parts/notices.tsx';
import { CodeBlock, Failed, Loading, Time } from '../parts/show.tsx';
import { attempt } from '../parts/stream-actions.ts';
import { WideTable } from '../parts/wide-table.tsx';

/** For programs: tokens, the calls that were just made here, and where all calls are described. */
export default function ApiAccess() {
  const { canWrite } = useSession();
  const tokens = usePolling('tokens', () => read(api.GET('/api/v1/application_token')));
  return (
    <Stack gap="lg">
      <Title order={1}>API</Title>
      <Text>
        Whatever this portal does, a program can do over the API. Each call is described, and can be tried, in
        the{' '}
        <Anchor href="/api/docs" target="_blank" rel="noreferrer" underline="always">
          interactive documentation
        </Anchor>
        ; the{' '}
        <Anchor href="/api/openapi.json" target="_blank" rel="noreferrer" underline="always">
          OpenAPI document
        </Anchor>{' '}
        makes clients.
      </Text>
      <Paper withBorder p="lg" component="section" aria-label="Application tokens">
        <Stack>
          <Title order={2} size="h4">
            Application tokens
          </Title>
          {canWrite ? (
            <NewToken created={tokens.reload} />
          ) : (
            <Text size="sm">Your role may look at tokens, and not create or revoke any.</Text>
          )}
          {!tokens.data &&
            (tokens.problem ? (
              <Failed problem={tokens.problem} retry={() => void tokens.reload()} />
            ) : (
              <Loading what="tokens" />
            ))}
          {tokens.data?.length === 0 && <Text size="sm">There are no application tokens yet.</Text>}
          {tokens.data && tokens.data.length > 0 && (
            <TokenTable tokens={tokens.data} changed={tokens.reload} />
          )}
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

function NewToken({ created }: { readonly created: () => Promise<void> }) {
  const [description, setDescription] = useState('');
  const [expiry, setExpiry] = useState('');
  const [ip, setIp] = useState('');
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const [token, setToken] = useState<string>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    const body = {
      ...(description.trim() ? { description: description.trim() } : {}),
      ...(expiry ? { expiry_date: `${expiry}T00:00:00Z` } : {}),
      ...(ip.trim() ? { ip: ip.trim() } : {}),
    };
    try {
      const path = '/api/v1/application_token';
      const { data, logged } = await perform('POST', path, body, api.POST(path, { body }));
      setToken(data.application_token);
      setDescription('');
      setExpiry('');
      setIp('');
      tell('The token is created.', logged);
      await created();
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  const shown = ['/description', '/expiry_date', '/ip'];
  const told = problem && (Object.keys(problem.fields).length === 0 || unshown(problem, shown).length > 0);
  return (
    <form onSubmit={submit} aria-label="New application token">
      <Stack gap="sm">
        <Group align="flex-start" gap="sm">
          <TextInput
            label="Description"
            placeholder="What it is for"
            maxLength={1000}
            value={description}
            error={faultAt(problem, '/description') ?? null}
            onChange={(event) => setDescription(event.currentTarget.value)}
          />
          <TextInput
            label="Expires on (UTC)"
            type="date"
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
        {told && <Failed problem={problem} />}
        <Group>
          <Button type="submit" loading={busy}>
            Create token
          </Button>
        </Group>
      </Stack>
      <Modal
        opened={token !== undefined}
        onClose={() => setToken(undefined)}
        title="Your new application token"
        size="lg"
        closeOnClickOutside={false}
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        <Stack>
          <Alert color="yellow" variant="outline">
            Copy it now: it is shown this once.
          </Alert>
          <CodeBlock text={token ?? ''} label="Application token" />
          <Group justify="flex-end">
            <Button onClick={() => setToken(undefined)}>I have copied it</Button>
          </Group>
        </Stack>
      </Modal>
    </form>
  );
}

type Tokens = Awaited<ReturnType<typeof readTokens>>;
const readTokens = () => read(api.GET('/api/v1/application_token'));

function TokenTable({ tokens, changed }: { readonly tokens: Tokens; readonly changed: () => Promise<void> }) {
  const { canWrite } = useSession();
  const [doomed, setDoomed] = useState<Tokens[number]>();
  const revoke = async (id: number) => {
    const body = { status: { id: 1 } };
    const params = { path: { id: String(id) } };
    const call = api.PATCH('/api/v1/application_token/{id}', { params, body });
    await attempt('The token is revoked.', () =>
      perform('PATCH', `/api/v1/application_token/${id}`, body, call),
    );
    setDoomed(undefined);
    await changed();
  };
  return (
    <>
      <WideTable minWidth={640} label="List of application tokens">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Id</Table.Th>
            <Table.Th>Description</Table.Th>
            <Table.Th>Status</Table.Th>
            <Table.Th>Created</Table.Th>
            <Table.Th>Expires</Table.Th>
            <Table.Th>From</Table.Th>
            <Table.Th>Action</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {tokens.map((token) => (
            <Table.Tr key={token.id}>
              <Table.Td>{token.id}</Table.Td>
              <Table.Td className="wrap">{token.description ?? UNKNOWN}</Table.Td>
              <Table.Td>
                <Badge
                  color={token.status.id === 0 ? '#23782f' : '#5b636b'}
                  variant="filled"
                  radius="sm"
                  tt="none"
                >
                  {token.status.description}
                </Badge>
              </Table.Td>
              <Table.Td>
                <Time at={token.created} />
              </Table.Td>
              <Table.Td>
                <Time at={token.expiry_date} />
              </Table.Td>
              <Table.Td>{token.ip ?? 'any'}</Table.Td>
              <Table.Td>
                {canWrite && token.status.id === 0 ? (
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
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </WideTable>
      <Modal
        opened={doomed !== undefined}
        onClose={() => setDoomed(undefined)}
        title="Revoke application token?"
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        <Stack>
          <Text className="wrap">
            Token {doomed?.id} {doomed?.description ? `(${doomed.description}) ` : ''}stops working at once,
            and for good.
          </Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setDoomed(undefined)} data-autofocus>
              Keep it
            </Button>
            <Button color="red.9" onClick={() => doomed && void revoke(doomed.id)}>
              Revoke
            </Button>
          </Group>
        </Stack>
      </Modal>
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
      {calls.length === 0 && <Text size="sm">What you do in the portal appears here, ready to copy.</Text>}
      {calls.length > 0 && (
        <WideTable minWidth={480} label="List of your last actions">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>When</Table.Th>
              <Table.Th>Call</Table.Th>
              <Table.Th>Answer</Table.Th>
              <Table.Th>curl</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {calls.map((call) => (
              <Table.Tr key={call.key}>
                <Table.Td>
                  <Time at={call.at} />
                </Table.Td>
                <Table.Td className="wrap">
                  <code>
                    {call.method} {call.path}
                  </code>
                </Table.Td>
                <Table.Td>{call.status}</Table.Td>
                <Table.Td>
                  <Button size="compact-xs" variant="default" onClick={() => setShown(call)}>
                    Show as API call
                  </Button>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </WideTable>
      )}
      <CallModal call={shown} close={() => setShown(undefined)} />
    </Paper>
  );
}

/** From an application token to the list of data streams. */
function firstCalls(origin: string): string {
  return `# An application token, as created above, gives an auth token, which all other calls take.
SIMSTREAM_TOKEN=$(curl -s '${origin}/api/v1/authenticate' \\
  -H 'Content-Type: application/json' \\
  -d '{"application_token": "YOUR-APPLICATION-TOKEN"}' | sed 's/.*"auth_token":"\\([^"]*\\)".*/\\1/')

curl -s '${origin}/api/v2/data_stream' -H "Authorization: Bearer $SIMSTREAM_TOKEN"`;
}
