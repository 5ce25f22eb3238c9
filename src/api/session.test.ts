import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { APPLICATION_TOKEN, MOST_TOKENS } from '../auth/application-tokens.ts';
import { sha1Hex } from '../auth/passwords.ts';
import { ADA, setUpAccounts } from './accounts.fixture.ts';

const LOGIN = '/api/v1/authenticate';
const LOGOUT = '/api/v1/authenticate/logout';
const ME = '/api/v1/user/my';
const TOKENS = '/api/v1/application_token';

async function setUp() {
  const world = await setUpAccounts();
  let logins = 0;
  const login = async (credentials: object = ADA) => {
    // From another address each time: logins are limited by address.
    const ip = `10.0.${++logins >> 8}.${logins & 255}`;
    const { status, body } = await world.call('POST', LOGIN, { body: credentials, ip });
    assert.equal(status, 200);
    return body as { auth_token: string; refresh_token: string };
  };
  const works = async ({ auth_token, refresh_token }: Awaited<ReturnType<typeof login>>) => [
    (await world.call('GET', ME, { token: auth_token })).status,
    (await world.call('POST', LOGIN, { body: { refresh_token } })).status,
  ];
  return { ...world, login, works };
}

describe('sessions', () => {
  test('signing out ends the session with all tokens of its login, and no other', async () => {
    const { call, login, works } = await setUp();
    const [mine, other] = [await login(), await login()];
    const renewed = await call('POST', LOGIN, { body: { refresh_token: mine.refresh_token } });
    assert.equal((await call('POST', LOGOUT, { token: renewed.body.auth_token })).status, 204);
    assert.deepEqual(await works(mine), [401, 401]);
    assert.equal((await call('GET', ME, { token: renewed.body.auth_token })).status, 401);
    assert.deepEqual(await works(other), [200, 200]);
  });

  test('all sessions of a user can be ended at once, and too many sign-outs do the same', async () => {
    const { call, login, works } = await setUp();
    const [first, second] = [await login(), await login()];
    assert.equal((await call('POST', LOGOUT, { token: first.auth_token, body: { all: true } })).status, 204);
    assert.deepEqual([await works(first), await works(second)].flat(), [401, 401, 401, 401]);
    const kept = await login();
    for (let n = 0; n < 200; n++) await call('POST', LOGOUT, { token: (await login()).auth_token });
    assert.deepEqual(await works(kept), [200, 200]);
    await call('POST', LOGOUT, { token: (await login()).auth_token });
    assert.deepEqual(await works(kept), [401, 401]);
  });

  test('a user changes their own password, which ends all other sessions', async () => {
    const { call, login, works } = await setUp();
    const [first, second] = [await login(), await login()];
    const password = sha1Hex('battery staple');
    const change = (current_password: string) =>
      call('PATCH', ME, { token: first.auth_token, body: { current_password, password } });
    const wrong = await change(sha1Hex('no'));
    assert.deepEqual([wrong.status, wrong.body.error_token], [401, 'InvalidCredentials']);
    const { status, body } = await change(ADA.password);
    assert.equal(status, 200);
    assert.deepEqual(await works(body), [200, 200]);
    assert.deepEqual([await works(first), await works(second)].flat(), [401, 401, 401, 401]);
    assert.equal((await call('POST', LOGIN, { body: ADA })).status, 401);
    assert.deepEqual(await works(await login({ ...ADA, password })), [200, 200]);
  });

  test('an application has no session and no password', async () => {
    const { call, login } = await setUp();
    const { auth_token } = await login();
    const made = await call('POST', TOKENS, { token: auth_token });
    const { body } = await call('POST', LOGIN, { body: { application_token: made.body.application_token } });
    assert.equal((await call('POST', LOGOUT, { token: body.auth_token })).body.error_token, 'NotAllowed');
    const passwords = { current_password: ADA.password, password: ADA.password };
    const changed = await call('PATCH', ME, { token: body.auth_token, body: passwords });
    assert.equal(changed.body.error_token, 'NotAllowed');
    const path = `${TOKENS}/${made.body.id}`;
    assert.equal((await call('DELETE', path, { token: auth_token })).status, 204);
    assert.equal((await call('DELETE', path, { token: auth_token })).status, 404);
    assert.equal((await call('GET', TOKENS, { token: body.auth_token })).status, 401);
    assert.deepEqual((await call('GET', TOKENS, { token: auth_token })).body, []);
  });

  test('an organisation has a bounded number of application tokens', async () => {
    const { accounts, registry, call, login } = await setUp();
    const creator = { id: 1, name: 'Ada', username: 'ada' };
    const { document } = await accounts.applicationTokens.create({ organisationId: 1, creator });
    // Copies: each creation looks through all tokens.
    for (let n = 1; n < MOST_TOKENS - 1; n++)
      await APPLICATION_TOKEN.put(registry, `application_token.1.${n}`, { ...document, id: n }, 0);
    await accounts.applicationTokens.create({ organisationId: 1, creator });
    const { status, body } = await call('POST', TOKENS, { token: (await login()).auth_token });
    assert.deepEqual([status, body.error_token], [422, 'NotAllowed']);
    assert.match(body.message, /500 application tokens/);
  });

  test('the operator unlocks a user', async () => {
    const { call, operator, works, login } = await setUp();
    for (let n = 0; n < 4; n++) {
      await call('POST', LOGIN, { body: { ...ADA, password: sha1Hex('no') } });
    }
    assert.equal((await call('POST', LOGIN, { body: ADA })).body.error_token, 'TooManyRequests');
    const path = `/organisations/1/users/${encodeURIComponent(ADA.username)}/unlock`;
    assert.equal((await operator('POST', path)).status, 204);
    assert.deepEqual(await works(await login()), [200, 200]);
    assert.equal((await operator('POST', path.replace('Ada', 'Nobody'))).status, 404);
  });
});
