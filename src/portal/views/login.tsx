import {
  Alert,
  Button,
  Center,
  Group,
  Paper,
  PasswordInput,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { type FormEvent, useState } from 'react';
import icon from '../icon.svg';
import { type Problem, problemFrom } from '../lib/problem.ts';
import { type Session, signIn } from '../lib/session.ts';
import { Failed } from '../parts/show.tsx';

export function Login({
  expired,
  ended,
  entered,
}: {
  readonly expired: boolean;
  readonly ended: () => void;
  readonly entered: (session: Session) => void;
}) {
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      entered(await signIn(username, password, ended));
    } catch (error) {
      setProblem(problemFrom(error));
      setBusy(false);
    }
  };

  return (
    <Center component="main" mih="100vh" p="md">
      <Paper withBorder p="xl" w="100%" maw={400} shadow="sm">
        <form onSubmit={submit}>
          <Stack>
            <Group gap="sm">
              <img src={icon} alt="" width={32} height={32} />
              <Title order={1} size="h2">
                simstream
              </Title>
            </Group>
            <Text c="dimmed" size="sm">
              Sign in to set up and watch your data streams.
            </Text>
            {expired && !problem && (
              <Alert color="blue" variant="outline" role="status">
                Your login has expired. Please sign in again.
              </Alert>
            )}
            <TextInput
              label="Username"
              autoComplete="username"
              required
              value={username}
              onChange={(event) => setUsername(event.currentTarget.value)}
              data-autofocus
            />
            <PasswordInput
              label="Password"
              autoComplete="current-password"
              required
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
              visibilityToggleButtonProps={{ 'aria-label': 'Show or hide the password', tabIndex: 0 }}
            />
            {problem && <Failed problem={problem} title="You are not signed in" />}
            <Button type="submit" loading={busy} fullWidth>
              Sign in
            </Button>
          </Stack>
        </form>
      </Paper>
    </Center>
  );
}
