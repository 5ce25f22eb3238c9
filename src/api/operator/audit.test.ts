import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sha1Hex } from '../../auth/passwords.ts';
import { type ApiFixture, OPERATOR_TOKEN, STREAM, setUpApi } from '../api.fixture.ts';

const AUDIT = '/operator/v1/audit';
let api: ApiFixture;
before(async () => {
  api = await setUpApi();
});
after(() => api.close());

async function audited(query = '') {
  const answer = await api.call('GET', `${AUDIT}?limit=1000${query}`, { token: OPERATOR_TOKEN });
  assert.equal(answer.status, 200, answer.text);
  return answer.body as {
    action: string;
    actor: string;
    status: number;
    organisation_id: number | null;
    given: object;
    changed: Record<string, unknown[]>;
    times: number;
  }[];
}

describe('the audit log', () => {
  test('has good and bad logins, the operator’s calls and changes by customers, and no secret', async () => {
    const user = { username: 'eve@one.example', password: 'canary-password', role: 'user' };
    const path = '/operator/v1/organisations/1/users';
    assert.equal((await api.call('POST', path, { token: OPERATOR_TOKEN, body: user })).status, 201);
    const login = (password: string) =>
      api.call('POST', '/api/v1/authenticate', {
        body: { username: user.username, password: sha1Hex(password) },
      });
    assert.equal((await login('canary-password')).status, 200);
    assert.equal((await login('canary-wrong')).status, 401);
    const destination = {
      ...STREAM.destination,
      credentials: {
        url: 'https://box.example/in?code=canary-code',
        key: 'canary-key',
        headers: ['A:canary-header'],
      },
    };
    const id = await api.create({ ...STREAM, name: 'Shown', destination });
    await api.call('DELETE', `/api/v2/data_stream/${id}`, { token: 'ada' });
    await api.call('DELETE', `/api/v2/data_stream/${id}`, { token: 'otto' });
    await api.call('GET', '/operator/v1/organisations', { token: 'canary-token' });

    const entries = await audited();
    const told = entries.map(({ action, actor, status, organisation_id }) => [
      action,
      actor,
      status,
      organisation_id,
    ]);
    assert.deepEqual(told, [
      ['CreateUser', 'operator', 201, 1],
      ['Authenticate', 'user:eve@one.example', 200, 1],
      ['Authenticate', 'user:eve@one.example', 401, null],
      ['CreateDataStreamer', 'user:ada', 201, 1],
      ['DeleteDataStreamerV2', 'user:ada', 202, 1],
      ['DeleteDataStreamerV2', 'user:otto', 403, 1],
      ['ListOrganisations', 'unknown', 401, null],
    ]);
    const text = JSON.stringify(entries);
    assert.ok(!text.includes('canary') && !text.includes(sha1Hex('canary-password')), text);
    assert.deepEqual(entries[0]?.given, { username: user.username, password: '***', role: 'user' });
    assert.ok(text.includes('"name":"Shown"'));
  });

  test('is filtered, paged, and exported as lines and as a table that no spreadsheet runs', async () => {
    assert.equal((await audited('&action=Authenticate')).length, 2);
    assert.ok((await audited('&organisation=1')).every(({ organisation_id }) => organisation_id === 1));
    assert.deepEqual(await audited('&until=1970-01-01T00:00:00Z'), []);
    const first = await api.call('GET', `${AUDIT}?limit=2`, { token: OPERATOR_TOKEN });
    const next = await api.call('GET', `${AUDIT}?limit=1&after=${first.headers['x-next-after']}`, {
      token: OPERATOR_TOKEN,
    });
    const all = await audited();
    assert.deepEqual([...first.body, ...next.body], all.slice(0, 3));

    await api.call('POST', '/api/v1/authenticate', { body: { username: '=1+1,"x"', password: 'x' } });
    const lines = await api.call('GET', `${AUDIT}?format=ndjson`, { token: OPERATOR_TOKEN });
    assert.equal(JSON.parse(lines.text.split('\n')[0] as string).action, 'CreateUser');
    await api.call('POST', '/operator/v1/organisations', { token: OPERATOR_TOKEN, body: { name: '=cmd()' } });
    const table = await api.call('GET', `${AUDIT}?format=csv`, { token: OPERATOR_TOKEN });
    assert.match(table.text, /^at,actor,organisation_id,action,resource,ip,status,times,given,changed\n/);
    assert.doesNotMatch(table.text, /(^|,)[=+@]/m);
  });

  test('has values before and after a change, with the secrets masked', async () => {
    const id = await api.create({ ...STREAM, name: 'Before' });
    const credentials = { ...STREAM.destination.credentials, key: 'canary of the new key', size: 7 };
    const body = { name: 'After', status: { id: 2 }, destination: { ...STREAM.destination, credentials } };
    const since = (await audited()).length;
    assert.equal((await api.call('PATCH', `/api/v2/data_stream/${id}`, { body })).status, 202);
    assert.equal((await api.call('DELETE', `/api/v2/data_stream/${id}`)).status, 202);
    const users = '/operator/v1/organisations/1/users';
    const eve = `${users}/eve@one.example`;
    await api.call('PATCH', eve, { token: OPERATOR_TOKEN, body: { role: 'observer', password: 'canary' } });
    const [patched, deleted, demoted] = (await audited()).slice(since);
    assert.deepEqual(patched?.changed, {
      name: ['Before', 'After'],
      desired: ['running', 'paused'],
      'destination.credentials.size': [3000, 7],
    });
    assert.deepEqual(deleted?.changed.name, ['After', null]);
    assert.deepEqual(deleted?.changed['destination.target'], ['https://box.example/in', null]);
    assert.deepEqual(demoted?.changed, { role: ['user', 'observer'] });
    assert.ok(!JSON.stringify(await audited()).includes('canary'));
  });

  test('has refused calls with who made them, and those of the unknown together', async () => {
    const since = (await audited()).length;
    for (const id of ['aaaaaaaa', 'bbbbbbbb']) {
      await api.call('DELETE', `/api/v2/data_stream/${id}`, { token: 'otto' });
      await api.call('GET', `/api/v2/data_stream/${id}`, { token: 'canary-token' });
    }
    const entries = (await audited()).slice(since);
    const told = entries.map(({ action, actor, status, times }) => [action, actor, status, times]);
    assert.deepEqual(told, [
      ['DeleteDataStreamerV2', 'user:otto', 403, 1],
      ['GetDataStreamerByIdV2', 'unknown', 401, 2],
      ['DeleteDataStreamerV2', 'user:otto', 403, 1],
    ]);
  });
});
