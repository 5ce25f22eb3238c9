import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setUpApi } from './api.fixture.ts';

describe('what no route serves', async () => {
  const api = await setUpApi();
  after(() => api.close());
  const options = { token: '' };
  const LIST = '/api/v2/data_stream';

  test('another method at a name that stands where an id would be', async () => {
    // The router finds the path of a single data stream.
    for (const method of ['PATCH', 'DELETE'] as const) {
      const { status, headers } = await api.call(method, `${LIST}/status`, options);
      assert.deepEqual([status, headers.allow], [405, 'GET, HEAD, OPTIONS'], method);
    }
    const { status, headers } = await api.call('GET', `${LIST}/test`, options);
    assert.deepEqual([status, headers.allow], [405, 'POST, OPTIONS']);
  });

  test('however the path is written', async () => {
    for (const path of [`${LIST}/`, `${LIST}?page=1`, `${LIST}/?`]) {
      const { status, headers, text } = await api.call('PUT', path, options);
      assert.deepEqual([status, headers.allow], [405, 'GET, HEAD, POST, OPTIONS'], path);
      assert.match(text, /does not take PUT; it takes GET, HEAD, POST, OPTIONS/);
    }
    for (const path of [`${LIST}s`, '/api', '/', `${LIST}/a/b/c/d`, '/%', '*'])
      assert.notEqual((await api.call('PUT', path, options)).status, 405, path);
  });

  test('OPTIONS is answered beside the API too', async () => {
    const { status, headers } = await api.call('OPTIONS' as 'GET', '/healthz', options);
    assert.deepEqual([status, headers.allow], [204, 'GET, HEAD, OPTIONS']);
  });

  test('before the body is read', async () => {
    const body = `"${'x'.repeat(2 ** 20)}"`;
    assert.equal((await api.call('PUT', LIST, { ...options, body })).status, 405);
    assert.equal((await api.call('PUT', '/api/v2/nothing', { ...options, body })).status, 404);
  });

  test('a long path is cut in the answer', async () => {
    const { status, body } = await api.call('GET', `/api/${'x'.repeat(1_000)}?secret=1`, options);
    assert.deepEqual([status, body.message], [404, `There is no GET /api/${'x'.repeat(195)}….`]);
  });
});
