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
import { type FormEvent, useEffect, useRef, useState } from 'react';
import icon from '../icon.svg';
import { type Problem, problemFrom } from '../lib/problem.ts';
import type { NeedsCode, Session, Sessions } from '../lib/session.ts';
import { focusNextHeading } from '../parts/heading.tsx';
import { Failed } from '../parts/show.tsx';

const REASONS = {
  new: undefined,
  expired: 'Your login has expired. Please sign in again.',
  'signed out elsewhere': 'You signed out in another tab.',
};

export function Login({
  why,
  sessions,
  entered,
}: {
  /** Why the reader is asked to sign in. */
  readonly why: keyof typeof REASONS;
  readonly sessions: Pick<Sessions, 'signIn' | 'confirm'>;
  readonly entered: (session: Session) => void;
}) {
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [step, setStep] = useState<NeedsCode>();
  const [code, setCode] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();

  const first = useRef<HTMLInputElement>(null);
  const reason = REASONS[why];
  const back = () => {
    setStep(undefined);
    setCode('');
    setPassword('');
    setProblem(undefined);
  };
  useEffect(() => {
    document.title = 'Sign in · simstream';
    first.current?.focus();
    focusNextHeading();
  }, []);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      const outcome = step ? await sessions.confirm(step, code) : await sessions.signIn(username, password);
      if (!('mfaToken' in outcome)) return entered(outcome);
      setStep(outcome);
      setBusy(false);
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
            {reason && !problem && (
              <Alert color="blue" variant="outline" role="status">
                {reason}
              </Alert>
            )}
            {step ? (
              <CodeInput value={code} change={setCode} />
            ) : (
              <>
                <TextInput
                  label="Username"
                  autoComplete="username"
                  required
                  value={username}
                  onChange={(event) => setUsername(event.currentTarget.value)}
                  ref={first}
                />
                <PasswordInput
                  label="Password"
                  autoComplete="current-password"
                  required
                  value={password}
                  onChange={(event) => setPassword(event.currentTarget.value)}
                  visibilityToggleButtonProps={{ 'aria-label': 'Show or hide the password', tabIndex: 0 }}
                />
              </>
            )}
            {problem && <Failed problem={problem} title="You are not signed in" />}
            <Button type="submit" loading={busy} fullWidth>
              {step ? 'Continue' : 'Sign in'}
            </Button>
            {step && (
              <Button variant="default" onClick={back} fullWidth>
                Start again
              </Button>
            )}
          </Stack>
        </form>
      </Paper>
    </Center>
  );
}

function CodeInput({ value, change }: { readonly value: string; readonly change: (code: string) => void }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  return (
    <TextInput
      label="Code"
      description="From your authenticator app, or one of your recovery codes"
      autoComplete="one-time-code"
      required
      value={value}
      onChange={(event) => change(event.currentTarget.value)}
      ref={input}
    />
  );
}
