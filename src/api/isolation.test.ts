import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type ApiFixture, IDENTITIES, OPERATOR_TOKEN, STREAM, setUpApi } from './api.fixture.ts';
import type { Route } from './route.ts';

/** Over the whole route table, so that a route that is added is covered. */
let api: ApiFixture;
/** Of organisation 2, whom nobody of organisation 1 may see. */
let foreign: { stream: string; token: string };

const QUARANTINED = {
  kind: 'event',
  at: 0,
  arrivedAt: 0,
  code: 'http_400',
  message: 'Refused.',
  record: 'theirs',
};

before(async () => {
  api = await setUpApi();
  const stream = await api.create(STREAM, 'bea');
  await api.progress(stream, {}, 2);
  await api.registry.put(`quarantine.2.${stream}.0000000000000001-00000001`, QUARANTINED);
  await api.call('POST', '/api/v1/application_token', { token: 'bea', body: { description: 'theirs' } });
  const tokens = await api.call('GET', '/api/v1/application_token', { token: 'bea' });
  foreign = { stream, token: String(tokens.body[0].id) };
});
after(() => api.close());

/** A body that the route would take, so that what is refused is the stream and not the body. */
const bodyFor = (route: Route) => (route.body ? { body: route.path.includes(':id') ? {} : STREAM } : {});
const idFor = (route: Route) => (route.path.includes('application_token') ? foreign.token : foreign.stream);
const ofCustomers = ({ access }: Route) => access === 'read' || access === 'write';

describe('a token of one organisation', () => {
  test('does not find what belongs to another, on any route with an id', async () => {
    const everything = await api.everything();
    const routes = api.routes.filter((route) => ofCustomers(route) && route.path.includes(':id'));
    assert.ok(routes.length >= 10);
    for (const route of routes) {
      const url = route.path.replace(':id', idFor(route)).replace(':attempt_id', 'kept');
      const answer = await api.call(route.method, url, { ...bodyFor(route), token: 'ada' });
      assert.deepEqual(
        [answer.status, answer.body?.error_code],
        [404, 1201],
        `${route.method} ${url} ${answer.text}`,
      );
      const owner = await api.call('GET', url, { token: 'bea' });
      if (route.method === 'GET') assert.equal(owner.status, 200, `${url} ${owner.text}`);
    }
    assert.equal(await api.everything(), everything);
  });

  test('sees nothing of another in any list', async () => {
    const routes = api.routes.filter(
      (route) => ofCustomers(route) && route.method === 'GET' && !route.path.includes(':'),
    );
    assert.ok(routes.length >= 5);
    for (const { path } of routes) {
      const { text } = await api.call('GET', path, { token: 'uwe' });
      for (const secret of [foreign.stream, foreign.token, 'theirs', 'Two']) {
        assert.ok(!text.includes(secret), `${path} shows ${secret}`);
      }
    }
  });

  test('cannot choose the organisation in the request', async () => {
    const body = { ...STREAM, organisation_id: 2, organisationId: 2, organisation: { id: 2 } };
    const id = await api.create(body, 'ada');
    assert.ok(await api.document(id, 1));
    assert.equal(await api.document(id, 2), undefined);
    const { body: list } = await api.call('GET', '/api/v2/data_stream?organisation_id=2', { token: 'ada' });
    assert.deepEqual(
      list.map((stream: { id: string }) => stream.id),
      [id],
    );
  });
});

describe('access', () => {
  test('nothing but public calls without a token, or with a wrong one', async () => {
    for (const route of api.routes) {
      for (const token of ['', 'nobody']) {
        const url = route.path.replaceAll(/:\w+/g, 'x');
        const answer = await api.call(route.method, url, { ...bodyFor(route), token });
        if (route.access === 'public') continue;
        assert.deepEqual([answer.status, answer.body.error_code], [401, 1102], `${route.method} ${url}`);
        assert.equal(answer.headers['www-authenticate'], 'Bearer');
      }
    }
  });

  test('an observer reads and does not write', async () => {
    for (const route of api.routes.filter(ofCustomers)) {
      const url = route.path.replace(':id', 'x');
      const { status } = await api.call(route.method, url, { ...bodyFor(route), token: 'otto' });
      assert.equal(status === 403, route.access === 'write', `${route.method} ${url} ${status}`);
    }
  });

  test('whoever changes something needs the right to write', () => {
    for (const { method, access, path, changesOwnLogin } of api.routes) {
      if (access === 'read' && !changesOwnLogin) assert.equal(method, 'GET', path);
    }
  });

  test('operators and customers are strangers to each other', async () => {
    for (const route of api.routes) {
      const url = route.path.replaceAll(/:\w+/g, '1');
      const tokens = route.access === 'operator' ? Object.keys(IDENTITIES) : [OPERATOR_TOKEN];
      if (route.access === 'public') continue;
      for (const token of tokens) {
        const { status } = await api.call(route.method, url, { ...bodyFor(route), token });
        assert.equal(status, 401, `${route.method} ${url} with ${token}`);
      }
    }
  });
});
