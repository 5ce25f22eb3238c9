import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { createClient, verifyWebhook } from './client.ts';

/** A node that gives these answers, one after the other. */
function nodeOf(...answers: readonly [status: number, body: unknown, headers?: Record<string, string>][]) {
  const calls: string[] = [];
  const waits: number[] = [];
  const left = [...answers];
  const fetch = async (request: Request) => {
    const body = await request.text();
    const path = new URL(request.url).pathname;
    calls.push(
      [request.method, path, request.headers.get('authorization') ?? '', body].filter(Boolean).join(' '),
    );
    const [status, json, headers = {}] = left.shift() ?? [500, {}];
    return new Response(JSON.stringify(json), {
      status,
      headers: { 'content-type': 'application/json', ...headers },
    });
  };
  const sleep = async (milliseconds: number) => {
    waits.push(milliseconds);
  };
  const make = (token: object = { applicationToken: 'app' }) =>
    createClient({ url: 'http://node.example/', fetch, sleep, ...token });
  return { calls, waits, make };
}

describe('a client', () => {
  test('logs in once, and again when the login has ended', async () => {
    const { calls, make } = nodeOf(
      [200, { auth_token: 'a' }],
      [200, []],
      [401, {}],
      [200, { auth_token: 'b' }],
      [200, [{ id: 'x' }]],
    );
    const client = make();
    assert.deepEqual((await client.GET('/api/v2/data_stream')).data, []);
    const { data } = await client.GET('/api/v2/data_stream');
    assert.deepEqual(data, [{ id: 'x' }]);
    const login = 'POST /api/v1/authenticate {"application_token":"app"}';
    const list = 'GET /api/v2/data_stream Bearer';
    assert.deepEqual(calls, [login, `${list} a`, `${list} a`, login, `${list} b`]);
  });

  test('says why a login failed, and tries it again with the next call', async () => {
    const { make } = nodeOf(
      [401, { message: 'The token is revoked.' }],
      [200, { auth_token: 'a' }],
      [200, []],
    );
    const client = make();
    await assert.rejects(
      client.GET('/api/v2/data_stream'),
      /The login failed with 401: The token is revoked\./,
    );
    assert.equal((await client.GET('/api/v2/data_stream')).response.status, 200);
  });

  test('repeats a login that a limit refused, and says what answered in place of a node', async () => {
    const { make, waits } = nodeOf(
      [429, {}, { 'retry-after': '3' }],
      [200, { auth_token: 'a' }],
      [401, {}],
      [502, undefined],
      [200, { auth_token: 'b' }],
      [200, []],
    );
    const client = make();
    await assert.rejects(client.GET('/api/v2/data_stream'), /The login failed with 502: no reason/);
    assert.equal((await client.GET('/api/v2/data_stream')).response.status, 200);
    assert.deepEqual(waits, [3000]);
  });

  test('gives the error of a call in the form of the API', async () => {
    const { make, calls } = nodeOf([404, { error_code: 1201, error_token: 'NotFound', message: 'No.' }]);
    const { error, response } = await make({ operatorToken: 'op' }).GET('/api/v2/data_stream/{id}', {
      params: { path: { id: 'x y' } },
    });
    assert.deepEqual([error?.error_token, response.status], ['NotFound', 404]);
    assert.deepEqual(calls, ['GET /api/v2/data_stream/x%20y Bearer op']);
  });

  test('repeats what a limit refused, with its body; what a busy node refused only if it changes nothing', async () => {
    const { make, calls, waits } = nodeOf(
      [429, {}, { 'retry-after': '2' }],
      [201, {}],
      [503, {}],
      [200, []],
      [503, { message: 'busy' }],
    );
    const client = make({ operatorToken: 'op' });
    const body = { name: 'x' } as never;
    assert.equal((await client.POST('/api/v2/data_stream', { body })).response.status, 201);
    assert.equal((await client.GET('/api/v2/data_stream')).response.status, 200);
    assert.equal((await client.POST('/api/v2/data_stream', { body })).response.status, 503);
    assert.deepEqual(waits, [2000, 1000]);
    assert.equal(calls[0], calls[1]);
    assert.match(calls[1] as string, /\{"name":"x"\}$/);
    assert.equal(calls.length, 5);
  });
});

test('verifies what the official library signs, and nothing else', async () => {
  const now = 1_773_727_368;
  for (const secret of ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'words-of-my-own']) {
    const official = new Webhook(
      secret.startsWith('whsec_') ? secret : Buffer.from(secret).toString('base64'),
    );
    const body = '[{"id":1,"name":"ü"}]';
    const headers = {
      'Webhook-Id': 'a',
      'webhook-timestamp': String(now),
      'webhook-signature': `v2,x ${official.sign('a', new Date(now * 1000), body)}`,
    };
    const verdict = async (other: object = {}, sent: string | Uint8Array = body, at = now) =>
      (await verifyWebhook({ ...headers, ...other }, sent, secret, at)).genuine;
    assert.equal(await verdict(), true);
    assert.equal(await verdict({}, Buffer.from(body)), true);
    assert.equal((await verifyWebhook(new Headers(headers), body, secret, now)).genuine, true);
    assert.equal(await verdict({}, `${body} `), false);
    assert.equal(await verdict({}, body, now + 301), false);
    assert.equal(await verdict({ 'Webhook-Id': 'b' }), false);
    assert.equal(await verdict({ 'webhook-signature': 'v1,====' }), false);
    assert.equal(await verdict({ 'webhook-signature': undefined }), false);
    assert.equal(await verdict({ 'webhook-timestamp': undefined }), false);
    assert.equal((await verifyWebhook(headers, body, `${secret}x`, now)).genuine, false);
    for (const missing of ['', undefined])
      assert.match(JSON.stringify(await verifyWebhook(headers, body, missing, now)), /secret.*is missing/);
  }
});
