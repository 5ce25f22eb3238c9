import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import Value from 'typebox/value';
import { type Accounts, createAccounts } from '../auth/accounts.ts';
import { createAuthorizeOperator } from '../auth/identity.ts';
import { sha1Hex } from '../auth/passwords.ts';
import { createRateLimits } from '../auth/rate-limit.ts';
import { secretOf } from '../auth/secret.ts';
import { ApiError } from '../errors.ts';
import { ManualClock, seededRandom } from '../lib/manual-clock.fixture.ts';
import { createMemoryRegistry } from '../registry/memory.ts';
import type { Registry } from '../registry/registry.ts';
import { mustBeAllowed } from './access.ts';
import { applicationTokenRoutes } from './application-token.ts';
import { authenticateRoutes } from './authenticate.ts';
import { mfaRoutes } from './mfa.ts';
import { operatorRoutes } from './operator/routes.ts';
import { organisationRoutes } from './organisation.ts';
import type { Route } from './route.ts';
import { sessionRoutes } from './session.ts';
import { trustedDeviceRoutes } from './trusted-devices.ts';
import { userRoutes } from './user.ts';

/** For tests: the routes of accounts over a registry in memory, called without HTTP, with everything checked that a route promises. */
export interface AccountsFixture {
  readonly clock: ManualClock;
  readonly registry: Registry;
  readonly accounts: Accounts;
  call(method: Route['method'], path: string, options?: CallOptions): Promise<CallResult>;
  /** Calls with the operator's token. */
  operator(method: Route['method'], path: string, body?: unknown): Promise<CallResult>;
  /** Logs in and gives the auth token. */
  login(credentials: object, ip?: string): Promise<string>;
}

interface CallOptions {
  readonly body?: unknown;
  /** Bearer token. */
  readonly token?: string;
  readonly ip?: string;
}

interface CallResult {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of all shapes.
  readonly body: any;
  readonly retryAfter: number | undefined;
}

export const OPERATOR_TOKEN = 'operator-token-of-the-tests';
export const ADA = { username: 'Ada@example.org', password: sha1Hex('correct horse') };

/** Organisations 1 "Root" and 2 "Child" of 1, and the administrator Ada of organisation 1. */
export async function setUpAccounts(): Promise<AccountsFixture> {
  const clock = new ManualClock();
  const random = seededRandom(1);
  const registry = createMemoryRegistry();
  const secrets = { current: secretOf(Buffer.alloc(32, 1)) };
  const passwordCosts = { memory: 64, passes: 1 };
  const accounts = createAccounts({ registry, secrets, clock, random, passwordCosts });
  const { authentication } = accounts;
  const routes = [
    ...authenticateRoutes({ authentication, rateLimits: createRateLimits(clock) }),
    ...sessionRoutes(accounts),
    ...applicationTokenRoutes({ ...accounts, clock }),
    ...organisationRoutes(accounts),
    ...userRoutes(accounts),
    ...mfaRoutes(accounts),
    ...trustedDeviceRoutes(accounts),
    ...operatorRoutes({ ...accounts, registry, clock, retentionMs: 7 * 86_400_000 }),
  ];
  const authorizeOperator = createAuthorizeOperator(OPERATOR_TOKEN);

  const identityFor = async (route: Route, token: string | undefined, ip: string) => {
    const authorization = token === undefined ? undefined : `Bearer ${token}`;
    if (route.access === 'public') return undefined;
    if (route.access === 'operator') return authorizeOperator(authorization);
    const identity = await accounts.authorize(authorization, ip, route.setsUpMfa);
    mustBeAllowed(route, identity);
    return identity;
  };

  const call: AccountsFixture['call'] = async (method, path, { body, token, ip = '192.0.2.1' } = {}) => {
    const { route, params } = findRoute(routes, method, path);
    try {
      const identity = await identityFor(route, token, ip);
      if (route.body && !(body === undefined && route.bodyOptional)) {
        if (!Value.Check(route.body, body)) throw new ApiError('InputValidationFailed');
      }
      const request = {
        params,
        query: {},
        body,
        identity,
        headers: {},
        ip,
        signal: new AbortController().signal,
      };
      const answer = await route.handler(request);
      const promised = route.responses[answer.status];
      assert.ok(promised, `${route.operationId} promises no ${answer.status}`);
      assert.ok(!(answer.body instanceof Readable));
      const isText = answer.headers?.['content-type']?.startsWith('application/json');
      const shown = isText ? JSON.parse(String(answer.body)) : answer.body;
      if (promised.schema) assert.ok(Value.Check(promised.schema, shown), JSON.stringify(shown));
      else assert.equal(shown, undefined);
      return { status: answer.status, body: shown, retryAfter: undefined };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return { status: error.status, body: error.body(), retryAfter: error.retryAfter };
    }
  };

  await accounts.organisations.create({ id: 1, name: 'Root' });
  await accounts.organisations.create({ id: 2, name: 'Child', parentId: 1 });
  await accounts.users.create({
    organisationId: 1,
    username: ADA.username,
    sha1Hex: ADA.password,
    name: 'Ada Lovelace',
  });
  return {
    clock,
    registry,
    accounts,
    call,
    operator: (method, path, body) => call(method, `/operator/v1${path}`, { body, token: OPERATOR_TOKEN }),
    login: async (credentials, ip = '192.0.2.1') => {
      const answer = await call('POST', '/api/v1/authenticate', { body: credentials, ip });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      return answer.body.auth_token as string;
    },
  };
}

function findRoute(routes: readonly Route[], method: string, path: string) {
  const parts = path.split('/');
  for (const route of routes) {
    const pattern = route.path.split('/');
    const fits = (part: string, at: number) => part.startsWith(':') || part === parts[at];
    if (route.method !== method || pattern.length !== parts.length || !pattern.every(fits)) continue;
    const named = pattern.flatMap((part, at) =>
      part.startsWith(':') ? [[part.slice(1), decodeURIComponent(parts[at] as string)]] : [],
    );
    return { route, params: Object.fromEntries(named) as Record<string, string> };
  }
  throw new Error(`no route for ${method} ${path}`);
}
