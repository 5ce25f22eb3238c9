import {
  ActionIcon,
  Button,
  Container,
  Menu,
  Text,
  useComputedColorScheme,
  useMantineColorScheme,
  VisuallyHidden,
} from '@mantine/core';
import { lazy, Suspense, useCallback, useEffect, useState } from 'react';
import icon from './icon.svg';
import { clearCalls } from './lib/call-log.ts';
import { forgetAll } from './lib/polling.ts';
import { linkTo, navigate, useAddress } from './lib/router.ts';
import { resume, type Session, SessionContext, signOut, useSession } from './lib/session.ts';
import { Icon } from './parts/icons.tsx';
import { Notices } from './parts/notices.tsx';
import { Loading } from './parts/show.tsx';
import { Login } from './views/login.tsx';
import { NotFound } from './views/not-found.tsx';
import { Streams } from './views/streams.tsx';

const Create = lazy(() => import('./views/create.tsx'));
const Details = lazy(() => import('./views/details.tsx'));
const ApiAccess = lazy(() => import('./views/api-access.tsx'));

type State = { is: 'starting' } | { is: 'out'; expired: boolean } | { is: 'in'; session: Session };

export function App() {
  const [state, setState] = useState<State>({ is: 'starting' });
  const leave = useCallback((expired: boolean) => {
    signOut();
    forgetAll();
    clearCalls();
    setState({ is: 'out', expired });
  }, []);
  const ended = useCallback(() => leave(true), [leave]);

  useEffect(() => {
    resume(ended).then(
      (session) => setState(session ? { is: 'in', session } : { is: 'out', expired: false }),
      () => setState({ is: 'out', expired: false }),
    );
  }, [ended]);

  if (state.is === 'starting') return <Loading what="simstream" />;
  if (state.is === 'out') {
    return (
      <Login expired={state.expired} ended={ended} entered={(session) => setState({ is: 'in', session })} />
    );
  }
  return (
    <SessionContext value={state.session}>
      <a className="skip" href="#content">
        Skip to content
      </a>
      <Header leave={() => leave(false)} />
      <main id="content" tabIndex={-1}>
        <Container size="lg" py="lg">
          <Suspense fallback={<Coming />}>
            <View />
          </Suspense>
        </Container>
      </main>
      <Notices />
    </SessionContext>
  );
}

/** While the code of a view is on its way. */
function Coming() {
  return (
    <>
      <VisuallyHidden component="h1">simstream</VisuallyHidden>
      <Loading what="the view" />
    </>
  );
}

function View() {
  const { pathname } = useAddress();
  useEffect(() => {
    if (pathname === '/') navigate('/data-streams', { replace: true });
  }, [pathname]);
  if (pathname === '/' || pathname === '/data-streams') return <Streams />;
  if (pathname === '/data-streams/new') return <Create />;
  if (pathname === '/api-access') return <ApiAccess />;
  const [, id] = /^\/data-streams\/([A-Za-z0-9_-]{1,64})$/.exec(pathname) ?? [];
  return id === undefined ? <NotFound /> : <Details key={id} id={id} />;
}

function Header({ leave }: { readonly leave: () => void }) {
  const { organisation, name, username, role } = useSession();
  const { pathname } = useAddress();
  const here = (path: string) => (pathname.startsWith(path) ? { 'aria-current': 'page' as const } : {});
  return (
    <header className="bar">
      <a className="brand" {...linkTo('/data-streams')}>
        <img src={icon} alt="" width={24} height={24} />
        <span className="brand-name">simstream</span>
      </a>
      <nav aria-label="Main">
        <a {...linkTo('/data-streams')} {...here('/data-streams')}>
          Data Streams
        </a>
        <a {...linkTo('/api-access')} {...here('/api-access')}>
          API
        </a>
      </nav>
      <div style={{ flex: 1 }} />
      <Text size="sm" className="hide-narrow">
        {organisation.name}
      </Text>
      <SchemeButton />
      <Menu position="bottom-end" withinPortal={false}>
        <Menu.Target>
          <Button variant="default" size="xs">
            {name}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>
            {username}, {role}
            <br />
            Organisation {organisation.name} ({organisation.id})
          </Menu.Label>
          <Menu.Item onClick={leave}>Sign out</Menu.Item>
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
