import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sha1Hex } from '../../auth/passwords.ts';
import { ADA, OPERATOR_TOKEN, setUpAccounts } from '../accounts.fixture.ts';

const created = '2026-01-01T00:00:00.000Z';

describe('operator API', () => {
  test('is for the bearer of the operator token only', async () => {
    const { call, login } = await setUpAccounts();
    const tokens = [undefined, '', 'x', OPERATOR_TOKEN.slice(1), `${OPERATOR_TOKEN}x`, await login(ADA)];
    for (const token of tokens) {
      const answer = await call('GET', '/operator/v1/organisations', token === undefined ? {} : { token });
      assert.deepEqual([answer.status, answer.body.error_code], [401, 1102]);
      assert.ok(!JSON.stringify(answer).includes(OPERATOR_TOKEN));
    }
    const { status } = await call('GET', '/operator/v1/organisations', { token: OPERATOR_TOKEN });
    assert.equal(status, 200);
  });

  test('registers organisations', async () => {
    const { operator } = await setUpAccounts();
    const one = await operator('POST', '/organisations', { id: 70412, name: 'Meters', parent_id: 1 });
    assert.equal(one.status, 201);
    assert.deepEqual(one.body, { id: 70412, name: 'Meters', parent_id: 1, created });
    assert.deepEqual((await operator('GET', '/organisations/70412')).body, one.body);
    const any = await operator('POST', '/organisations', { name: 'Any' });
    assert.deepEqual([any.status, any.body.parent_id], [201, null]);
    const list = (await operator('GET', '/organisations')).body as { id: number }[];
    assert.deepEqual(
      list.map(({ id }) => id),
      [1, 2, 70412, any.body.id].sort((a, b) => a - b),
    );
  });

  test('says what is wrong with an organisation', async () => {
    const { operator } = await setUpAccounts();
    const taken = await operator('POST', '/organisations', { id: 1, name: 'Again' });
    assert.deepEqual([taken.status, taken.body.error_code], [409, 1405]);
    const orphan = await operator('POST', '/organisations', { name: 'Orphan', parent_id: 99 });
    assert.deepEqual([orphan.status, orphan.body.error_code], [422, 1401]);
    assert.match(orphan.body.message, /^\/parent_id: Organisation with Id 99 not found/);
    for (const body of [
      {},
      { name: '' },
      { id: 0, name: 'x' },
      { id: 1.5, name: 'x' },
      { id: 2 ** 53, name: 'x' },
    ]) {
      assert.equal((await operator('POST', '/organisations', body)).status, 422, JSON.stringify(body));
    }
    assert.equal((await operator('GET', '/organisations/99')).status, 404);
    assert.equal((await operator('GET', '/organisations/x')).status, 400);
  });

  test('creates, lists, changes and removes users', async () => {
    const { operator, login, call } = await setUpAccounts();
    const body = { username: 'Bob', password: 'böse', name: 'Bob B.', role: 'user' };
    const bob = await operator('POST', '/organisations/2/users', body);
    assert.equal(bob.status, 201);
    const { id, ...shown } = bob.body;
    assert.ok(id > 0);
    assert.deepEqual(shown, {
      username: 'Bob',
      name: 'Bob B.',
      role: 'user',
      status: 'active',
      mfa: false,
      organisation_id: 2,
      created,
    });
    assert.deepEqual((await operator('GET', '/organisations/2/users')).body, [bob.body]);
    const token = await login({ username: 'bob', password: sha1Hex('böse') });
    await operator('PATCH', '/organisations/2/users/bob', { role: 'observer' });
    const my = await call('GET', '/api/v1/user/my', { token });
    assert.deepEqual(my.body.role, { id: 3, description: 'Observer' }, 'a new role holds at once');
    const disabled = await operator('PATCH', '/organisations/2/users/bob', { status: 'disabled' });
    assert.equal(disabled.body.status, 'disabled');
    assert.equal((await operator('DELETE', '/organisations/2/users/BOB')).status, 204);
    assert.deepEqual((await operator('GET', '/organisations/2/users')).body, []);
  });

  test('deletes an organisation with all that it has, and nothing of others', async () => {
    const { operator, login, call, registry, clock } = await setUpAccounts();
    const token = await login(ADA);
    await call('POST', '/api/v1/application_token', { token });
    await operator('POST', '/organisations/2/users', { username: 'Bob', password: 'x' });
    const refused = await operator('DELETE', '/organisations/1');
    assert.deepEqual([refused.status, refused.body.error_token], [409, 'NotAllowed']);
    assert.match(refused.body.message, /Organisation 2 is a child/);
    assert.equal((await call('GET', '/api/v1/user/my', { token })).status, 200, 'nothing was removed');

    for (const organisation of [1, 11]) {
      await registry.put(`stream.${organisation}.aaaaaaaa`, {
        id: 'aaaaaaaa',
        organisationId: organisation,
        partition: 3,
      });
      await registry.put(`progress.3.${organisation}.aaaaaaaa`, {});
      await registry.put(`history.${organisation}.aaaaaaaa`, []);
      await registry.put(`quarantine.${organisation}.aaaaaaaa.1-1`, {});
    }
    assert.equal((await operator('DELETE', '/organisations/2')).status, 200);
    const { status, body } = await operator('DELETE', '/organisations/1');
    assert.equal(status, 200);
    assert.deepEqual(body, {
      users: 1,
      application_tokens: 1,
      data_streams: 1,
      records_remain_until: new Date(clock.now() + 7 * 86_400_000).toISOString(),
    });
    const keys = await Array.fromAsync(registry.list(''), ({ key }) => key);
    assert.deepEqual(
      keys.filter((key) => !key.includes('.11.')),
      [],
    );
    assert.equal(keys.length, 4, 'of organisation 11 all is there');
    assert.equal((await call('GET', '/api/v1/user/my', { token })).status, 401);
    assert.equal((await operator('DELETE', '/organisations/1')).status, 404);
  });

  test('says what is wrong with a user', async () => {
    const { operator } = await setUpAccounts();
    const user = { username: 'bob', password: 'x' };
    const taken = await operator('POST', '/organisations/2/users', {
      ...user,
      username: ADA.username.toUpperCase(),
    });
    assert.deepEqual([taken.status, taken.body.error_code], [409, 1405]);
    const bad = [
      { username: 'bob' },
      { password: 'x' },
      { ...user, password: '' },
      { ...user, username: '' },
      { ...user, username: ' bob' },
      { ...user, username: 'bob ' },
      { ...user, username: 'b\nob' },
      { ...user, username: 'x'.repeat(201) },
      { ...user, username: 'ü'.repeat(150) },
      { ...user, role: 'root' },
    ];
    for (const body of bad) {
      assert.equal(
        (await operator('POST', '/organisations/2/users', body)).status,
        422,
        JSON.stringify(body),
      );
    }
    assert.equal((await operator('POST', '/organisations/99/users', user)).status, 404);
    const ada = encodeURIComponent(ADA.username);
    assert.equal((await operator('PATCH', `/organisations/2/users/${ada}`, { name: 'x' })).status, 404);
    assert.equal((await operator('DELETE', `/organisations/2/users/${ada}`)).status, 404);
    assert.equal((await operator('DELETE', `/organisations/1/users/${ada}`)).status, 204);
  });

  test('creates, lists and revokes application tokens', async () => {
    const { operator, login, call } = await setUpAccounts();
    const path = '/organisations/2/application_tokens';
    const made = await operator('POST', path, { description: 'Billing', expiry_date: '2027-01-01' });
    assert.equal(made.status, 201);
    assert.deepEqual(Object.keys(made.body), ['id', 'application_token']);
    const token = await login({ application_token: made.body.application_token });
    const [listed] = (await operator('GET', path)).body;
    assert.deepEqual([listed.id, listed.creator.username], [made.body.id, 'operator']);
    assert.equal((await operator('PATCH', `${path}/${made.body.id}`, { status: { id: 1 } })).status, 204);
    assert.equal((await call('GET', '/api/v1/organisation/my', { token })).status, 401);
    assert.equal((await operator('PATCH', `${path}/1`, { status: { id: 1 } })).status, 404);
    assert.equal((await operator('POST', path, { ip: 'x' })).status, 422);
    assert.equal((await operator('POST', '/organisations/99/application_tokens')).status, 404);
  });
});
