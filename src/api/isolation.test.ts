import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Json, keyToken } from '../registry/registry.ts';
import { type ApiFixture, IDENTITIES, OPERATOR_TOKEN, STREAM, setUpApi } from './api.fixture.ts';
import type { Route } from './route.ts';
import { ID_FIELDS, PUBLIC_PATHS, ROUTE_RULES } from './route-rules.fixture.ts';

/** Over the whole route table, so that a route that is added is covered. */
let api: ApiFixture;
/** Of organisation 2, whom nobody of organisation 1 may see. */
let foreign: { stream: string; token: string; record: string; replay: string; user: string };

const QUARANTINED = {
  kind: 'event',
  at: 0,
  arrivedAt: 0,
  code: 'http_400',
  message: 'Refused.',
  record: 'theirs',
};
/** A user of organisation 2. */
const FOREIGN_USER = 'bea@two.example';
const FOREIGN_KEY = {
  id: 77,
  status: 'active',
  sealed: '',
  recoveryCodesLeft: 1,
  lastStep: 0,
  created: '2026-01-01T00:00:00.000Z',
  activated: null,
};
const FOREIGN_DEVICE = {
  id: 88,
  digest: 'theirs',
  created: '2026-01-01T00:00:00.000Z',
  until: '2036-01-01T00:00:00.000Z',
};

before(async () => {
  api = await setUpApi();
  const stream = await api.create(STREAM, 'bea');
  await api.progress(stream, {}, 2);
  const record = '0000000000000001-00000001';
  await api.registry.put(`quarantine.2.${stream}.${record}`, QUARANTINED);
  await api.call('POST', '/api/v1/application_token', { token: 'bea', body: { description: 'theirs' } });
  const tokens = await api.call('GET', '/api/v1/application_token', { token: 'bea' });
  const user = await api.call('POST', '/operator/v1/organisations/2/users', {
    token: OPERATOR_TOKEN,
    body: { username: FOREIGN_USER, password: 'theirs' },
  });
  const document = `user.${keyToken(FOREIGN_USER)}`;
  const stored = (await api.registry.get(document))?.value as { readonly [name: string]: Json };
  await api.registry.put(document, { ...stored, mfa: FOREIGN_KEY, trustedDevices: [FOREIGN_DEVICE] });
  const replayed = await api.call('POST', `/api/v2/data_stream/${stream}/replay`, {
    token: 'bea',
    body: { from: 'earliest' },
  });
  const replay = String(replayed.headers.location).split('/').at(-1) as string;
  foreign = { stream, token: String(tokens.body[0].id), record, replay, user: String(user.body.id) };
});
after(() => api.close());

/** A body that the route would take, so that what is refused is the stream and not the body. */
const bodyFor = (route: Route) => (route.body ? { body: validBody(route) } : {});
function validBody(route: Route): unknown {
  const examples = Object.values(route.bodyExamples ?? {});
  if (route.path === '/api/v2/data_stream' || route.path.endsWith('/test')) return STREAM;
  return examples[0]?.value ?? {};
}
/** Parameters of a path that belong to organisation 2. */
function foreignValue(parameter: string, path: string): string {
  if (parameter === 'event_type_id') return '3';
  if (parameter === 'id' && path.startsWith('/api/v1/data_stream'))
    return String(Number.parseInt(foreign.stream, 16));
  if (parameter === 'id') return path.includes('application_token') ? foreign.token : foreign.stream;
  if (parameter === 'attempt_id') return 'kept';
  if (parameter === 'replay_id') return foreign.replay;
  if (parameter === 'user_id') return foreign.user;
  if (parameter === 'role_id') return '3';
  if (parameter === 'key_id') return String(FOREIGN_KEY.id);
  if (parameter === 'device_id') return String(FOREIGN_DEVICE.id);
  throw new Error(`a parameter :${parameter} in ${path}: say here what another organisation has of it`);
}
const ofCustomers = ({ access }: Route) => access !== 'public' && access !== 'operator';
const administers = (token: string) => token === 'ada';
const parametersOf = ({ path }: Route) => [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
const fill = (path: string, value: (parameter: string) => string) =>
  path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(value(name)));

