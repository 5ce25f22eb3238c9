import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sha1Hex } from '../auth/passwords.ts';
import { ADA, setUpAccounts } from './accounts.fixture.ts';

const USERS = '/api/v1/user';
const PASSWORD = sha1Hex('a long one, please');

async function setUp() {
  const world = await setUpAccounts();
  const token = await world.login(ADA);
  const create = async (username: string, role: number, by = token) => {
    const body = { username, password: PASSWORD, roles: [{ id: role }] };
    return world.call('POST', USERS, { token: by, body });
  };
  const idOf = async (username: string) => (await world.accounts.users.find(username))?.id as number;
  return { ...world, token, create, idOf };
}

describe('users of the own organisation', () => {
  test('are created, listed, read by id and by name, changed and deleted', async () => {
    const { call, create, login, idOf, token } = await setUp();
    assert.equal((await create('bob@example.org', 3)).status, 201);
    const id = await idOf('bob@example.org');
    const bob = {
      id,
      username: 'bob@example.org',
      name: 'bob@example.org',
      role: { id: 3, description: 'Observer' },
      roles: [{ id: 3, description: 'Observer' }],
      status: { id: 1, description: 'Active' },
      organisation: { id: 1, name: 'Root' },
      created: '2026-01-01T00:00:00.000Z',
      mfa: [],
    };
    const names = async () =>
      (await call('GET', USERS, { token })).body.map(({ username }: { username: string }) => username).sort();
    assert.deepEqual(await names(), [ADA.username, 'bob@example.org']);
    for (const name of [String(id), 'bob@example.org', 'BOB@example.org']) {
      assert.deepEqual((await call('GET', `${USERS}/${encodeURIComponent(name)}`, { token })).body, bob);
    }
    const bobs = await login({ username: 'bob@example.org', password: PASSWORD });
    const change = { name: 'Bob', roles: [{ id: 2 }] };
    assert.equal((await call('PATCH', `${USERS}/${id}`, { token, body: change })).status, 204);
    const changed = (await call('GET', `${USERS}/my`, { token: bobs })).body;
    assert.deepEqual([changed.name, changed.role.id], ['Bob', 2]);
    assert.equal((await call('PUT', `${USERS}/${id}/role/3`, { token })).status, 204);
    assert.equal((await call('GET', `${USERS}/my`, { token: bobs })).body.role.id, 3);
    assert.equal((await call('PATCH', `${USERS}/${id}`, { token, body: { status: { id: 2 } } })).status, 204);
    assert.equal((await call('GET', `${USERS}/my`, { token: bobs })).status, 401, 'suspended');
    assert.equal((await call('DELETE', `${USERS}/${id}`, { token })).status, 204);
    assert.equal((await call('GET', `${USERS}/${id}`, { token })).status, 404);
    assert.deepEqual(await names(), [ADA.username]);
  });

  test('a new password ends the sessions of the user', async () => {
    const { call, create, login, idOf, token } = await setUp();
    await create('bob', 2);
    const bobs = await login({ username: 'bob', password: PASSWORD });
    const body = { password: sha1Hex('new') };
    assert.equal((await call('PATCH', `${USERS}/${await idOf('bob')}`, { token, body })).status, 204);
    assert.equal((await call('GET', `${USERS}/my`, { token: bobs })).status, 401);
    await login({ username: 'bob', password: sha1Hex('new') });
  });

  test('are managed by administrators who have signed in, and by nobody else', async () => {
    const { call, create, login, idOf, token, operator } = await setUp();
    await create('uwe', 2);
    await create('otto', 3);
    const { application_token } = (await operator('POST', '/organisations/1/application_tokens')).body;
    const tokens = [
      await login({ username: 'uwe', password: PASSWORD }),
      await login({ username: 'otto', password: PASSWORD }),
      await login({ application_token }),
    ];
    const id = await idOf('otto');
    for (const other of tokens) {
      assert.equal((await create('eve', 1, other)).status, 403);
      const body = { roles: [{ id: 1 }] };
      assert.equal((await call('PATCH', `${USERS}/${id}`, { token: other, body })).status, 403);
      assert.equal((await call('PUT', `${USERS}/${id}/role/1`, { token: other })).status, 403);
      assert.equal((await call('DELETE', `${USERS}/${id}`, { token: other })).status, 403);
      assert.equal((await call('GET', USERS, { token: other })).status, 200);
    }
    assert.equal((await call('PUT', `${USERS}/${id}/role/1`, { token })).status, 204);
  });

  test('an administrator stays one, so that the organisation keeps one', async () => {
    const { call, idOf, token } = await setUp();
    const own = `${USERS}/${await idOf(ADA.username)}`;
    // A session alone must not be enough to take over the user for good.
    for (const body of [{ status: { id: 2 } }, { roles: [{ id: 3 }] }, { password: PASSWORD }]) {
      assert.equal((await call('PATCH', own, { token, body })).status, 409);
    }
    assert.equal((await call('PUT', `${own}/role/2`, { token })).status, 409);
    assert.equal((await call('DELETE', own, { token })).status, 409);
    assert.equal((await call('PUT', `${own}/role/1`, { token })).status, 204);
    assert.equal((await call('PATCH', own, { token, body: { name: 'Ada' } })).status, 204);
  });

  test('of another organisation are not found, by id or name, nor can their names be taken', async () => {
    const { call, create, idOf, token, operator } = await setUp();
    await operator('POST', '/organisations/2/users', { username: 'eve', password: 'x' });
    for (const name of ['eve', String(await idOf('eve'))]) {
      for (const method of ['GET', 'DELETE'] as const) {
        assert.equal((await call(method, `${USERS}/${name}`, { token })).status, 404);
      }
      const patch = await call('PATCH', `${USERS}/${name}`, { token, body: { name: 'mine' } });
      assert.equal(patch.status, 404);
      assert.equal((await call('PUT', `${USERS}/${name}/role/3`, { token })).status, 404);
    }
    assert.equal((await create('EVE', 2)).status, 409);
  });

  test('what is wrong is said, and changes nothing', async () => {
    const { call, create, idOf, token } = await setUp();
    await create('bob', 2);
    const bob = `${USERS}/${await idOf('bob')}`;
    const bad: [object, string][] = [
      [{ roles: [{ id: 4 }] }, '/roles/0/id'],
      [{ status: { id: 0 } }, '/status/id'],
    ];
    for (const [body, path] of bad) {
      const answer = await call('PATCH', bob, { token, body });
      assert.equal(answer.status, 422);
      assert.ok(JSON.stringify(answer.body).includes(path), JSON.stringify(answer.body));
    }
    assert.equal((await call('PUT', `${bob}/role/9`, { token })).status, 404);
    assert.equal((await create('x'.repeat(199).concat('ß'), 2)).status, 422, 'bytes, not characters');
    assert.equal((await call('GET', bob, { token })).body.role.id, 2);
  });
});
