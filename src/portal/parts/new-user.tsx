import { Button, Group, Paper, PasswordInput, Select, Stack, TextInput, Title } from '@mantine/core';
import { useState } from 'react';
import { api, perform } from '../lib/api.ts';
import { digestOf } from '../lib/digest.ts';
import { useForm } from '../lib/form.ts';
import { notify } from '../lib/notices.ts';
import { passwordFault, SHORTEST_PASSWORD } from '../lib/password.ts';
import { faultAt, restOf } from '../lib/problem.ts';
import { change } from '../lib/query.ts';
import { visible } from '../lib/text.ts';
import { Failed } from './show.tsx';
import { ROLES, USER_DATA } from './user-actions.ts';

const EMPTY = { username: '', name: '', password: '', role: '2' };

/** The form that adds a user. */
export function NewUser() {
  const [values, setValues] = useState(EMPTY);
  const [checked, setChecked] = useState(false);
  const { problem, busy, clear, submit } = useForm();
  const set = (part: Partial<typeof EMPTY>) => {
    setValues({ ...values, ...part });
    clear();
  };
  const username = values.username.trim();
  const fault = passwordFault(values.password);
  const add = submit(async () => {
    setChecked(true);
    if (username === '' || fault !== null) return;
    const name = values.name.trim();
    const body = {
      username,
      password: digestOf(values.password),
      roles: [{ id: Number(values.role) }],
      ...(name === '' ? {} : { name }),
    };
    const call = () => perform('POST', '/api/v1/user', body, api.POST('/api/v1/user', { body }));
    const { logged } = await change(call, undefined, USER_DATA);
    notify({ text: `${visible(username)} can sign in now.`, tone: 'done', call: logged });
    setValues(EMPTY);
    setChecked(false);
  });
  const rest = restOf(problem, ['/username', '/name', '/password', '/roles']);
  return (
    <Paper withBorder p="lg" component="section" aria-label="New user">
      <Title order={2} size="h4" mb="sm">
        New user
      </Title>
      <form onSubmit={add} noValidate>
        <Stack maw={420}>
          <TextInput
            label="Username"
            description="An e-mail address, for example. It is unique on this platform."
            autoComplete="off"
            maxLength={200}
            value={values.username}
            error={faultAt(problem, '/username') ?? (checked && username === '' ? 'Give a username' : null)}
            onChange={(event) => set({ username: event.currentTarget.value })}
          />
          <TextInput
            label="Name"
            autoComplete="off"
            maxLength={200}
            value={values.name}
            error={faultAt(problem, '/name') ?? null}
            onChange={(event) => set({ name: event.currentTarget.value })}
          />
          <PasswordInput
            label="First password"
            description={`At least ${SHORTEST_PASSWORD} characters. Nothing is sent to the user: pass it on yourself.`}
            autoComplete="new-password"
            value={values.password}
            error={faultAt(problem, '/password') ?? (checked ? fault : null)}
            onChange={(event) => set({ password: event.currentTarget.value })}
            visibilityToggleButtonProps={{ 'aria-label': 'Show or hide the password', tabIndex: 0 }}
          />
          <Select
            label="Role"
            data={ROLES}
            value={values.role}
            allowDeselect={false}
            error={faultAt(problem, '/roles') ?? null}
            onChange={(role) => set({ role: role ?? values.role })}
          />
          {rest && <Failed problem={rest} title="The user is not added" />}
          <Group>
            <Button type="submit" loading={busy}>
              Add user
            </Button>
          </Group>
        </Stack>
      </form>
    </Paper>
  );
}
