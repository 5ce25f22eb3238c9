import createClient, { type Middleware } from 'openapi-fetch';
import type { components, paths } from '../generated/api.ts';
import { type LoggedCall, logCall } from './call-log.ts';
import { CallFailed, problemOf } from './problem.ts';
import type { CredentialSchema } from './schema.ts';
import { withoutSecrets } from './secrets.ts';

export type DataStream = components['schemas']['DataStream'];
export type ConnectionType = components['schemas']['ConnectionType'];

/** The public API of this node, and no other. */
export const api = createClient<paths>({ baseUrl: window.location.origin });

let authToken: string | undefined;
let renew: () => Promise<string | undefined> = async () => undefined;
let schemas: ReadonlyMap<string, CredentialSchema> = new Map();

/** Sets the token of all calls from now on, and how to get a new one when it has expired. */
export function setToken(token: string | undefined, renewal: () => Promise<string | undefined>): void {
  authToken = token;
  renew = renewal;
}

/** Remembers which fields are secret, so that no call is shown with one. */
export function rememberSchemas(types: readonly ConnectionType[]): void {
  schemas = new Map(types.map(({ id, schema }) => [id, schema as unknown as CredentialSchema]));
}

const OPEN = '/api/v1/authenticate';
/** How often, and for how many seconds at most, the portal waits by itself when the node says: too many calls. */
const MOST_WAITS = 3;
const LONGEST_WAIT = 5;
const copies = new WeakMap<Request, Request>();

const authorization: Middleware = {
  onRequest({ request, schemaPath }) {
    if (schemaPath === OPEN) return undefined;
    if (authToken) request.headers.set('authorization', `Bearer ${authToken}`);
    // A request can be sent once; this copy is for after the token was renewed.
    copies.set(request, request.clone());
    return request;
  },
  async onResponse({ request, response, schemaPath }) {
    const copy = copies.get(request);
    if (!copy || schemaPath === OPEN) return response;
    let answer = response;
    if (answer.status === 401) {
      const token = await renew();
      if (token) {
        authToken = token;
        copy.headers.set('authorization', `Bearer ${token}`);
        answer = await fetch(copy.clone());
      }
    }
    // Refused before anything was done: whatever the call is, it may be made again.
    for (let tries = 0; answer.status === 429 && tries < MOST_WAITS; tries++) {
      const seconds = Math.min(Number(answer.headers.get('retry-after')) || 1, LONGEST_WAIT);
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      answer = await fetch(copy.clone());
    }
    return answer;
  },
};
api.use(authorization);

interface Outcome<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

/** The answer's body. @throws CallFailed with the cause in plain words */
export async function read<T>(call: Promise<Outcome<T>>): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok) throw new CallFailed(problemOf(response.status, error));
  return data as T;
}

/** Makes a call that the reader asked for by hand, and keeps it for "Show as API call". */
export async function perform<T>(
  method: string,
  path: string,
  body: unknown,
  call: Promise<Outcome<T>>,
): Promise<{ readonly data: T; readonly response: Response; readonly logged: LoggedCall }> {
  const { data, error, response } = await call;
  const shown = withoutSecrets(body, (type) => schemas.get(type));
  const logged = logCall({
    at: new Date().toISOString(),
    method,
    path,
    body: shown,
    status: response.status,
  });
  if (!response.ok) throw new CallFailed(problemOf(response.status, error));
  return { data: data as T, response, logged };
}
