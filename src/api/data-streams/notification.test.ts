import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { NOTICES, NOTIFICATION_EVENTS, noticesKey } from '../../registry/notification.ts';
import { type ApiFixture, setUpApi } from '../api.fixture.ts';

const PATH = '/api/v2/data_stream/notification';
const URL = 'https://alerts.example/hooks/0123456789abcdef0123';
let api: ApiFixture;

beforeEach(async () => {
  api = await setUpApi();
});
afterEach(() => api.close());

const call = (method: 'GET' | 'PUT' | 'DELETE' | 'POST', body?: object, token = 'ada') =>
  api.call(method, method === 'POST' ? `${PATH}/test` : PATH, { token, ...(body ? { body } : {}) });

test('a receiver is set, shown masked, changed and removed; each organisation has its own', async () => {
  const none = await call('GET');
  assert.deepEqual(none.body, {
    url: null,
    signing_secret: null,
    events: [...NOTIFICATION_EVENTS],
    lag_minutes: 60,
    modified: null,
    undelivered: null,
    default_receiver: false,
  });
  const given = {
    url: URL,
    signing_secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    events: ['recovered', 'error'],
  };
  const put = await call('PUT', given);
  assert.equal(put.status, 200, put.text);
  assert.deepEqual(put.body, {
    url: 'https://alerts.example/hooks/***',
    signing_secret: '***',
    events: ['error', 'recovered'],
    lag_minutes: 60,
    modified: new Date(api.clock.now()).toISOString(),
    undelivered: null,
    default_receiver: false,
  });
  assert.deepEqual((await call('GET')).body, put.body);
  assert.equal((await call('GET', undefined, 'bea')).body.url, null);
  const stored = JSON.stringify((await api.registry.get('notification.1'))?.value);
  assert.doesNotMatch(stored, /0123456789abcdef|MfKQ9r8/);
  // What an answer shows may be sent back; what is left out of the secret stays.
  const again = await call('PUT', { ...put.body, lag_minutes: 5 });
  assert.deepEqual([again.status, again.body.url, again.body.lag_minutes], [200, put.body.url, 5]);
  // Secrets do not follow to another host.
  const moved = await call('PUT', { url: 'https://other.example/' });
  assert.deepEqual([moved.status, moved.body.errors[0].path], [422, '/signing_secret']);
  const without = await call('PUT', { url: 'https://other.example/', signing_secret: '' });
  assert.deepEqual([without.status, without.body.signing_secret], [200, null]);
  assert.equal((await call('DELETE')).status, 202);
  assert.equal((await call('DELETE')).status, 202);
  assert.equal((await call('GET')).body.url, null);
});

test('faults are named, and a receiver that cannot be reached is refused', async () => {
  for (const [body, path] of [
    [{}, '/url'],
    [{ url: 'alerts' }, '/url'],
    [{ url: 'https://user:word@alerts.example/' }, '/url'],
    [{ url: URL, signing_secret: 'short' }, '/signing_secret'],
    [{ url: URL, events: [] }, '/events'],
    [{ url: URL, events: ['all'] }, '/events/0'],
    [{ url: URL, events: ['lag', 'lag'] }, '/events'],
    [{ url: URL, lag_minutes: 0 }, '/lag_minutes'],
    [{ url: URL, lag_minutes: 10_081 }, '/lag_minutes'],
  ] as const) {
    const refused = await call('PUT', body);
    assert.equal(refused.status, 422, refused.text);
    assert.equal(refused.body.errors[0].path, path, refused.text);
  }
  api.verification.verdict = {
    type: 'failed',
    cause: { code: 'connection_refused', message: 'nobody is there' },
  };
  const unreachable = await call('PUT', { url: URL });
  assert.deepEqual([unreachable.status, unreachable.body.errors[0].path], [422, '/url']);
});

test('observers read and change nothing; a test message says what became of it', async () => {
  for (const method of ['PUT', 'DELETE', 'POST'] as const) {
    assert.equal((await call(method, method === 'PUT' ? { url: URL } : undefined, 'otto')).status, 403);
  }
  assert.equal((await call('GET', undefined, 'otto')).status, 200);
  assert.equal((await call('POST')).status, 404);
  await call('PUT', { url: URL });
  const tested = await call('POST');
  assert.deepEqual([tested.status, tested.body.outcome, tested.body.remote_status], [200, 'delivered', 200]);
});

test('messages that wait are shown with the reason', async () => {
  await call('PUT', { url: URL });
  const notice = {
    id: 'n',
    event: 'error',
    channel: 'webhook',
    text: '{}',
    tries: 0,
    nextAt: 60_000,
  } as const;
  const waiting = [notice, { ...notice, tries: 2, nextAt: 1_000, failure: 'it answered 503' }];
  const document = {
    told: { error: true, lag: false, expiring: 0, quarantined: 0, at: {} },
    waiting,
  } as const;
  await NOTICES.put(api.registry, noticesKey({ partition: 3, organisationId: 1, id: 'abc' }), document);
  await NOTICES.put(api.registry, noticesKey({ partition: 3, organisationId: 12, id: 'abc' }), document);
  assert.deepEqual((await call('GET')).body.undelivered, {
    messages: 2,
    message: 'it answered 503',
    next_at: new Date(1_000).toISOString(),
  });
});
