import { Container, VisuallyHidden } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { lazy, Suspense, useCallback, useEffect, useState } from 'react';
import { navigate, router, useAddress } from './lib/address.ts';
import { api, rememberSchemas } from './lib/api.ts';
import { browserDevice } from './lib/device.ts';
import { zoneName } from './lib/format.ts';
import { currentLogin } from './lib/login.ts';
import type { Problem } from './lib/problem.ts';
import { HOME } from './lib/router.ts';
import { createSessions, type Session, SessionContext, type Sessions } from './lib/session.ts';
import { FaultBoundary } from './parts/fault-boundary.tsx';
import { Header } from './parts/header.tsx';
import { LeaveDialog } from './parts/leave-dialog.tsx';
import { Notices } from './parts/notices.tsx';
import { PaceNotice } from './parts/pace-notice.tsx';
import { Loading } from './parts/show.tsx';
import { Login } from './views/login.tsx';
import { NotFound } from './views/not-found.tsx';
import { Streams } from './views/streams.tsx';
import { Unreachable } from './views/unreachable.tsx';

const Create = lazy(() => import('./views/create.tsx'));
const Details = lazy(() => import('./views/details.tsx'));
const Records = lazy(() => import('./views/records.tsx'));
const Notifications = lazy(() => import('./views/notifications.tsx'));
const Users = lazy(() => import('./views/users.tsx'));
const Account = lazy(() => import('./views/account.tsx'));
const ApiAccess = lazy(() => import('./views/api-access.tsx'));

/**
 *     starting ──▶ in ──▶ out        A login is looked for once, when the page is opened.
 *        │  ▲      ▲       │
 *        │  │      └───────┘         From `unreachable` it goes on by itself, or when the reader asks.
 *        ▼  │
 *     unreachable
 */
type State =
  | { readonly is: 'starting' }
  | { readonly is: 'unreachable'; readonly problem: Problem }
  | { readonly is: 'out'; readonly why: 'new' | 'expired' | 'signed out elsewhere' }
  | { readonly is: 'in'; readonly session: Session };

export function App() {
  const [state, setState] = useState<State>({ is: 'starting' });
  const [sessions] = useState(() =>
    createSessions({
      api,
      storage: window.sessionStorage,
      device: browserDevice,
      channel: 'BroadcastChannel' in window ? new BroadcastChannel('simstream') : undefined,
      // Plain HTTP has no crypto.randomUUID.
      name: () => [...crypto.getRandomValues(new Uint32Array(4))].join('-'),
      sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
      ended: (why) => {
        router.belongsTo(undefined);
        setState({ is: 'out', why });
      },
      began: rememberSchemas,
    }),
  );
  const enter = useCallback((session: Session) => {
    router.belongsTo(session.identity);
    setState({ is: 'in', session });
  }, []);
  const resume = useCallback(async () => {
    const resumed = await sessions.resume();
    if (resumed.is === 'in') enter(resumed.session);
    else setState(resumed.is === 'out' ? { is: 'out', why: resumed.expired ? 'expired' : 'new' } : resumed);
  }, [sessions, enter]);
  useEffect(() => void resume(), [resume]);
  const signOut = () =>
    router.leaveThen(() => {
      sessions.signOut();
      router.belongsTo(undefined);
      setState({ is: 'out', why: 'new' });
      // Input that was asked about just now is not a reason to ask again.
      window.history.replaceState(null, '', '/');
      router.address.set(window.location.href);
    });

  const changePassword = async (present: string, next: string) => {
    try {
      const session = await sessions.changePassword(present, next);
      enter(session);
      return session;
    } catch (error) {
      // The password is changed, and the new login could not begin.
      if (!currentLogin()) setState({ is: 'out', why: 'expired' });
      throw error;
    }
  };

  if (state.is === 'starting') return <Loading what="simstream" />;
  if (state.is === 'unreachable') return <Unreachable problem={state.problem} retry={resume} />;
  const queries = currentLogin()?.queries;
  if (state.is === 'out' || !queries) {
    return <Login why={state.is === 'out' ? state.why : 'expired'} sessions={sessions} entered={enter} />;
  }
  return (
    <QueryClientProvider client={queries}>
      <SessionContext value={state.session}>
        <SignedIn key={state.session.identity} signOut={signOut} changePassword={changePassword} />
      </SessionContext>
    </QueryClientProvider>
  );
}

interface SignedInProps {
  readonly signOut: () => void;
  readonly changePassword: Sessions['changePassword'];
}

function SignedIn({ signOut, changePassword }: SignedInProps) {
  const { pathname } = useAddress();
  return (
    <>
      <a className="skip" href="#content">
        Skip to content
      </a>
      <Header signOut={signOut} />
      <main id="content" tabIndex={-1}>
        <Container size="lg" py="lg">
          <PaceNotice />
          <FaultBoundary key={pathname === '/' ? HOME : pathname}>
            <Suspense fallback={<Coming />}>
              <View changePassword={changePassword} />
            </Suspense>
          </FaultBoundary>
        </Container>
        <LeaveDialog />
      </main>
      <footer className="foot">
        Times are shown in your time zone, {zoneName()}.
        {zoneName() !== 'UTC' && ' Point at a time to see it in UTC.'}
      </footer>
      <Notices />
    </>
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

function View({ changePassword }: Pick<SignedInProps, 'changePassword'>) {
  const { pathname } = useAddress();
  useEffect(() => {
    if (pathname === '/') navigate(HOME, { replace: true });
  }, [pathname]);
  if (pathname === '/' || pathname === HOME) return <Streams />;
  if (pathname === '/data-streams/new') return <Create />;
  if (pathname === '/records') return <Records />;
  if (pathname === '/api-access') return <ApiAccess />;
  if (pathname === '/notifications') return <Notifications />;
  if (pathname === '/users') return <Users />;
  if (pathname === '/account') return <Account changePassword={changePassword} />;
  const [, id] = /^\/data-streams\/([A-Za-z0-9_-]{1,64})$/.exec(pathname) ?? [];
  return id === undefined ? <NotFound /> : <Details key={id} id={id} />;
}