describe('a token of one organisation', () => {
  test('does not find what belongs to another, on any route with an id', async () => {
    const everything = await api.everything();
    const routes = api.routes.filter((route) => ofCustomers(route) && parametersOf(route).length > 0);
    assert.ok(routes.length >= 10);
    for (const route of routes) {
      const url = fill(route.path, (name) => foreignValue(name, route.path));
      for (const token of ['ada', 'uwe', 'apo']) {
        if (route.access === 'administer' && !administers(token)) continue;
        const answer = await api.call(route.method, url, { ...bodyFor(route), token });
        const found = [answer.status, answer.body?.error_code];
        assert.deepEqual(found, [404, 1201], `${route.method} ${url} ${answer.text}`);
        assert.ok(!answer.text.includes('theirs'), answer.text);
      }
      if (route.method !== 'GET') continue;
      const owner = await api.call('GET', url, { token: 'bea' });
      assert.equal(owner.status, 200, `${url} ${owner.text}`);
    }
    assert.equal(await api.everything(), everything);
  });

  test('does not reach what belongs to another by an id in a body or a query', async () => {
    const own = await api.create(STREAM, 'ada');
    const everything = await api.everything();
    const named = api.routes.filter(ofCustomers).flatMap((route) => {
      const { body, query } = route as unknown as Record<
        'body' | 'query',
        { properties?: object } | undefined
      >;
      const fields = [...Object.keys(body?.properties ?? {}), ...Object.keys(query?.properties ?? {})];
      const ids = fields.filter((field) => /(^|_)ids?$|_from$|^(after|before|group)$/.test(field));
      return ids.map((field) => ({ route, field, rule: `${route.operationId}.${field}` }));
    });
    const rules = named.map(({ rule }) => rule);
    assert.deepEqual(
      rules.filter((rule) => !(rule in ID_FIELDS)),
      [],
      'fields without a rule',
    );
    assert.deepEqual(
      Object.keys(ID_FIELDS).filter((rule) => !rules.includes(rule)),
      [],
      'rules without a field',
    );
    for (const { route, field, rule } of named) {
      const expected = ID_FIELDS[rule];
      if (expected === 'none') continue;
      const value = route.path.includes('quarantine') ? foreign.record : foreign.stream;
      const url = fill(route.path, () => own);
      const answer = route.body
        ? await api.call(route.method, url, {
            token: 'ada',
            body: { ...(validBody(route) as object), [field]: field === 'ids' ? [value] : value },
          })
        : await api.call(route.method, `${url}?${field}=${value}`, { token: 'ada' });
      assert.equal(answer.status, expected, `${rule} ${answer.text}`);
      assert.ok(!answer.text.includes('theirs'), answer.text);
      if (expected === 200) assert.ok(!answer.text.includes(foreign.stream), answer.text);
    }
    assert.equal(await api.everything(), everything);
  });

  test('sees nothing of another in any list', async () => {
    const routes = api.routes.filter(
      (route) => ofCustomers(route) && route.method === 'GET' && parametersOf(route).length === 0,
    );
    assert.ok(routes.length >= 5);
    for (const { path } of routes) {
      const { text } = await api.call('GET', path, { token: 'uwe' });
      for (const secret of [foreign.stream, foreign.token, 'theirs', 'Two', FOREIGN_USER]) {
        assert.ok(!text.includes(secret), `${path} shows ${secret}`);
      }
    }
  });

  test('cannot choose the organisation in the request', async () => {
    const body = { ...STREAM, organisation_id: 2, organisationId: 2, organisation: { id: 2 } };
    const before = (await api.call('GET', '/api/v2/data_stream', { token: 'bea' })).text;
    const id = await api.create(body, 'ada');
    assert.ok(await api.document(id, 1));
    assert.equal(await api.document(id, 2), undefined);
    const asked = await api.call('GET', '/api/v2/data_stream?organisation_id=2', { token: 'ada' });
    assert.deepEqual([asked.status, asked.body.errors[0].path], [422, '/organisation_id']);
    const { body: list } = await api.call('GET', '/api/v2/data_stream', { token: 'ada' });
    const ids = list.map((stream: { id: string }) => stream.id);
    assert.ok(ids.includes(id) && !ids.includes(foreign.stream));
    assert.equal((await api.call('GET', '/api/v2/data_stream', { token: 'bea' })).text, before);
  });
});

