import { Alert, Button, Group, Paper, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { useUnsaved } from '../lib/address.ts';
import { passwordFault, SHORTEST_PASSWORD } from '../lib/password.ts';
import { type Problem, problemFrom } from '../lib/problem.ts';
import type { Sessions } from '../lib/session.ts';
import { Failed } from './show.tsx';

const EMPTY = { before: '', after: '', again: '' };

/** The password of the user who is signed in, which is changed with the present one. */
export function OwnPassword({
  username,
  changePassword,
}: {
  readonly username: string;
  readonly changePassword: Sessions['changePassword'];
}) {
  const [values, setValues] = useState(EMPTY);
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const [checked, setChecked] = useState(false);
  useUnsaved(values.after !== '');
  const fault = faultOf(values);
  const set = (part: Partial<typeof EMPTY>) => {
    setValues({ ...values, ...part });
    setProblem(undefined);
    setDone(false);
  };
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (fault.after || fault.again || values.before === '') return;
    setBusy(true);
    setProblem(undefined);
    try {
      await changePassword(values.before, values.after);
      setValues(EMPTY);
      setChecked(false);
      setDone(true);
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  const toggle = (what: string) => ({ 'aria-label': `Show or hide the ${what}`, tabIndex: 0 });
  return (
    <Paper withBorder p="lg" component="section" aria-label="Password">
      <Title order={2} size="h4" mb="sm">
        Password
      </Title>
      <form onSubmit={submit} noValidate>
        <Stack maw={420}>
          {/* Password managers need to know whose password it is. */}
          <input type="text" autoComplete="username" value={username} readOnly hidden />
          <PasswordInput
            label="Present password"
            autoComplete="current-password"
            value={values.before}
            error={checked && values.before === '' ? 'Give your present password' : null}
            onChange={(event) => set({ before: event.currentTarget.value })}
            visibilityToggleButtonProps={toggle('present password')}
          />
          <PasswordInput
            label="New password"
            description={`At least ${SHORTEST_PASSWORD} characters`}
            autoComplete="new-password"
            value={values.after}
            error={checked ? fault.after : null}
            onChange={(event) => set({ after: event.currentTarget.value })}
            visibilityToggleButtonProps={toggle('new password')}
          />
          <PasswordInput
            label="New password again"
            autoComplete="new-password"
            value={values.again}
            error={checked ? fault.again : null}
            onChange={(event) => set({ again: event.currentTarget.value })}
            visibilityToggleButtonProps={toggle('repeated password')}
          />
          <Text size="sm">Your logins in other browsers end. You stay signed in here.</Text>
          {problem && <Failed problem={problem} title="The password is not changed" />}
          {done && (
            <Alert color="green" variant="outline" role="status">
              The password is changed.
            </Alert>
          )}
          <Group>
            <Button type="submit" loading={busy}>
              Change password
            </Button>
          </Group>
        </Stack>
      </form>
    </Paper>
  );
}

function faultOf({ before, after, again }: typeof EMPTY) {
  const same = after === before ? 'Give another one than the present password' : null;
  return {
    after: passwordFault(after) ?? same,
    again: again === after ? null : 'Give the same password as above',
  };
}
