import type { Client } from 'openapi-fetch';
import { createContext, useContext } from 'react';
import type { components, paths } from '../generated/api.ts';
import { digestOf } from './digest.ts';
import { beginLogin, currentLogin, endLogin, type Renewal } from './login.ts';
import { type Channel, createPeers, type HeldLogin, type Peers } from './peers.ts';
import { CallFailed, type Problem, problemFrom, problemOf } from './problem.ts';

export interface Session {
  readonly username: string;
  readonly name: string;
  readonly role: string;
  /** May change users of the organisation. */
  readonly isAdministrator: boolean;
  readonly canWrite: boolean;
  readonly organisation: { readonly id: number; readonly name: string };
  /** Organisation and user: equal for two logins of the same person. */
  readonly identity: string;
}

/** The outcome for a login that the page found when it was opened. */
type Resumed =
  | { readonly is: 'in'; readonly session: Session }
  | { readonly is: 'out'; readonly expired: boolean }
  /** The login is kept; whether it still holds is known once the node answers. */
  | { readonly is: 'unreachable'; readonly problem: Problem };

export interface Sessions {
  /** @throws CallFailed when name or password is wrong, or the node does not answer */
  signIn(username: string, password: string): Promise<Session | NeedsCode | NeedsSetUp>;
  /**
   * The second step.
   * @param trust this browser is not asked for a code again @throws CallFailed when the code is wrong, or the node does not answer
   */
  confirm(step: NeedsCode, code: string, trust: boolean): Promise<Session>;
  /** A new second factor of a user who must have one. @throws CallFailed when the node does not answer */
  setUp(step: NeedsSetUp): Promise<NewMfaKey>;
  /** Activates it, and signs in. @throws CallFailed when the code is wrong, or the node does not answer */
  finishSetUp(step: NeedsSetUp, keyId: number, code: string): Promise<Session>;
  /** Goes on with the login of this tab after a reload, or with that of another tab. */
  resume(): Promise<Resumed>;
  /**
   * Changes the password of the user who is signed in: all of their logins end, and a new one begins here.
   * @throws CallFailed when the present password is wrong, or the node does not answer
   */
  changePassword(present: string, next: string): Promise<Session>;
  signOut(): void;
}

/** The password was right, and the user has a second factor. */
export interface NeedsCode {
  readonly mfaToken: string;
}

/** The password was right, and the user must set up the second factor that the organisation requires. */
export interface NeedsSetUp {
  readonly setUpToken: string;
  readonly password: string;
}

export type NewMfaKey = paths['/api/v1/user/mfa']['post']['responses'][200]['content']['application/json'];

/** The parts of the browser and the API that a session needs. */
export interface SessionParts {
  readonly api: Pick<Client<paths>, 'GET' | 'POST' | 'PATCH'>;
  /** Lives as long as the tab. */
  readonly storage: {
    getItem(key: string): string | null;
    setItem(key: string, value: string): void;
    removeItem(key: string): void;
  };
  /** Outlives the tab: it has the fingerprint of this browser, once it is trusted. */
  readonly device: {
    get(): string | undefined;
    /** The fingerprint of this browser; made at random at the first time. */
    make(): string;
  };
  /** To the other tabs; undefined where the browser has none. */
  readonly channel: Channel | undefined;
  readonly name: () => string;
  sleep(milliseconds: number): Promise<void>;
  /** The login ended, but not by signIn or signOut of this tab: it ran out, or another tab signed out. */
  ended(why: 'expired' | 'signed out elsewhere'): void;
  /** Connection types, as they were read at the beginning of the login. */
  began(types: readonly components['schemas']['ConnectionType'][]): void;
}

/** emnify's ids of the roles that change users too, and that read only. */
const ADMINISTRATOR = 1;
const OBSERVER = 3;
/** Where the refresh token lies in the tab's storage; the auth token is in memory alone. */
const KEY = 'simstream.refresh';

export const SessionContext = createContext<Session | undefined>(undefined);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('nobody is signed in');
  return session;
}

