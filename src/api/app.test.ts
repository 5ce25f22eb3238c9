import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { ApiError } from '../errors.ts';
import { ManualClock, seededRandom, settle } from '../lib/manual-clock.fixture.ts';
import { type Answered, createApp } from './app.ts';
import { defineRoute } from './route.ts';

const base = { tags: ['Test'], summary: 'For tests.', responses: { 200: { description: 'Done.' } } };
const logged: object[] = [];
const answered: Answered[] = [];
const charges: { organisationId: number; loopMs: number; bytes: number }[] = [];
let missing: string[] = [];
let gone = Promise.withResolvers<unknown>();

const SECRET_FAULT = 'the password is hunter2';
/** What a bug or a library may throw. */
const THROWN: Readonly<Record<string, unknown>> = {
  'an error': new Error(SECRET_FAULT),
  'a code that is a number': Object.assign(new Error(SECRET_FAULT), { code: 10_059 }),
  'a status of a library': Object.assign(new Error(SECRET_FAULT), { code: 'ENOENT', statusCode: 404 }),
  'no error': SECRET_FAULT,
  nothing: undefined,
  null: null,
};

const routes = [
  defineRoute({
    ...base,
    method: 'POST',
    path: '/api/echo',
    operationId: 'Echo',
    access: 'public',
    body: Type.Object({
      number: Type.Integer({ minimum: 1, maximum: 9 }),
      text: Type.Optional(Type.String()),
    }),
    query: Type.Object({ count: Type.Optional(Type.Integer()), flag: Type.Optional(Type.Boolean()) }),
    handler: ({ body, query }) => ({ status: 200, body: { body, query } }),
  }),
  defineRoute({
    ...base,
    method: 'POST',
    path: '/api/optional',
    operationId: 'Optional',
    access: 'public',
    body: Type.Object({ number: Type.Integer() }),
    bodyOptional: true,
    handler: ({ body }) => ({ status: 200, body: { given: body !== undefined } }),
  }),
  defineRoute({
    ...base,
    method: 'POST',
    path: '/count',
    operationId: 'Count',
    access: 'public',
    streamBody: { contentTypes: { 'application/x-ndjson': { schema: Type.String() } } },
    handler: async ({ body }) => {
      let bytes = 0;
      for await (const chunk of body) bytes += (chunk as Buffer).length;
      return { status: 200, body: { bytes } };
    },
  }),
  defineRoute({
    ...base,
    method: 'GET',
    path: '/download',
    operationId: 'Download',
    access: 'public',
    handler: () => ({
      status: 200,
      body: Readable.from(['a\n', 'b\n']),
      headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'private' },
    }),
  }),
  defineRoute({
    ...base,
    method: 'GET',
    path: '/fault',
    operationId: 'Fault',
    access: 'public',
    query: Type.Object({ thrown: Type.Optional(Type.String()) }),
    handler: ({ query: { thrown = 'an error' } }) => {
      throw THROWN[thrown];
    },
  }),
  defineRoute({
    ...base,
    method: 'GET',
    path: '/busy',
    operationId: 'Busy',
    access: 'public',
    handler: () => {
      throw new ApiError('Busy', 'Later.', { retryAfter: 1.2 });
    },
  }),
  defineRoute({
    ...base,
    method: 'POST',
    path: '/costly',
    operationId: 'Costly',
    access: 'read',
    body: Type.Object({ items: Type.Array(Type.Integer()) }),
    handler: async ({ body }) => {
      await settle();
      return { status: 200, body: { sum: body.items.length } };
    },
  }),
  defineRoute({
    ...base,
    method: 'GET',
    path: '/slow',
    operationId: 'Slow',
    access: 'public',
    handler: async ({ signal }) => {
      await once(signal, 'abort');
      gone.resolve(signal.reason);
      return { status: 200 };
    },
  }),
];

