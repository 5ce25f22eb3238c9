import {
  Button,
  Group,
  Modal,
  Paper,
  PasswordInput,
  Select,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { type FormEvent, useState } from 'react';
import type { components, paths } from '../generated/api.ts';
import { api, perform, read } from '../lib/api.ts';
import { GOOD, NEUTRAL } from '../lib/colors.ts';
import { digestOf } from '../lib/digest.ts';
import { useForm } from '../lib/form.ts';
import { notify } from '../lib/notices.ts';
import { passwordFault, SHORTEST_PASSWORD } from '../lib/password.ts';
import { faultAt, restOf } from '../lib/problem.ts';
import { change, useRead } from '../lib/query.ts';
import { useSession } from '../lib/session.ts';
import { visible } from '../lib/text.ts';
import { Chip } from '../parts/chip.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { Heading } from '../parts/heading.tsx';
import { Reading } from '../parts/reading.tsx';
import { RequireMfa } from '../parts/require-mfa.tsx';
import { Failed, Time } from '../parts/show.tsx';
import { attempt } from '../parts/stream-actions.ts';

type User = components['schemas']['User'];

const ROLES = [
  { value: '1', label: 'Administrator: changes data streams and users' },
  { value: '2', label: 'User: changes data streams' },
  { value: '3', label: 'Observer: looks, and changes nothing' },
];
const SUSPENDED = 2;
const ACTIVE = 1;
/** The data that a change of users reads again. */
const NAMES = ['users'];

/** The people of the organisation, whom administrators add, change and remove. */
export default function Users() {
  const { isAdministrator } = useSession();
  const users = useRead(['users'], (signal) => read(api.GET('/api/v1/user', { signal })));
  return (
    <Stack gap="lg">
      <Heading title="Users" />
      <Text>The people of your organisation. Administrators add, change and remove them.</Text>
      <Paper withBorder p="lg" component="section" aria-label="Users of the organisation">
        <Reading of={users} what="the users">
          {(data) => <UserTable users={data} />}
        </Reading>
      </Paper>
      {isAdministrator && <NewUser />}
      {isAdministrator && <RequireMfa />}
    </Stack>
  );
}

const EMPTY = { username: '', name: '', password: '', role: '2' };

function NewUser() {
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
    const { logged } = await change(call, undefined, NAMES);
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

function UserTable({ users }: { readonly users: readonly User[] }) {
  const { isAdministrator, username } = useSession();
  const [changed, setChanged] = useState<User>();
  const [doomed, setDoomed] = useState<User>();
  return (
    <>
      <DataTable
        label="List of users"
        rows={users}
        keyOf={({ id }) => id}
        columns={[
          {
            name: 'Username',
            cell: (user) => (
              <>
                <bdi>{visible(user.username)}</bdi>
                {user.username === username && ' (you)'}
              </>
            ),
          },
          { name: 'Name', cell: ({ name }) => <bdi>{visible(name)}</bdi> },
          { name: 'Role', cell: ({ role }) => role.description },
          {
            name: 'Status',
            cell: ({ status }) => (
              <Chip color={status.id === ACTIVE ? GOOD : NEUTRAL}>{status.description}</Chip>
            ),
          },
          { name: 'Since', cell: ({ created }) => <Time at={created} /> },
          ...(isAdministrator
            ? [
                {
                  name: 'Action',
                  cell: (user: User) => (
                    <Actions
                      user={user}
                      isOwn={user.username === username}
                      change={() => setChanged(user)}
                      remove={() => setDoomed(user)}
                    />
                  ),
                },
              ]
            : []),
        ]}
      />
      <Modal
        opened={changed !== undefined}
        onClose={() => setChanged(undefined)}
        title={changed ? `Change ${visible(changed.username)}` : ''}
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        {changed && (
          <ChangeUser
            key={changed.id}
            user={changed}
            isOwn={changed.username === username}
            close={() => setChanged(undefined)}
          />
        )}
      </Modal>
      <Confirm
        opened={doomed !== undefined}
        title="Remove user?"
        keep="Keep"
        act="Remove"
        close={() => setDoomed(undefined)}
        run={async () => {
          if (doomed) await removeUser(doomed);
          setDoomed(undefined);
        }}
      >
        <Text className="wrap">
          <bdi>{visible(doomed?.username ?? '')}</bdi> is signed out everywhere and cannot sign in any more.
          Data streams and application tokens stay.
        </Text>
      </Confirm>
    </>
  );
}

function Actions({
  user,
  isOwn,
  change,
  remove,
}: {
  readonly user: User;
  readonly isOwn: boolean;
  readonly change: () => void;
  readonly remove: () => void;
}) {
  const [busy, setBusy] = useState(false);
  const isActive = user.status.id === ACTIVE;
  const name = visible(user.username);
  return (
    <Group gap="xs">
      <Button size="xs" variant="default" aria-label={`Change ${name}`} onClick={change}>
        Change
      </Button>
      {!isOwn && (
        <>
          <Button
            size="xs"
            variant="default"
            aria-label={`${isActive ? 'Suspend' : 'Let in'} ${name}`}
            loading={busy}
            onClick={async () => {
              setBusy(true);
              await changeUser(user, { status: { id: isActive ? SUSPENDED : ACTIVE } });
              setBusy(false);
            }}
          >
            {isActive ? 'Suspend' : 'Let in'}
          </Button>
          <Button size="xs" variant="default" aria-label={`Remove ${name}`} onClick={remove}>
            Remove
          </Button>
        </>
      )}
    </Group>
  );
}

function ChangeUser({
  user,
  isOwn,
  close,
}: {
  readonly user: User;
  readonly isOwn: boolean;
  readonly close: () => void;
}) {
  const [name, setName] = useState(user.name);
  const [role, setRole] = useState(String(user.role.id));
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const fault = password === '' ? null : passwordFault(password);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (fault !== null) return;
    setBusy(true);
    const done = await changeUser(user, {
      ...(name.trim() === '' || name === user.name ? {} : { name: name.trim() }),
      ...(Number(role) === user.role.id ? {} : { roles: [{ id: Number(role) }] }),
      ...(password === '' ? {} : { password: digestOf(password) }),
    });
    setBusy(false);
    if (done) close();
  };
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <TextInput
          label="Name"
          maxLength={200}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          data-autofocus
        />
        {!isOwn && (
          <>
            <Select
              label="Role"
              data={ROLES}
              value={role}
              allowDeselect={false}
              onChange={(chosen) => setRole(chosen ?? role)}
            />
            <PasswordInput
              label="New password"
              description="Empty: it stays. A new one ends all logins of the user."
              autoComplete="new-password"
              value={password}
              error={fault}
              onChange={(event) => setPassword(event.currentTarget.value)}
              visibilityToggleButtonProps={{ 'aria-label': 'Show or hide the new password', tabIndex: 0 }}
            />
          </>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={busy}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

type UserPatch = paths['/api/v1/user/{user_id}']['patch']['requestBody']['content']['application/json'];

function changeUser(user: User, body: UserPatch): Promise<boolean> {
  const path = `/api/v1/user/${user.id}`;
  const params = { path: { user_id: String(user.id) } };
  const call = () => perform('PATCH', path, body, api.PATCH('/api/v1/user/{user_id}', { params, body }));
  return attempt(`${visible(user.username)} is changed.`, call, NAMES);
}

function removeUser(user: User): Promise<boolean> {
  const path = `/api/v1/user/${user.id}`;
  const params = { path: { user_id: String(user.id) } };
  const call = () => perform('DELETE', path, undefined, api.DELETE('/api/v1/user/{user_id}', { params }));
  return attempt(`${visible(user.username)} is removed.`, call, NAMES);
}
