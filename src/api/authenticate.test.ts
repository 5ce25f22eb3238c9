import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeJwt } from 'jose';
import { sha1Hex } from '../auth/passwords.ts';
import { organisationKey } from '../registry/organisation.ts';
import { type AccountsFixture, ADA, setUpAccounts } from './accounts.fixture.ts';

const WRONG = { ...ADA, password: sha1Hex('wrong') };

function authenticate(fixture: AccountsFixture, body: unknown, ip?: string) {
  return fixture.call('POST', '/api/v1/authenticate', { body, ...(ip ? { ip } : {}) });
}

async function newToken(fixture: AccountsFixture, options: object = {}) {
  const { body } = await fixture.operator('POST', '/organisations/2/application_tokens', options);
  return body as { id: number; application_token: string };
}

describe('POST /api/v1/authenticate', () => {
  test('an application token gives an auth token of 7 days, and nothing else', async () => {
    const fixture = await setUpAccounts();
    const { id, application_token } = await newToken(fixture);
    const answer = await authenticate(fixture, { application_token });
    assert.equal(answer.status, 200);
    assert.deepEqual(Object.keys(answer.body), ['auth_token']);
    const claims = decodeJwt(answer.body.auth_token);
    assert.deepEqual([claims['esc.org'], claims['esc.orgName'], claims['esc.app']], [2, 'Child', id]);
    assert.equal((claims.exp as number) - (claims.iat as number), 604_800);
  });

  test('a user name and the SHA-1 of the password give an auth token of 240 minutes and a refresh token', async () => {
    const fixture = await setUpAccounts();
    const answer = await authenticate(fixture, {
      username: ADA.username.toUpperCase(),
      password: ADA.password.toUpperCase(),
      fingerprint: 'browser',
    });
    assert.equal(answer.status, 200);
    const claims = decodeJwt(answer.body.auth_token);
    assert.equal((claims.exp as number) - (claims.iat as number), 240 * 60);
    await fixture.clock.advance(29 * 86_400_000);
    const refreshed = await authenticate(fixture, { refresh_token: answer.body.refresh_token });
    assert.deepEqual(Object.keys(refreshed.body), ['auth_token']);
    const my = await fixture.call('GET', '/api/v1/user/my', { token: refreshed.body.auth_token });
    assert.equal(my.body.username, ADA.username);
    await fixture.clock.advance(86_400_000);
    const late = await authenticate(fixture, { refresh_token: answer.body.refresh_token });
    assert.deepEqual([late.status, late.body.error_code], [401, 1103]);
  });

  test('wrong credentials are 401 with the code that says which', async () => {
    const fixture = await setUpAccounts();
    const { application_token } = await newToken(fixture);
    const cases: [object, number, string][] = [
      [WRONG, 1101, 'User name or password is wrong.'],
      [{ ...ADA, username: 'nobody' }, 1101, 'User name or password is wrong.'],
      [{ application_token: 'x' }, 1101, 'The application token is not known.'],
      [{ application_token: `${application_token}x` }, 1101, 'The application token is not known.'],
      [{ refresh_token: 'x' }, 1102, 'The refresh token is not from this server.'],
    ];
    for (const [body, code, message] of cases) {
      const answer = await authenticate(fixture, body);
      assert.deepEqual([answer.status, answer.body.error_code, answer.body.message], [401, code, message]);
    }
    const clear = await authenticate(fixture, { username: 'eve', password: 'correct horse' });
    assert.deepEqual([clear.status, clear.body.error_code], [401, 1101]);
    assert.match(clear.body.message, /SHA-1/);
    assert.ok(!clear.body.message.includes('correct horse'));
  });

  test('a token of another purpose does not pass', async () => {
    const fixture = await setUpAccounts();
    const { body } = await authenticate(fixture, ADA);
    assert.equal((await authenticate(fixture, { refresh_token: body.auth_token })).body.error_code, 1102);
    assert.equal((await authenticate(fixture, { application_token: body.auth_token })).body.error_code, 1101);
    const call = await fixture.call('GET', '/api/v1/user/my', { token: body.refresh_token });
    assert.deepEqual([call.status, call.body.error_code], [401, 1102]);
  });

  test('three failures lock the user for 5 minutes: 401 with the body of TooManyRequests', async () => {
    const fixture = await setUpAccounts();
    for (let attempt = 0; attempt < 3; attempt++) {
      assert.equal((await authenticate(fixture, WRONG)).body.error_code, 1101);
    }
    const locked = await authenticate(fixture, ADA);
    assert.deepEqual(
      [locked.status, locked.body.error_code, locked.body.error_token, locked.retryAfter],
      [401, 1105, 'TooManyRequests', 300],
    );
    await fixture.clock.advance(300_000);
    assert.equal((await authenticate(fixture, ADA)).status, 200);
  });

  test('what is not one way to log in is 400; half a way is 422', async () => {
    const fixture = await setUpAccounts();
    const cases: [object, number, number][] = [
      [{}, 400, 1000],
      [{ fingerprint: 'x' }, 400, 1000],
      [{ ...ADA, application_token: 'x' }, 400, 1000],
      [{ refresh_token: 'x', application_token: 'x' }, 400, 1000],
      [{ username: 'ada' }, 422, 1402],
      [{ password: ADA.password }, 422, 1402],
      [{ username: '', password: '' }, 422, 1402],
      [{ mfa_token: 'x' }, 422, 1402],
      [{ code: '123456' }, 422, 1402],
      [{ ...ADA, mfa_token: 'x', code: '123456' }, 400, 1000],
    ];
    for (const [body, status, code] of cases) {
      const answer = await authenticate(fixture, body);
      assert.deepEqual([answer.status, answer.body.error_code], [status, code], JSON.stringify(body));
    }
  });

  test('an application token that is revoked, expired or used from elsewhere is refused', async () => {
    const fixture = await setUpAccounts();
    const revoked = await newToken(fixture);
    await fixture.operator('PATCH', `/organisations/2/application_tokens/${revoked.id}`, {
      status: { id: 1 },
    });
    const expiring = await newToken(fixture, { expiry_date: '2026-01-02' });
    const local = await newToken(fixture, { ip: '198.51.100.0/24' });
    await fixture.login(expiring);
    await fixture.login(local, '198.51.100.7');
    await fixture.clock.advance(86_400_000);
    const codes = async (token: { application_token: string }) => {
      const { status, body } = await authenticate(fixture, { application_token: token.application_token });
      return [status, body.error_code];
    };
    assert.deepEqual(await codes(revoked), [401, 1101]);
    assert.deepEqual(await codes(expiring), [401, 1103]);
    assert.deepEqual(await codes(local), [401, 1101]);
  });

  test('an organisation that is gone is 404 InvalidReference, for each way', async () => {
    const fixture = await setUpAccounts();
    const { application_token } = await newToken(fixture);
    const { refresh_token } = (await authenticate(fixture, ADA)).body;
    await fixture.registry.delete(organisationKey(1));
    await fixture.registry.delete(organisationKey(2));
    for (const body of [{ application_token }, { refresh_token }, ADA]) {
      const answer = await authenticate(fixture, body);
      assert.deepEqual([answer.status, answer.body.error_code], [404, 1401]);
    }
  });

  test('a refresh token ends with a new password and with the user', async () => {
    const fixture = await setUpAccounts();
    const users = `/organisations/1/users/${encodeURIComponent(ADA.username)}`;
    const first = (await authenticate(fixture, ADA)).body.refresh_token;
    await fixture.operator('PATCH', users, { password: 'new' });
    assert.equal((await authenticate(fixture, { refresh_token: first })).body.error_code, 1102);
    const second = (await authenticate(fixture, { ...ADA, password: sha1Hex('new') })).body.refresh_token;
    await fixture.operator('DELETE', users);
    assert.equal((await authenticate(fixture, { refresh_token: second })).body.error_code, 1102);
  });

  test('the 101st call of an address in five minutes is 429, whatever it brings', async () => {
    const fixture = await setUpAccounts();
    for (let call = 0; call < 100; call++) await authenticate(fixture, {});
    const answer = await authenticate(fixture, ADA);
    assert.deepEqual([answer.status, answer.body.error_code, answer.retryAfter], [429, 1105, 300]);
    assert.equal((await authenticate(fixture, ADA, '192.0.2.2')).status, 200);
    await fixture.clock.advance(300_000);
    assert.equal((await authenticate(fixture, ADA)).status, 200);
  });

  test('no error repeats what was presented', async () => {
    const fixture = await setUpAccounts();
    const secret = 'kept-to-ourselves';
    const bodies = [
      { application_token: secret },
      { refresh_token: secret },
      { username: 'ada', password: secret },
      { mfa_token: secret },
      { application_token: secret, refresh_token: secret },
      { password: secret },
    ];
    for (const body of bodies) {
      assert.ok(!JSON.stringify(await authenticate(fixture, body)).includes(secret));
    }
    for (const token of [secret, `${secret}.${secret}.${secret}`]) {
      const answer = await fixture.call('GET', '/api/v1/user/my', { token });
      assert.equal(answer.status, 401);
      assert.ok(!JSON.stringify(answer).includes(secret));
    }
  });
});