const clock = new ManualClock();
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
    authorizeOperator: () => {},
    admit: () => {},
    charge: ({ organisationId }, cost) => charges.push({ organisationId, ...cost }),
    admitRequest: (ip) => {
      if (ip === '192.0.2.66') throw new ApiError('TooManyRequests', 'Slower.', { retryAfter: 3 });
    },
    log: { error: (fields) => logged.push(fields) },
    answered: (answer) => answered.push(answer),
    readiness: async () => missing,
    metrics: async () => 'up 1\n',
    metricsContentType: 'text/plain; version=0.0.4',
  });
});
after(() => app.close());

const json = { 'content-type': 'application/json' };
const echo = async (payload: string, headers: Record<string, string> = json, query = '') => {
  const response = await app.inject({ method: 'POST', url: `/api/echo${query}`, payload, headers });
  return { status: response.statusCode, body: response.json() };
};

describe('bodies', () => {
  test('are JSON, with nulls taken away and unknown members left alone', async () => {
    const { body } = await echo('{"number": 1, "text": null, "other": {"x": null, "y": [null]}}');
    assert.deepEqual(body.body, { number: 1, other: { y: [null] } });
    assert.equal(
      (await echo('{"number":1}', { 'content-type': 'Application/JSON; charset=utf-8' })).status,
      200,
    );
    assert.equal(
      (await echo('{"number":1}', { 'content-type': 'application/merge-patch+json' })).status,
      200,
    );
  });

  test('are refused with the code that their fault has', async () => {
    const faults: [string, number, number, Record<string, string>?][] = [
      ['{', 400, 1000],
      ['', 400, 1000],
      [`{"number":1,"x":${'['.repeat(30_000)}${']'.repeat(30_000)}}`, 400, 1000],
      ['{}', 422, 1402],
      ['{"number":null}', 422, 1402],
      ['{"number":"1"}', 422, 1403],
      ['{"number":1.5}', 422, 1403],
      ['{"number":10}', 422, 1404],
      ['{"number":0,"text":0}', 422, 1400],
      ['{"number":1}', 415, 9002, { 'content-type': 'text/plain' }],
      ['{"number":1}', 415, 9002, { ...json, 'content-encoding': 'gzip' }],
      ['{"numbr":1}', 422, 1400],
      ['{"number":1,"txt":"a"}', 422, 1406],
      ['number=1', 415, 9002, { 'content-type': 'application/x-www-form-urlencoded' }],
      [`{"number":1,"text":"${'x'.repeat(2 ** 20)}"}`, 413, 9001],
    ];
    for (const [payload, status, code, headers] of faults) {
      const answer = await echo(payload, headers);
      assert.deepEqual([answer.status, answer.body.error_code], [status, code], payload.slice(0, 50));
    }
    const { body } = await echo('{"number":0,"text":0}');
    assert.deepEqual(
      body.errors.map(({ path, error_token }: Record<string, string>) => `${path} ${error_token}`),
      ['/number OutOfRange', '/text InvalidFormat'],
    );
  });

  test('with comments are told that JSON has none, and where', async () => {
    const { status, body } = await echo('{\n  "number": 1 // one\n}');
    assert.deepEqual([status, body.error_code], [400, 1000]);
    assert.match(body.message, /no comments.*line 2, column 15/);
  });

  test('are UTF-8', async () => {
    const payload = Buffer.from([...Buffer.from('{"number":1,"text":"'), 0xff, ...Buffer.from('"}')]);
    const answer = await app.inject({ method: 'POST', url: '/api/echo', headers: json, payload });
    assert.deepEqual([answer.statusCode, answer.json().error_code], [400, 1000]);
  });

  test('do not reach the prototype of anything', async () => {
    const { status, body } = await echo(
      '{"number":1,"__proto__":{"admin":true},"constructor":{"prototype":{"x":1}}}',
    );
    assert.equal(status, 200);
    assert.ok(!Object.hasOwn(body.body, '__proto__'));
    assert.equal(({} as { admin?: boolean }).admin, undefined);
  });

  test('may be left out where the route says so', async () => {
    const call = (payload: string) =>
      app.inject({ method: 'POST', url: '/api/optional', headers: json, payload });
    assert.deepEqual((await call('')).json(), { given: false });
    assert.deepEqual((await call('{"number":1}')).json(), { given: true });
    assert.equal((await call('{}')).statusCode, 422);
  });

  test('are handed over unread where the route says so', async () => {
    for (const type of ['application/json', 'application/x-ndjson', 'text/csv']) {
      const payload = '{'.repeat(3 * 2 ** 20);
      const answer = await app.inject({
        method: 'POST',
        url: '/count',
        headers: { 'content-type': type },
        payload,
      });
      assert.deepEqual(answer.json(), { bytes: payload.length }, type);
    }
    assert.deepEqual((await app.inject({ method: 'POST', url: '/count' })).json(), { bytes: 0 });
  });
});

