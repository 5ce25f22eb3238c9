import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ApiFixture, setUpApi } from '../api.fixture.ts';

let api: ApiFixture;
let path: string;
before(async () => {
  api = await setUpApi();
  path = `/api/v2/data_stream/${await api.create()}`;
});
after(() => api.close());

test('the request and answer of an attempt are shown, also to an observer', async () => {
  const { status, body } = await api.call('GET', `${path}/attempt/kept`, { token: 'otto' });
  assert.equal(status, 200);
  assert.deepEqual(body, {
    request: {
      method: 'POST',
      url: 'https://box.example/in',
      headers: [{ name: 'authorization', value: '***' }],
      body: '[{"id":1}',
      body_cut: true,
    },
    answer: { status: 503, headers: [{ name: 'retry-after', value: '7' }], body: 'later', body_cut: false },
  });
});

test('what is not kept any more, and what belongs to others, is not found', async () => {
  const gone = await api.call('GET', `${path}/attempt/gone`);
  assert.equal(gone.status, 404);
  assert.match(gone.body.message, /attempt gone is not kept/);
  assert.equal((await api.call('GET', `${path}/attempt/kept`, { token: 'bea' })).status, 404);
});

test('a stream that retries says when', async () => {
  const id = path.split('/').at(-1) as string;
  const now = api.clock.now();
  for (const [nextAt, shown] of [
    [now + 40_000, new Date(now + 40_000).toISOString()],
    [undefined, null],
  ] as const) {
    const retrying = { since: now, tries: 2, cause: 'busy', ...(nextAt === undefined ? {} : { nextAt }) };
    await api.progress(id, { retrying });
    assert.equal((await api.call('GET', path)).body.retrying.next_at, shown);
  }
});
