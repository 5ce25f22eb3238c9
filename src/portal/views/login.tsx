import {
  Alert,
  Button,
  Center,
  Checkbox,
  Group,
  Paper,
  PasswordInput,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { type FormEvent, lazy, Suspense, useEffect, useRef, useState } from 'react';
import icon from '../icon.svg';
import { type Problem, problemFrom } from '../lib/problem.ts';
import type { NeedsCode, NeedsSetUp, NewMfaKey, Session, Sessions } from '../lib/session.ts';
import { focusNextHeading } from '../parts/heading.tsx';
import { Failed, Loading } from '../parts/show.tsx';

const NewKey = lazy(() => import('../parts/new-mfa-key.tsx'));

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
  readonly sessions: Pick<Sessions, 'signIn' | 'confirm' | 'setUp' | 'finishSetUp'>;
  readonly entered: (session: Session) => void;
}) {
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [step, setStep] = useState<NeedsCode>();
  const [code, setCode] = useState('');
  const [trust, setTrust] = useState(false);
  const [setUp, setSetUp] = useState<{ readonly step: NeedsSetUp; readonly key: NewMfaKey }>();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();

  const first = useRef<HTMLInputElement>(null);
  const reason = REASONS[why];
  const back = () => {
    setStep(undefined);
    setSetUp(undefined);
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
      const outcome = step
        ? await sessions.confirm(step, code, trust)
        : await sessions.signIn(username, password);
      if ('setUpToken' in outcome) setSetUp({ step: outcome, key: await sessions.setUp(outcome) });
      else if ('mfaToken' in outcome) setStep(outcome);
      else return entered(outcome);
      setBusy(false);
    } catch (error) {
      setProblem(problemFrom(error));
      setBusy(false);
    }
  };

  if (setUp) {
    const finish = async (given: string) =>
      entered(await sessions.finishSetUp(setUp.step, setUp.key.id, given));
    return (
      <Center component="main" mih="100vh" p="md">
        <Paper withBorder p="xl" w="100%" maw={560} shadow="sm">
          <Stack>
            <Title order={1} size="h2" tabIndex={-1}>
              Set up a second factor
            </Title>
            <Text>
              Your organisation requires a second factor: from now on a login needs your password and a code
              from an authenticator app on your phone.
            </Text>
            <Suspense fallback={<Loading what="the key" />}>
              <NewKey created={setUp.key} activate={finish} close={back} />
            </Suspense>
          </Stack>
        </Paper>
      </Center>
    );
  }

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
              <>
                <CodeInput value={code} change={setCode} />
                <Checkbox
                  label="Do not ask for a code in this browser for 90 days"
                  checked={trust}
                  onChange={(event) => setTrust(event.currentTarget.checked)}
                />
              </>
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