test('values of a query become what the schema says', async () => {
  assert.deepEqual((await echo('{"number":1}', json, '?count=5&flag=true')).body.query, {
    count: 5,
    flag: true,
  });
  for (const query of ['?count=x', '?count=1.5', '?flag=maybe', '?count=1&count=2']) {
    const { status, body } = await echo('{"number":1}', json, query);
    assert.deepEqual([status, body.error_code], [422, 1403], query);
  }
});

test('an unknown parameter of a query is refused by name; probes and scrapers may send any', async () => {
  const { status, body } = await echo('{"number":1}', json, '?cuont=5');
  assert.deepEqual([status, body.error_code, body.errors[0].path], [422, 1301, '/cuont']);
  for (const url of ['/healthz?a=1', '/readyz?verbose', '/metrics?name[]=x'])
    assert.equal((await app.inject({ url })).statusCode, 200, url);
});

describe('errors', () => {
  test('an unknown path is not found', async () => {
    for (const [method, url] of [
      ['GET', '/api/nothing?key=secret'],
      ['PUT', '/api/echo/more'],
    ] as const) {
      const answer = await app.inject({ method, url });
      assert.deepEqual([answer.statusCode, answer.json().error_code], [404, 1201]);
      assert.ok(!answer.body.includes('secret'));
    }
    assert.equal((await app.inject({ url: '/api/%zz' })).json().error_code, 1000);
  });

  for (const [what, thrown] of Object.entries(THROWN)) {
    test(`what goes wrong inside is logged with the id of the request, and not told: ${what}`, async () => {
      logged.length = 0;
      const answer = await app.inject({ url: '/fault', query: { thrown: what } });
      const id = String(answer.headers['x-request-id']);
      assert.match(id, /^[0-9a-f]{16}$/);
      assert.deepEqual([answer.statusCode, answer.json().error_code], [500, 9004]);
      assert.ok(answer.body.includes(id) && !answer.body.includes('hunter2'));
      const [entry] = logged as { requestId: string; err: unknown; route: string }[];
      assert.deepEqual([entry?.requestId, entry?.err, entry?.route], [id, thrown, '/fault']);
    });
  }

  test('say when to try again', async () => {
    const busy = await app.inject({ url: '/busy' });
    assert.deepEqual(
      [busy.statusCode, busy.headers['retry-after'], busy.json().message],
      [503, '2', 'Later.'],
    );
    const often = await app.inject({ url: '/healthz', remoteAddress: '192.0.2.66' });
    assert.deepEqual(
      [often.statusCode, often.json().error_code, often.headers['retry-after']],
      [429, 1105, '3'],
    );
  });
});

