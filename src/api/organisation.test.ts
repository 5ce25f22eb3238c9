import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { organisationKey } from '../registry/organisation.ts';
import { ADA, setUpAccounts } from './accounts.fixture.ts';

const created = '2026-01-01T00:00:00.000Z';
const USERS = `/organisations/1/users/${encodeURIComponent(ADA.username)}`;

describe('who am I', () => {
  test('a user sees themselves and their organisation', async () => {
    const { call, login, accounts } = await setUpAccounts();
    const token = await login(ADA);
    const organisation = await call('GET', '/api/v1/organisation/my', { token });
    assert.deepEqual(organisation.body, {
      id: 1,
      name: 'Root',
      parent_id: null,
      created,
      mfa_required: false,
    });
    const user = await call('GET', '/api/v1/user/my', { token });
    assert.deepEqual(user.body, {
      id: (await accounts.users.find(ADA.username))?.id,
      username: ADA.username,
      name: 'Ada Lovelace',
      role: { id: 1, description: 'Administrator' },
      roles: [{ id: 1, description: 'Administrator' }],
      status: { id: 1, description: 'Active' },
      organisation: { id: 1, name: 'Root' },
      created,
      mfa: [],
    });
  });

  test('an application has an organisation and is not a user', async () => {
    const { call, login, operator } = await setUpAccounts();
    const { application_token } = (await operator('POST', '/organisations/2/application_tokens')).body;
    const token = await login({ application_token });
    const organisation = await call('GET', '/api/v1/organisation/my', { token });
    assert.deepEqual(organisation.body, { id: 2, name: 'Child', parent_id: 1, created, mfa_required: false });
    assert.equal((await call('GET', '/api/v1/user/my', { token })).status, 404);
  });
});

describe('a token is checked at every call', () => {
  const codes = ({ status, body }: { status: number; body: { error_code: number } }) => [
    status,
    body.error_code,
  ];

  test('it expires', async () => {
    const { call, login, clock } = await setUpAccounts();
    const token = await login(ADA);
    await clock.advance(240 * 60_000 - 1);
    assert.equal((await call('GET', '/api/v1/user/my', { token })).status, 200);
    await clock.advance(1);
    assert.deepEqual(codes(await call('GET', '/api/v1/user/my', { token })), [401, 1103]);
  });

  test('it ends when the user is disabled, removed, replaced by a namesake, or has a new password', async () => {
    const ends: [string, 'PATCH' | 'DELETE', object | undefined][] = [
      ['disabled', 'PATCH', { status: 'disabled' }],
      ['removed', 'DELETE', undefined],
      ['new password', 'PATCH', { password: 'new' }],
    ];
    for (const [name, method, body] of ends) {
      const { call, login, operator } = await setUpAccounts();
      const token = await login(ADA);
      await operator(method, USERS, body);
      assert.deepEqual(codes(await call('GET', '/api/v1/user/my', { token })), [401, 1102], name);
    }
    const { call, login, operator } = await setUpAccounts();
    const token = await login(ADA);
    await operator('DELETE', USERS);
    await operator('POST', '/organisations/1/users', { username: ADA.username, password: 'x' });
    assert.deepEqual(codes(await call('GET', '/api/v1/user/my', { token })), [401, 1102], 'namesake');
  });

  test('it ends when the organisation is gone', async () => {
    const { accounts, login, registry } = await setUpAccounts();
    const token = await login(ADA);
    await registry.delete(organisationKey(1));
    await assert.rejects(accounts.authorize(`Bearer ${token}`, '192.0.2.1'), { token: 'InvalidToken' });
  });

  test('that of an application is for its addresses, until its expiry', async () => {
    const { call, login, operator, clock } = await setUpAccounts();
    const { application_token } = (
      await operator('POST', '/organisations/2/application_tokens', {
        ip: '2001:db8::/32',
        expiry_date: '2026-01-01T01:00:00Z',
      })
    ).body;
    const token = await login({ application_token }, '2001:db8::1');
    const my = (ip: string) => call('GET', '/api/v1/organisation/my', { token, ip });
    assert.equal((await my('2001:db8:ffff::1')).status, 200);
    assert.deepEqual(codes(await my('192.0.2.1')), [403, 1104]);
    await clock.advance(3_600_000);
    assert.deepEqual(codes(await my('2001:db8::1')), [401, 1103]);
  });

  test('a header that is missing or of another scheme is 401', async () => {
    const { accounts } = await setUpAccounts();
    for (const header of [undefined, '', 'Bearer', 'Bearer ', 'Basic YWRhOng=', 'Bearer a b', 'token']) {
      await assert.rejects(accounts.authorize(header, '192.0.2.1'), { token: 'InvalidToken', status: 401 });
    }
  });
});
