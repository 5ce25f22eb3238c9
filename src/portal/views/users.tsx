import { Button, Group, Modal, Paper, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { api, read } from '../lib/api.ts';
import { GOOD, NEUTRAL } from '../lib/colors.ts';
import { useRead } from '../lib/query.ts';
import { useSession } from '../lib/session.ts';
import { visible } from '../lib/text.ts';
import { ChangeUser } from '../parts/change-user.tsx';
import { Chip } from '../parts/chip.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { DataTable } from '../parts/data-table.tsx';
import { Heading } from '../parts/heading.tsx';
import { NewUser } from '../parts/new-user.tsx';
import { Reading } from '../parts/reading.tsx';
import { RequireMfa } from '../parts/require-mfa.tsx';
import { Time } from '../parts/show.tsx';
import { ACTIVE, changeUser, removeUser, SUSPENDED, type User } from '../parts/user-actions.ts';

/** The people of the organisation. Administrators add, change and remove them. */
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
          { name: 'Role', words: true, cell: ({ role }) => role.description },
          {
            name: 'Status',
            words: true,
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
            aria-label={`${isActive ? 'Suspend' : 'Activate'} ${name}`}
            loading={busy}
            onClick={async () => {
              setBusy(true);
              await changeUser(user, { status: { id: isActive ? SUSPENDED : ACTIVE } });
              setBusy(false);
            }}
          >
            {isActive ? 'Suspend' : 'Activate'}
          </Button>
          <Button size="xs" variant="default" aria-label={`Remove ${name}`} onClick={remove}>
            Remove
          </Button>
        </>
      )}
    </Group>
  );
}
