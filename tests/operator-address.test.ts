import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort } from './support/free-port.ts';
import { OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';

test('the operator’s side has an address of its own, and callers behind a proxy are told apart', {
  timeout: 180_000,
}, async (t) => {
  const dataDirectory = temporaryDirectory();
  const operatorPort = await freePort();
  const node = await startNode({
    dataDirectory,
    environment: {
      SIMSTREAM_OPERATOR_PORT: String(operatorPort),
      SIMSTREAM_TRUST_PROXY: '127.0.0.1',
      SIMSTREAM_RATE_LOGINS: '2',
    },
  });
  t.after(async () => {
    await node.kill();
    removeDirectory(dataDirectory);
  });
  const operators = `http://127.0.0.1:${operatorPort}`;
  const get = async (url: string) => {
    const answer = await fetch(url, { headers: { authorization: `Bearer ${OPERATOR_TOKEN}` } });
    await answer.arrayBuffer();
    return answer.status;
  };
  for (const path of ['/operator/v1/organisations', '/operator/v1/nodes', '/metrics']) {
    assert.equal(await get(`${node.url}${path}`), 404, `customers: ${path}`);
    assert.equal(await get(`${operators}${path}`), 200, `operator: ${path}`);
  }
  for (const path of ['/healthz', '/readyz', '/api/openapi.json']) {
    assert.equal(await get(`${node.url}${path}`), 200, path);
    assert.equal(await get(`${operators}${path}`), 200, path);
  }
  assert.equal(await get(`${node.url}/`), 200, 'the portal');
  assert.equal(await get(`${operators}/`), 404, 'no portal');
  assert.equal(await get(`${operators}/api/v1/event/type`), 404, 'no customer API');

  const login = async (caller: string) => {
    const answer = await fetch(`${node.url}/api/v1/authenticate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': `1.1.1.1, ${caller}` },
      body: JSON.stringify({ application_token: 'wrong' }),
    });
    return {
      status: answer.status,
      retryAfter: answer.headers.get('retry-after'),
      text: await answer.text(),
    };
  };
  for (let n = 0; n < 2; n++) assert.equal((await login('198.51.100.1')).status, 401);
  const beyond = await login('198.51.100.1');
  assert.equal(beyond.status, 429);
  assert.match(beyond.text, /logins from this address \(2 in 5 minutes\); try again in \d+ s/);
  assert.ok(Number(beyond.retryAfter) > 0);
  assert.equal((await login('198.51.100.2')).status, 401, 'another caller behind the same proxy');
});