describe('headers', () => {
  test('of every answer forbid what a browser should not do with it', async () => {
    for (const url of ['/healthz', '/nothing', '/fault', '/api/openapi.json']) {
      const { headers } = await app.inject({ url });
      assert.equal(headers['x-content-type-options'], 'nosniff', url);
      assert.match(String(headers['content-security-policy']), /default-src 'none'/, url);
      assert.equal(headers['cache-control'], url === '/api/openapi.json' ? 'no-cache' : 'no-store', url);
    }
  });

  test('a handler may set its own', async () => {
    const { headers, body } = await app.inject({ url: '/download' });
    assert.deepEqual(
      [headers['cache-control'], headers['content-type'], body],
      ['private', 'application/x-ndjson', 'a\nb\n'],
    );
  });

  test('let pages of any origin use the customer API, and only that', async () => {
    const preflight = await app.inject({ method: 'OPTIONS', url: '/api/v2/data_stream' });
    assert.equal(preflight.statusCode, 204);
    assert.match(String(preflight.headers['access-control-allow-headers']), /Authorization/);
    assert.match(String(preflight.headers['access-control-allow-methods']), /PATCH/);
    const sdk = 'authorization,content-type,x-requested-with,x-sdk-version,traceparent';
    for (const [asked, allowed] of [
      [sdk, new RegExp(sdk)],
      ['x-a, x-b', /x-a, x-b/],
      ['x-a\r\nx-b: 1', /^Authorization, Content-Type$/],
      ['x-a '.repeat(1000), /^Authorization, Content-Type$/],
    ] as const) {
      const answer = await app.inject({
        method: 'OPTIONS',
        url: '/api/v2/data_stream',
        headers: { 'access-control-request-headers': asked },
      });
      assert.match(String(answer.headers['access-control-allow-headers']), allowed);
    }
    const { headers } = await app.inject({ url: '/api/nothing' });
    assert.equal(headers['access-control-allow-origin'], '*');
    assert.match(String(headers['access-control-expose-headers']), /X-Total-Count/);
    assert.equal((await app.inject({ url: '/metrics' })).headers['access-control-allow-origin'], undefined);
  });
});

describe('operation', () => {
  test('health, readiness and metrics', async () => {
    assert.equal((await app.inject({ url: '/healthz' })).statusCode, 200);
    assert.equal((await app.inject({ url: '/readyz' })).statusCode, 200);
    missing = ['storage'];
    const answer = await app.inject({ url: '/readyz' });
    assert.deepEqual(
      [answer.statusCode, answer.json()],
      [503, { status: 'not ready', missing: ['storage'] }],
    );
    missing = [];
    const metrics = await app.inject({ url: '/metrics' });
    assert.deepEqual(
      [metrics.body, metrics.headers['content-type']],
      ['up 1\n', 'text/plain; version=0.0.4'],
    );
  });

  test('every answer is reported by its route, never by its path', async () => {
    answered.length = 0;
    await app.inject({ method: 'POST', url: '/api/echo?secret=1', headers: json, payload: '{"number":1}' });
    await app.inject({ url: '/secret' });
    assert.deepEqual(
      answered.map(({ method, route, status }) => ({ method, route, status })),
      [
        { method: 'POST', route: '/api/echo', status: 422 },
        { method: 'GET', route: undefined, status: 404 },
      ],
    );
    assert.ok(answered.every(({ durationMs }) => durationMs >= 0));
  });
});

