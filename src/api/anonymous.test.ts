import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { createRateLimits, DEFAULT_RATE_LIMITS } from '../auth/rate-limit.ts';
import { createInboxes } from '../demo/inbox.ts';
import { inboxPlugin } from '../demo/inbox-plugin.ts';
import { ApiError } from '../errors.ts';
import { ManualClock, seededRandom, settle } from '../lib/manual-clock.fixture.ts';
import { createApp } from './app.ts';
import { REFUSALS_AT_ONCE } from './held-refusals.ts';
import { defineRoute } from './route.ts';

/** At once, from an address. */
const MOST = 20;
const clock = new ManualClock();
const base = { tags: ['Test'], summary: 'For tests.', responses: { 200: { description: 'Done.' } } };
let read = 0;
const routes = [
  defineRoute({
    ...base,
    method: 'POST',
    path: '/api/v1/authenticate',
    operationId: 'Login',
    access: 'public',
    body: Type.Object({ name: Type.String() }),
    handler: () => {
      read++;
      return { status: 200 };
    },
  }),
  ...(['read', 'operator'] as const).map((access) =>
    defineRoute({
      ...base,
      method: 'GET',
      path: `/${access}`,
      operationId: access,
      access,
      handler: () => ({ status: 200 }),
    }),
  ),
];

let limits: ReturnType<typeof createRateLimits>;
let app: FastifyInstance;
before(async () => {
  app = await createApp({
    routes,
    random: seededRandom(1),
    clock,
    version: '1.2.3',
    authorize: async (authorization) => {
      if (authorization !== 'Bearer ada') throw new ApiError('InvalidToken');
      return { organisationId: 7, organisationName: 'Seven', role: 'administrator', actor: 'user:ada' };
    },
    authorizeOperator: (authorization) => {
      if (authorization !== 'Bearer operator') throw new ApiError('InvalidToken');
    },
    admit: () => {},
    admitAnonymous: (address, kind) => limits.anonymous(address, kind),
    trustProxy: ['127.0.0.0/8'],
    readiness: async () => [],
    metrics: async () => 'up 1\n',
    metricsContentType: 'text/plain; version=0.0.4',
  });
  await app.register(inboxPlugin(createInboxes(clock)));
});
after(() => app.close());
beforeEach(() => {
  limits = createRateLimits(clock, { ...DEFAULT_RATE_LIMITS, anonymous: 1 });
});

interface Call {
  readonly method?: 'GET' | 'POST' | 'OPTIONS';
  readonly token?: string;
  readonly payload?: string;
  readonly from?: string;
}

/** Calls over a proxy that is trusted. */
const call = (url: string, { method = 'GET', token, payload, from = '192.0.2.1' }: Call = {}) =>
  app.inject({
    url,
    method,
    ...(payload === undefined ? {} : { payload }),
    headers: {
      'x-forwarded-for': `${payload?.length ?? 198}.51.100.1, ${from}`,
      ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
  });
const spend = async () => {
  for (let at = 0; at < MOST; at++) assert.equal((await call('/nope')).statusCode, 404);
};

describe('beyond the limit of calls without a valid token', () => {
  const refused: readonly (readonly [what: string, url: string, options?: Call])[] = [
    ['a path that is not served', '/nope'],
    ['the same with a valid token', '/nope', { token: 'ada' }],
    ['a method that is not served', '/read', { method: 'POST' }],
    ['a preflight', '/api/v1/authenticate', { method: 'OPTIONS' }],
    ['the document of the API', '/api/openapi.json'],
    ['the page of the API', '/api/docs'],
    ['a file of that page', '/api/docs/static/swagger-ui-bundle.js'],
    ['a login', '/api/v1/authenticate', { method: 'POST', payload: '{"name":"ada"}' }],
    ['a body that is not JSON', '/api/v1/authenticate', { method: 'POST', payload: '{' }],
    ['a customer’s call without a token', '/read'],
    ['a customer’s call with a wrong token', '/read', { token: 'eve' }],
    ['an operator’s call with a wrong token', '/operator', { token: 'eve' }],
  ];
  for (const [what, url, options] of refused) {
    test(`${what} is refused with the limit's name and a time`, async () => {
      await spend();
      const answer = await call(url, options);
      assert.equal(answer.statusCode, 429);
      assert.equal(answer.headers['retry-after'], '1');
      assert.match(answer.json().message, /without a valid token from this address \(1 a second\)/);
    });
  }

  const admitted: readonly (readonly [what: string, url: string, options?: Call])[] = [
    ['probes', '/healthz?probe'],
    ['probes of readiness', '/readyz'],
    ['metrics, which have a count of their own', '/metrics'],
    ['calls with a valid token', '/read', { token: 'ada' }],
    ['calls of the operator', '/operator', { token: 'operator' }],
    ['other addresses', '/api/docs', { from: '192.0.2.2' }],
    ['deliveries to the inbox of the demo', '/inbox/a', { method: 'POST', payload: '{}' }],
  ];
  for (const [what, url, options] of admitted) {
    test(`${what} are still answered`, async () => {
      await spend();
      assert.equal((await call(url, options)).statusCode, 200);
    });
  }

  test('no body is read, and metrics too have a limit', async () => {
    await spend();
    read = 0;
    await call('/api/v1/authenticate', { method: 'POST', payload: '{"name":"ada"}' });
    assert.equal(read, 0);
    for (let at = 0; at < MOST; at++) assert.equal((await call('/metrics')).statusCode, 200);
    assert.equal((await call('/metrics')).statusCode, 429);
  });

  test('refusals that go on come a second later each', async () => {
    await spend();
    let answers = 0;
    const flood = Array.from({ length: 3 * REFUSALS_AT_ONCE }, () => call('/nope').then(() => answers++));
    for (let at = 0; at < 50; at++) await settle();
    assert.ok(answers <= REFUSALS_AT_ONCE, `${answers} were answered at once`);
    await clock.advance(1_000);
    await Promise.all(flood);
  });
});

test('of calls without a token one is begun in a turn of the event loop, however many arrive together', async () => {
  limits = createRateLimits(clock, { ...DEFAULT_RATE_LIMITS, anonymous: 0 });
  read = 0;
  const payload = '{"name":"ada"}';
  const calls = Array.from({ length: 30 }, () => call('/api/v1/authenticate', { method: 'POST', payload }));
  const seen = new Set<number>();
  const watch = async () => {
    while (read < calls.length) {
      seen.add(read);
      await new Promise(setImmediate);
    }
  };
  await Promise.all([...calls, watch()]);
  assert.ok(seen.size >= 15, `30 calls in ${seen.size} turns`);
});
