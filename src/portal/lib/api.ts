import createClient from 'openapi-fetch';
import type { components, paths } from '../generated/api.ts';
import { type LoggedCall, logCall } from './call-log.ts';
import { currentLogin, LoginEnded } from './login.ts';
import { withLongNumbers } from './long-numbers.ts';
import { pace } from './pace.ts';
import { CallFailed, problemOf } from './problem.ts';
import { type CredentialSchema, credentialSchema } from './schema.ts';
import { withoutSecrets } from './secrets.ts';
import { createSend } from './send.ts';

export type DataStream = components['schemas']['DataStream'];
export type QuarantineGroup =
  paths['/api/v2/data_stream/{id}/quarantine/group']['get']['responses'][200]['content']['application/json']['groups'][number];
export type ConnectionType = components['schemas']['ConnectionType'];

/** The public API of this node, and no other. */
export const api = createClient<paths>({
  baseUrl: window.location.origin,
  fetch: createSend({
    fetch: async (request) => withLongNumbers(new URL(request.url).pathname, await window.fetch(request)),
    sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
    pace,
  }),
});

let schemas: ReadonlyMap<string, CredentialSchema> = new Map();

/** Remembers which fields are secret, so that no call is shown with one. */
export function rememberSchemas(types: readonly ConnectionType[]): void {
  schemas = new Map(types.map((type) => [type.id, credentialSchema(type)]));
}

interface Outcome<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

/** The outcome of a call, if the login that it was made for has not ended meanwhile. */
async function settle<T>(call: Promise<Outcome<T>>): Promise<Outcome<T>> {
  const login = currentLogin();
  const outcome = await call;
  if (login?.ended.aborted) throw new LoginEnded();
  return outcome;
}

const failureOf = ({ response, error }: Outcome<unknown>) =>
  new CallFailed(problemOf(response.status, error, response.headers.get('retry-after')));

/** The answer's body. @throws CallFailed with the cause in plain words */
export async function read<T>(call: Promise<Outcome<T>>): Promise<T> {
  const outcome = await settle(call);
  if (!outcome.response.ok) throw failureOf(outcome);
  return outcome.data as T;
}

/** A page of a list, whether there is another one, and the place of that where the list has places. @throws CallFailed with the cause in plain words */
export async function readPage<T>(
  call: Promise<Outcome<T>>,
): Promise<{ readonly data: T; readonly more: boolean; readonly next: string | undefined }> {
  const outcome = await settle(call);
  if (!outcome.response.ok) throw failureOf(outcome);
  return {
    data: outcome.data as T,
    more: /rel="next"/.test(outcome.response.headers.get('link') ?? ''),
    next: outcome.response.headers.get('x-next-before') ?? undefined,
  };
}

/** Makes a call that the reader asked for by hand, and keeps it for "Show as API call". */
export async function perform<T>(
  method: string,
  path: string,
  body: unknown,
  call: Promise<Outcome<T>>,
): Promise<{ readonly data: T; readonly response: Response; readonly logged: LoggedCall }> {
  const outcome = await settle(call);
  const { data, response } = outcome;
  const shown = withoutSecrets(body, (type) => schemas.get(type));
  const logged = logCall({
    at: new Date().toISOString(),
    method,
    path,
    body: shown,
    status: response.status,
  });
  if (!response.ok) throw failureOf(outcome);
  return { data: data as T, response, logged };
}
