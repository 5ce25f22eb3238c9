import { Alert, Button, Group, Paper, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { useState } from 'react';
import { api, perform, read } from '../lib/api.ts';
import { digestOf } from '../lib/digest.ts';
import { useForm } from '../lib/form.ts';
import { notify } from '../lib/notices.ts';
import { faultAt } from '../lib/problem.ts';
import { change, useRead } from '../lib/query.ts';
import type { NewMfaKey } from '../lib/session.ts';
import NewKey from './new-mfa-key.tsx';
import { Reading } from './reading.tsx';
import { Failed, Time } from './show.tsx';

const readUser = () => read(api.GET('/api/v1/user/my'));
type MfaKey = Awaited<ReturnType<typeof readUser>>['mfa'][number];
/** The data that a change of the own user reads again. */
const USER = [undefined, ['user']] as const;

/** The second factor of the person who is signed in. */
export function SecondFactor() {
  const user = useRead(['user'], readUser);
  return (
    <Paper withBorder p="lg" component="section" aria-label="Second factor">
      <Stack>
        <Title order={2} size="h4">
          Second factor
        </Title>
        <Text size="sm">
          With a second factor, a login needs the password and a code from an authenticator app on your phone.
        </Text>
        <Reading of={user} what="your account">
          {({ mfa }) => <OfUser mfaKey={mfa.find(({ status }) => status.id === 1)} />}
        </Reading>
      </Stack>
    </Paper>
  );
}

function OfUser({ mfaKey }: { readonly mfaKey: MfaKey | undefined }) {
  const [created, setCreated] = useState<NewMfaKey>();
  if (mfaKey) return <Active mfaKey={mfaKey} />;
  const close = () => setCreated(undefined);
  const activate = (code: string) =>
    change(
      async () => {
        const body = { status: { id: 1 as const }, code };
        const params = { path: { key_id: String(created?.id) } };
        const call = api.PATCH('/api/v1/user/mfa/{key_id}', { params, body });
        const { logged } = await perform('PATCH', `/api/v1/user/mfa/${created?.id}`, body, call);
        notify({ text: 'The second factor is active.', tone: 'done', call: logged });
        close();
      },
      undefined,
      ['user'],
    );
  if (created) return <NewKey created={created} activate={activate} close={close} />;
  return <SetUp created={setCreated} />;
}

function SetUp({ created }: { readonly created: (key: NewMfaKey) => void }) {
  const form = useForm();
  const [password, setPassword] = useState('');
  const submit = form.submit(async () => {
    const body = { type: { id: 0 as const }, password: digestOf(password) };
    const { data } = await perform('POST', '/api/v1/user/mfa', body, api.POST('/api/v1/user/mfa', { body }));
    created(data);
  });
  return (
    <form onSubmit={submit} aria-label="Set up a second factor">
      <Stack gap="sm" align="flex-start">
        <Password value={password} change={setPassword} />
        {form.problem && <Failed problem={form.problem} />}
        <Button type="submit" loading={form.busy}>
          Set up
        </Button>
      </Stack>
    </form>
  );
}

function Active({ mfaKey }: { readonly mfaKey: MfaKey }) {
  const form = useForm();
  const [removing, setRemoving] = useState(false);
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const left = mfaKey.recovery_codes_left;
  const submit = form.submit(() =>
    change(
      async () => {
        const body = { password: digestOf(password), code };
        const params = { path: { key_id: String(mfaKey.id) } };
        const call = api.DELETE('/api/v1/user/my/mfa/{key_id}', { params, body });
        const { logged } = await perform('DELETE', `/api/v1/user/my/mfa/${mfaKey.id}`, body, call);
        notify({ text: 'The second factor is removed.', tone: 'done', call: logged });
      },
      ...USER,
    ),
  );
  return (
    <Stack gap="sm" align="flex-start">
      <Text>
        It is active since <Time at={mfaKey.activation_date} />. {left} of your recovery codes{' '}
        {left === 1 ? 'is' : 'are'} left.
      </Text>
      {left <= 2 && (
        <Alert color="yellow" variant="outline" role="note">
          Remove the second factor and set it up again to get new recovery codes.
        </Alert>
      )}
      {removing ? (
        <form onSubmit={submit} aria-label="Remove the second factor">
          <Stack gap="sm" align="flex-start">
            <Password value={password} change={setPassword} />
            <TextInput
              label="Code"
              description="From the authenticator app, or a recovery code"
              autoComplete="one-time-code"
              required
              value={code}
              error={faultAt(form.problem, '/code') ?? null}
              onChange={(event) => setCode(event.currentTarget.value)}
            />
            {form.problem && <Failed problem={form.problem} />}
            <Group>
              <Button type="submit" color="red" loading={form.busy}>
                Remove the second factor
              </Button>
              <Button variant="default" onClick={() => setRemoving(false)}>
                Cancel
              </Button>
            </Group>
          </Stack>
        </form>
      ) : (
        <Button variant="default" onClick={() => setRemoving(true)}>
          Remove…
        </Button>
      )}
    </Stack>
  );
}

function Password({ value, change }: { readonly value: string; readonly change: (value: string) => void }) {
  return (
    <PasswordInput
      label="Your password"
      autoComplete="current-password"
      required
      withAsterisk={false}
      miw={260}
      value={value}
      onChange={(event) => change(event.currentTarget.value)}
      visibilityToggleButtonProps={{ 'aria-label': 'Show or hide the password', tabIndex: 0 }}
    />
  );
}
