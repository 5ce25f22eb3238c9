import { Button, Group, PasswordInput, Select, Stack, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { digestOf } from '../lib/digest.ts';
import { passwordFault } from '../lib/password.ts';
import { changeUser, ROLES, type User } from './user-actions.ts';

/** The form that changes a user. Users do not change their own role, and change their own password under Account. */
export function ChangeUser({
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
              description="Empty: the password stays. A new one ends all logins of the user."
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