export function createSessions(parts: SessionParts): Sessions {
  const { api, storage } = parts;
  let held: HeldLogin | undefined;

  const forget = () => {
    held = undefined;
    storage.removeItem(KEY);
    endLogin();
  };
  const peers: Peers | undefined =
    parts.channel &&
    createPeers(parts.channel, {
      held: () => held,
      signedOut: (identity) => {
        if (held?.identity !== identity) return;
        forget();
        parts.ended('signed out elsewhere');
      },
      name: parts.name,
      sleep: parts.sleep,
    });

  const renewWith = async (refreshToken: string): Promise<Renewal> => {
    try {
      const { data, error, response } = await api.POST('/api/v1/authenticate', {
        body: { refresh_token: refreshToken },
      });
      if (data?.auth_token !== undefined) return { is: 'renewed', token: data.auth_token };
      // L3 of login.ts: the node must have looked at the token, and found that it is not good.
      if (response.status >= 400 && response.status < 500 && response.status !== 429)
        return { is: 'refused' };
      return { is: 'unreachable', problem: problemOf(response.status, error) };
    } catch (error) {
      return { is: 'unreachable', problem: problemFrom(error) };
    }
  };

  const begin = async (token: string, refreshToken: string | undefined): Promise<Session> => {
    const login = beginLogin(
      token,
      async () => (refreshToken === undefined ? { is: 'refused' } : renewWith(refreshToken)),
      () => {
        forget();
        parts.ended('expired');
      },
    );
    const [user, types] = await Promise.all([
      bodyOf(api.GET('/api/v1/user/my')),
      bodyOf(api.GET('/api/v2/data_stream/connection_type')),
    ]).catch((error: unknown) => {
      endLogin();
      throw error;
    });
    login.queries.setQueryData(['types'], types);
    parts.began(types);
    const identity = `${user.organisation.id}/${user.username}`;
    if (refreshToken !== undefined) {
      held = { refreshToken, identity };
      storage.setItem(KEY, refreshToken);
    }
    return {
      username: user.username,
      name: user.name || user.username,
      role: user.role.description,
      isAdministrator: user.role.id === ADMINISTRATOR,
      canWrite: user.role.id !== OBSERVER,
      organisation: user.organisation,
      identity,
    };
  };

  const enter = ({ auth_token, refresh_token }: Tokens) => {
    if (auth_token === undefined) throw new Error('the node gave no token');
    return begin(auth_token, refresh_token);
  };

  return {
    signIn: async (username, password) => {
      const fingerprint = parts.device.get();
      const known = fingerprint === undefined ? {} : { fingerprint };
      const body = { username, password: digestOf(password), ...known };
      const tokens = await bodyOf(api.POST('/api/v1/authenticate', { body }));
      if (tokens.mfa_setup_token !== undefined)
        return { setUpToken: tokens.mfa_setup_token, password: body.password };
      return tokens.mfa_token === undefined ? enter(tokens) : { mfaToken: tokens.mfa_token };
    },
    confirm: async ({ mfaToken }, code, trust) => {
      const device = trust
        ? { trusted_device: { fingerprint: parts.device.make(), name: 'Browser', browser: browserName() } }
        : {};
      const body = { mfa_token: mfaToken, code, ...device };
      return enter(await bodyOf(api.POST('/api/v1/authenticate', { body })));
    },
    setUp: ({ setUpToken, password }) => {
      const headers = { authorization: `Bearer ${setUpToken}` };
      return bodyOf(api.POST('/api/v1/user/mfa', { headers, body: { password } }));
    },
    finishSetUp: async ({ setUpToken }, keyId, code) => {
      const headers = { authorization: `Bearer ${setUpToken}` };
      const params = { path: { key_id: String(keyId) } };
      const call = api.PATCH('/api/v1/user/mfa/{key_id}', { headers, params, body: { code: code.trim() } });
      const tokens = await bodyOf<Tokens | undefined>(call);
      return enter(tokens ?? {});
    },
    resume: async () => {
      const refreshToken = storage.getItem(KEY) ?? (await peers?.ask())?.refreshToken;
      if (refreshToken === undefined) return { is: 'out', expired: false };
      const renewal = await renewWith(refreshToken);
      if (renewal.is === 'unreachable') return renewal;
      if (renewal.is === 'refused') {
        forget();
        return { is: 'out', expired: true };
      }
      try {
        return { is: 'in', session: await begin(renewal.token, refreshToken) };
      } catch (error) {
        return { is: 'unreachable', problem: problemFrom(error) };
      }
    },
    changePassword: async (present, next) => {
      const body = { current_password: digestOf(present), password: digestOf(next) };
      const tokens = await bodyOf(api.PATCH('/api/v1/user/my', { body }));
      return enter(tokens);
    },
    signOut: () => {
      const identity = held?.identity;
      const login = currentLogin();
      if (login) {
        // At the server too. Even if it cannot be reached, this browser is signed out.
        const headers = { authorization: `Bearer ${login.token}` };
        void Promise.resolve(api.POST('/api/v1/authenticate/logout', { headers })).catch(() => undefined);
      }
      forget();
      if (identity !== undefined) peers?.signedOut(identity);
    },
  };
}

/** For the list of trusted devices. */
function browserName(): string {
  return globalThis.navigator?.userAgent.slice(0, 200) ?? '';
}

type Tokens = Pick<components['schemas']['AuthTokens'], 'auth_token' | 'refresh_token'>;

/** @throws CallFailed */
async function bodyOf<T>(
  call: Promise<{ readonly data?: T; readonly error?: unknown; readonly response: Response }>,
): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok)
    throw new CallFailed(problemOf(response.status, error, response.headers.get('retry-after')));
  return data as T;
}