test('the operator names an organisation and what belongs to it: of another organisation nothing is found', async () => {
  const everything = await api.everything();
  const routes = api.routes.filter(
    (route) => route.access === 'operator' && parametersOf(route).length > 1 && !ofCustomers(route),
  );
  assert.ok(routes.length >= 4);
  const values: Record<string, string> = { id: '1', username: FOREIGN_USER, token_id: foreign.token };
  for (const route of routes) {
    const url = fill(route.path, (name) => {
      assert.ok(
        name in values,
        `a parameter :${name} in ${route.path}: say here what organisation 2 has of it`,
      );
      return values[name] as string;
    });
    const answer = await api.call(route.method, url, { ...bodyFor(route), token: OPERATOR_TOKEN });
    assert.deepEqual([answer.status, answer.body?.error_code], [404, 1201], `${route.method} ${url}`);
  }
  assert.equal(await api.everything(), everything);
});

describe('access', () => {
  test('every route has a rule that says who may call it, and does as the rule says', () => {
    const names = api.routes.map(({ operationId }) => operationId);
    assert.deepEqual(
      names.filter((name) => !(name in ROUTE_RULES)),
      [],
      'routes without a rule',
    );
    assert.deepEqual(
      Object.keys(ROUTE_RULES).filter((name) => !names.includes(name)),
      [],
      'rules of no route',
    );
    const callers = {
      public: 'everybody',
      operator: 'operator',
      read: 'members',
      write: 'writers',
      administer: 'administrators',
    } as const;
    for (const { operationId, access } of api.routes)
      assert.equal(callers[access], ROUTE_RULES[operationId], operationId);
  });

  test('nothing is served but the table, its paths by other methods, and what everybody may read', async () => {
    const paths = new Set(api.routes.map(({ path }) => path));
    const table = new Set(api.routes.map(({ method, path }) => `${method} ${path}`));
    const others: string[] = [];
    for (const line of api.served) {
      const [method = '', path = ''] = line.split(' ');
      const asGet = method === 'HEAD' ? `GET ${path}` : line;
      if (table.has(asGet) || PUBLIC_PATHS.some((open) => path === open || path.startsWith(`${open}/`)))
        continue;
      // Preflight of browsers, for all paths at once.
      if (method === 'OPTIONS') continue;
      if (path.startsWith('/api/docs')) continue;
      if (!paths.has(path)) others.push(line);
      else if (method !== 'HEAD') {
        const { status } = await api.call(method as Route['method'], path.replaceAll(/:\w+/g, 'x'));
        assert.equal(status, 405, line);
      }
    }
    assert.deepEqual(others, []);
  });

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

  test('each caller reaches the routes that are for it, and no other', async () => {
    const everything = await api.everything();
    for (const route of api.routes) {
      // Of a path that leads to nothing, so that no call changes what the next one meets.
      const url = route.path.replaceAll(/:\w+/g, (name) => (name === ':id' ? '99999999' : 'nobody'));
      for (const token of [...Object.keys(IDENTITIES), OPERATOR_TOKEN]) {
        const observer = IDENTITIES[token]?.role === 'observer';
        const rule = ROUTE_RULES[route.operationId];
        const may = {
          everybody: true,
          operator: token === OPERATOR_TOKEN,
          members: token !== OPERATOR_TOKEN,
          writers: token !== OPERATOR_TOKEN && !observer,
          administrators: administers(token),
        }[rule ?? 'operator'];
        // A call that would change something is made without its body: who may call it learns what is missing.
        const changes = route.method !== 'GET' && may;
        const answer = await api.call(route.method, url, {
          ...(changes ? {} : bodyFor(route)),
          ...(changes && route.body ? { body: '[]' } : {}),
          token,
        });
        const refused = answer.status === 401 || answer.status === 403;
        const name = `${route.method} ${url} as ${token}: ${answer.status} ${answer.text}`;
        if (may) assert.ok(!refused, name);
        else {
          const known = rule === 'administrators' || (rule === 'writers' && observer);
          assert.equal(answer.status, known && token !== OPERATOR_TOKEN ? 403 : 401, name);
        }
      }
    }
    assert.equal(await api.everything(), everything);
  });

  test('whoever changes something needs the right to write', () => {
    for (const { method, access, path, changesOwnLogin } of api.routes) {
      if (access === 'read' && !changesOwnLogin) assert.equal(method, 'GET', path);
    }
  });
});
