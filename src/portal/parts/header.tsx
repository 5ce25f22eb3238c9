import { ActionIcon, Button, Menu, Text, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import icon from '../icon.svg';
import { linkTo, useAddress } from '../lib/address.ts';
import { HOME } from '../lib/router.ts';
import { useSession } from '../lib/session.ts';
import { visible } from '../lib/text.ts';
import { Icon } from './icons.tsx';

export function Header({ signOut }: { readonly signOut: () => void }) {
  const { organisation, name, username, role } = useSession();
  const { pathname } = useAddress();
  const here = (path: string) => (pathname.startsWith(path) ? { 'aria-current': 'page' as const } : {});
  return (
    <header className="bar">
      <a className="brand" {...linkTo(HOME)}>
        <img src={icon} alt="" width={24} height={24} />
        <span className="brand-name">simstream</span>
      </a>
      <nav aria-label="Main">
        <a {...linkTo(HOME)} {...here(HOME)}>
          Data Streams
        </a>
        <a {...linkTo('/records')} {...here('/records')}>
          Records
        </a>
        <a {...linkTo('/api-access')} {...here('/api-access')}>
          API
        </a>
      </nav>
      <div style={{ flex: 1 }} />
      <Text size="sm" className="hide-narrow" truncate maw={240}>
        <bdi>{visible(organisation.name)}</bdi>
      </Text>
      <SchemeButton />
      <Menu position="bottom-end" withinPortal={false}>
        <Menu.Target>
          <Button variant="default" size="xs" maw={160}>
            <Text component="bdi" inherit truncate>
              {visible(name)}
            </Text>
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>
            <bdi>{visible(username)}</bdi>, {role}
            <br />
            Organisation <bdi>{visible(organisation.name)}</bdi> ({organisation.id})
          </Menu.Label>
          <Menu.Item component="a" {...linkTo('/account')}>
            My account
          </Menu.Item>
          <Menu.Item component="a" {...linkTo('/notifications')}>
            Notifications
          </Menu.Item>
          <Menu.Item component="a" {...linkTo('/users')}>
            Users
          </Menu.Item>
          <Menu.Item onClick={signOut}>Sign out</Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </header>
  );
}

function SchemeButton() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');
  const other = scheme === 'light' ? 'dark' : 'light';
  return (
    <ActionIcon
      variant="default"
      size="md"
      aria-label={`Use the ${other} scheme`}
      onClick={() => setColorScheme(other)}
    >
      <Icon name={scheme === 'light' ? 'moon' : 'sun'} size={16} />
    </ActionIcon>
  );
}
