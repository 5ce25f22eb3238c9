import { sha1 } from '@noble/hashes/legacy.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { createContext, useContext } from 'react';
import { api, read, rememberSchemas, setToken } from './api.ts';

export interface Session {
  readonly username: string;
  readonly name: string;
  readonly role: string;
  readonly canWrite: boolean;
  readonly organisation: { readonly id: number; readonly name: string };
}

/** emnify's id of the role that reads only. */
const OBSERVER = 3;
/** The refresh token lives as long as the tab; the auth token in memory alone. */
const KEY = 'simstream.refresh';

export const SessionContext = createContext<Session | undefined>(undefined);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('nobody is signed in');
  return session;
}

/** @param ended called when the login has run out */
export async function signIn(username: string, password: string, ended: () => void): Promise<Session> {
  const digest = bytesToHex(sha1(utf8ToBytes(password)));
  const tokens = await read(api.POST('/api/v1/authenticate', { body: { username, password: digest } }));
  if (tokens.refresh_token) window.sessionStorage.setItem(KEY, tokens.refresh_token);
  return begin(tokens.auth_token, ended);
}

/** Goes on after a reload of the page. */
export async function resume(ended: () => void): Promise<Session | undefined> {
  const token = await refresh();
  return token ? begin(token, ended) : undefined;
}

export function signOut(): void {
  window.sessionStorage.removeItem(KEY);
  setToken(undefined, async () => undefined);
}

async function begin(token: string, ended: () => void): Promise<Session> {
  let renewal: Promise<string | undefined> | undefined;
  setToken(token, () => {
    // Several calls can find out at once; one renewal serves them all.
    renewal ??= refresh().finally(() => {
      renewal = undefined;
    });
    return renewal.then((fresh) => {
      if (!fresh) ended();
      return fresh;
    });
  });
  const [user, types] = await Promise.all([
    read(api.GET('/api/v1/user/my')),
    read(api.GET('/api/v2/data_stream/connection_type')),
  ]);
  rememberSchemas(types);
  return {
    username: user.username,
    name: user.name || user.username,
    role: user.role.description,
    canWrite: user.role.id !== OBSERVER,
    organisation: user.organisation,
  };
}

async function refresh(): Promise<string | undefined> {
  const refresh_token = window.sessionStorage.getItem(KEY);
  if (!refresh_token) return undefined;
  const { data } = await api.POST('/api/v1/authenticate', { body: { refresh_token } });
  if (!data) window.sessionStorage.removeItem(KEY);
  return data?.auth_token;
}