describe('on a real connection', () => {
  let port: number;
  before(async () => {
    await app.listen({ host: '127.0.0.1', port: 0 });
    port = (app.server.address() as { port: number }).port;
  });

  test('bytes that are no HTTP get an answer with an error body', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.end('what is this\r\n\r\n');
    const answer = Buffer.concat(await socket.toArray()).toString();
    assert.match(answer, /^HTTP\/1\.1 400 Bad Request/);
    assert.equal(JSON.parse(answer.split('\r\n\r\n')[1] as string).error_code, 1000);
  });

  test('what Node.js refuses by itself has an error body too', async () => {
    const cases: readonly [string, number, RegExp][] = [
      ['POST /api/echo HTTP/1.1\r\nHost: x\r\nExpect: a miracle\r\n\r\n', 417, /100-continue/],
      [`GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431, /16 KiB/],
      [`GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431, /shorter path/],
      ['GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', 400, /Host/],
      ['CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n', 405, /not a proxy/],
    ];
    for (const [request, status, message] of cases) {
      const socket = connect(port, '127.0.0.1');
      socket.write(request);
      const [head = '', body = ''] = Buffer.concat(await socket.toArray())
        .toString()
        .split('\r\n\r\n');
      assert.equal(Number(head.split(' ')[1]), status, request.slice(0, 40));
      assert.match(JSON.parse(body).message, message);
    }
  });

  const connections = () =>
    new Promise<number>((resolve) => app.server.getConnections((_, count) => resolve(count)));

  test('a caller that goes on sending after its answer is cut off', async () => {
    for (const request of [
      'GET /fault HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n',
      'no HTTP at all\r\n\r\n',
    ]) {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      socket.on('error', () => {});
      socket.write(request);
      await once(socket, 'data');
      await settle();
      assert.equal(await connections(), 1, 'it may read the answer');
      await clock.advance(5_000);
      while ((await connections()) > 0) await settle();
      socket.destroy();
    }
  });

  test('a handler learns that the caller has gone', async () => {
    gone = Promise.withResolvers();
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n', () => setImmediate(() => socket.destroy()));
    assert.match(String(await gone.promise), /closed the connection/);
  });
});

test('documents and files of the documentation are the same bytes each time, compressed once, and need not be fetched again', async () => {
  for (const url of ['/api/openapi.json', '/api/docs/json', '/api/docs/static/swagger-ui-bundle.js?x']) {
    const plain = await app.inject({ url });
    const packed = await app.inject({ url, headers: { 'accept-encoding': 'gzip, br' } });
    assert.equal(packed.headers['content-encoding'], 'gzip', url);
    assert.deepEqual(gunzipSync(packed.rawPayload), plain.rawPayload, url);
    const again = await app.inject({ url, headers: { 'if-none-match': String(plain.headers.etag) } });
    assert.deepEqual([again.statusCode, again.body], [304, ''], url);
  }
  const script = await app.inject({ url: '/api/docs/static/swagger-ui-bundle.js' });
  assert.match(String(script.headers['content-security-policy']), /script-src 'self';/);
  assert.equal((await app.inject({ url: '/api/docs/static/../../package.json' })).statusCode, 404);
  assert.equal((await app.inject({ url: '/api/docs/yaml' })).headers.location, '/api/openapi.json');
});

test('documentation comes from this node, under a strict policy', async () => {
  const page = await app.inject({ url: '/api/docs' });
  assert.equal(page.statusCode, 200);
  assert.doesNotMatch(page.body, /https?:\/\//);
  assert.doesNotMatch(page.body, /<script(?![^>]*\ssrc=)/);
  assert.match(String(page.headers['content-security-policy']), /script-src 'self';/);
  for (const [, path] of page.body.matchAll(/(?:src|href)="([^"]+)"/g)) {
    assert.equal(
      (await app.inject({ url: new URL(path as string, 'http://x/api/docs').pathname })).statusCode,
      200,
      path,
    );
  }
});

describe('what a call costs', () => {
  const payload = JSON.stringify({ items: Array.from({ length: 100_000 }, (_, at) => at) });
  const costly = async (authorization: string) => {
    charges.length = 0;
    const headers = { ...json, authorization };
    const { statusCode, body } = await app.inject({ method: 'POST', url: '/costly', payload, headers });
    await settle();
    return { statusCode, bytes: payload.length + body.length };
  };

  test('is charged to its organisation: reading the body, the handler, and the bytes of both ways', async () => {
    const { statusCode, bytes } = await costly('Bearer ada');
    assert.equal(statusCode, 200);
    assert.deepEqual(
      charges.map((charge) => [charge.organisationId, charge.bytes]),
      [[7, bytes]],
    );
    assert.ok((charges[0]?.loopMs ?? 0) > 0);
  });

  test('is charged to nobody where the caller is unknown', async () => {
    assert.equal((await costly('Bearer nobody')).statusCode, 401);
    await app.inject({ url: '/download' });
    assert.deepEqual(charges, []);
  });
});
