import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Secret, TOTP } from 'otpauth';
import { sha1Hex } from '../auth/passwords.ts';
import { ADA, setUpAccounts } from './accounts.fixture.ts';

const LOGIN = '/api/v1/authenticate';
const MFA = '/api/v1/user/mfa';
const ME = '/api/v1/user/my';
const ORGANISATION = '/api/v1/organisation/my';
const DEVICES = '/api/v1/user/my/trusted_device';
const DAY = 86_400_000;
const BOB = { username: 'bob@example.org', password: sha1Hex('battery staple') };
const DEVICE = { fingerprint: '0f8e2b1c9d7a4e55', name: 'Laptop', browser: 'Firefox' };

async function setUp() {
  const world = await setUpAccounts();
  const { call, clock, login, accounts } = world;
  await accounts.users.create({
    ...{ organisationId: 1, username: BOB.username, sha1Hex: BOB.password, role: 'observer' },
  });
  let from = 0;
  const authenticate = (body: object) => call('POST', LOGIN, { body, ip: `10.0.0.${++from % 250}` });
  const codeOf = (key: { secret_key: string }) =>
    new TOTP({ secret: Secret.fromBase32(key.secret_key) }).generate({ timestamp: clock.now() });
  /** Sets up a second factor with any token that may. */
  const setUpKey = async (token: string, password: string) => {
    const { body: key } = await call('POST', MFA, { token, body: { password } });
    const activated = await call('PATCH', `${MFA}/${key.id}`, { token, body: { code: codeOf(key) } });
    await clock.advance(60_000);
    return { key, activated };
  };
  const require = (token: string, required: boolean) =>
    call('PATCH', ORGANISATION, { token, body: { mfa_required: required } });
  const ada = await login(ADA);
  return { ...world, authenticate, codeOf, setUpKey, require, ada };
}

describe('an organisation that requires a second factor', () => {
  test('is made so by an administrator who has one, and shows it', async () => {
    const { call, ada, setUpKey, require, login } = await setUp();
    const shown = async () => (await call('GET', ORGANISATION, { token: ada })).body.mfa_required;
    assert.equal((await require(ada, true)).status, 409, 'would sign the administrator out');
    assert.equal((await require(await login(BOB), true)).status, 403);
    assert.equal(await shown(), false);
    await setUpKey(ada, ADA.password);
    assert.equal((await require(ada, true)).status, 204);
    assert.equal(await shown(), true);
    assert.equal((await require(ada, false)).status, 204);
    assert.equal(await shown(), false);
  });

  test('lets a user without one in after setting it up, with a token that is good for nothing else', async () => {
    const { call, ada, setUpKey, require, authenticate, codeOf } = await setUp();
    const before = (await authenticate(BOB)).body;
    await setUpKey(ada, ADA.password);
    await require(ada, true);
    const late = await call('GET', ME, { token: before.auth_token });
    assert.equal(late.status, 401);
    assert.match(late.body.message, /requires a second factor.*Log in with your password/);
    assert.match(
      (await authenticate({ refresh_token: before.refresh_token })).body.message,
      /requires a second factor/,
    );
    const { status, body } = await authenticate(BOB);
    assert.deepEqual([status, Object.keys(body)], [200, ['mfa_setup_token']]);
    const token = body.mfa_setup_token;
    for (const [method, path] of [
      ['GET', ME],
      ['GET', ORGANISATION],
      ['POST', `${LOGIN}/logout`],
      ['GET', DEVICES],
    ] as const)
      assert.equal((await call(method, path, { token })).status, 401, path);
    for (const other of [{ mfa_token: token, code: '000000' }, { refresh_token: token }])
      assert.equal((await authenticate(other)).status, 401);
    const { key, activated } = await setUpKey(token, BOB.password);
    assert.equal(activated.status, 200);
    assert.equal((await call('GET', ME, { token: activated.body.auth_token })).body.username, BOB.username);
    const { mfa_token } = (await authenticate(BOB)).body;
    assert.equal((await authenticate({ mfa_token, code: codeOf(key) })).status, 200);
    const again = await call('POST', MFA, { token, body: { password: BOB.password } });
    assert.equal(again.status, 409, 'a set-up token replaces no active key');
  });

  test('gives a set-up token a quarter of an hour, and ends it with the password', async () => {
    const { call, ada, setUpKey, require, authenticate, clock, operator } = await setUp();
    await setUpKey(ada, ADA.password);
    await require(ada, true);
    const first = (await authenticate(BOB)).body.mfa_setup_token;
    await clock.advance(15 * 60_000);
    const body = { password: BOB.password };
    assert.equal((await call('POST', MFA, { token: first, body })).body.error_code, 1103);
    const second = (await authenticate(BOB)).body.mfa_setup_token;
    await operator('PATCH', `/organisations/1/users/${encodeURIComponent(BOB.username)}`, {
      password: 'new',
    });
    assert.equal((await call('POST', MFA, { token: second, body })).body.error_code, 1102);
  });

  test('asks nobody of another organisation, and no program', async () => {
    const { ada, setUpKey, require, authenticate, accounts, operator } = await setUp();
    const { body } = await operator('POST', '/organisations/1/application_tokens', {});
    await accounts.users.create({ organisationId: 2, username: 'eve', sha1Hex: BOB.password });
    await setUpKey(ada, ADA.password);
    await require(ada, true);
    assert.ok((await authenticate({ application_token: body.application_token })).body.auth_token);
    assert.ok((await authenticate({ username: 'eve', password: BOB.password })).body.auth_token);
  });
});

describe('a trusted device', () => {
  async function trusting() {
    const world = await setUp();
    const { ada, setUpKey, authenticate, codeOf } = world;
    const { key } = await setUpKey(ada, ADA.password);
    const trust = async (trusted_device: object = DEVICE) => {
      const { mfa_token } = (await authenticate(ADA)).body;
      const answer = await authenticate({ mfa_token, code: codeOf(key), trusted_device });
      await world.clock.advance(60_000);
      return answer;
    };
    /** Whether a login with the fingerprint needs no code. */
    const isTrusted = async (fingerprint: string) =>
      (await authenticate({ ...ADA, fingerprint })).body.auth_token !== undefined;
    return { ...world, key, trust, isTrusted };
  }

  test('is not asked for a code for 90 days; others are, and a wrong password does not get in', async () => {
    const { trust, isTrusted, authenticate, clock } = await trusting();
    assert.equal(await isTrusted(DEVICE.fingerprint), false);
    assert.equal((await trust()).status, 200);
    assert.equal(await isTrusted(DEVICE.fingerprint), true);
    assert.equal(await isTrusted(`${DEVICE.fingerprint}0`), false);
    assert.equal(await isTrusted(''), false);
    const wrong = { ...ADA, password: BOB.password, fingerprint: DEVICE.fingerprint };
    assert.equal((await authenticate(wrong)).status, 401);
    await clock.advance(90 * DAY);
    assert.equal(await isTrusted(DEVICE.fingerprint), false);
  });

  test('is not trusted by a wrong code, or with a fingerprint that can be guessed', async () => {
    const { trust, isTrusted, authenticate, codeOf, key } = await trusting();
    const { mfa_token } = (await authenticate(ADA)).body;
    const wrong = { mfa_token, code: '000000', trusted_device: DEVICE };
    assert.equal((await authenticate(wrong)).status, 401);
    assert.equal(await isTrusted(DEVICE.fingerprint), false);
    assert.equal((await trust({ fingerprint: 'short' })).status, 422);
    assert.equal((await authenticate({ mfa_token, code: codeOf(key) })).status, 200);
  });

  test('is listed and removed by its owner, and its fingerprint is shown nowhere', async () => {
    const { call, trust, isTrusted, ada, login } = await trusting();
    await trust();
    const { body: devices } = await call('GET', DEVICES, { token: ada });
    const { id, expiry_date, ...shown } = devices[0];
    assert.deepEqual(shown, {
      ...{ name: 'Laptop', operating_system: null, browser: 'Firefox' },
      activation_date: '2026-01-01T00:01:00.000Z',
    });
    assert.equal(Date.parse(expiry_date) - Date.parse(shown.activation_date), 90 * DAY);
    assert.ok(!JSON.stringify(devices).includes(DEVICE.fingerprint));
    const bob = await login(BOB);
    assert.deepEqual((await call('GET', DEVICES, { token: bob })).body, []);
    assert.equal((await call('DELETE', `${DEVICES}/${id}`, { token: bob })).status, 404);
    assert.equal((await call('DELETE', `${DEVICES}/x`, { token: ada })).status, 404);
    assert.equal((await call('DELETE', `${DEVICES}/${id}`, { token: ada })).status, 204);
    assert.equal(await isTrusted(DEVICE.fingerprint), false);
  });

  test('is one of ten; a new one replaces the oldest, and the same one itself', async () => {
    const { call, trust, isTrusted, ada } = await trusting();
    const numbered = (number: number) => ({ fingerprint: `fingerprint-number-${number}` });
    for (let number = 0; number < 11; number++) await trust(numbered(number));
    await trust(numbered(10));
    assert.equal((await call('GET', DEVICES, { token: ada })).body.length, 10);
    assert.equal(await isTrusted(numbered(0).fingerprint), false);
    assert.equal(await isTrusted(numbered(1).fingerprint), true);
  });

  const ends: Record<string, (world: Awaited<ReturnType<typeof trusting>>) => Promise<unknown>> = {
    'a new password': ({ operator }) =>
      operator('PATCH', `/organisations/1/users/${encodeURIComponent(ADA.username)}`, {
        password: 'correct horse',
      }),
    'the end of all sessions': ({ call, ada }) =>
      call('POST', `${LOGIN}/logout`, { token: ada, body: { all: true } }),
    'a suspension': async ({ accounts }) => {
      await accounts.users.change(ADA.username, { status: 'disabled' });
      await accounts.users.change(ADA.username, { status: 'active' });
    },
    'another second factor': async ({ accounts, setUpKey, authenticate, require, ada }) => {
      await require(ada, true);
      await accounts.mfa.remove(ADA);
      const { mfa_setup_token } = (await authenticate(ADA)).body;
      await setUpKey(mfa_setup_token, ADA.password);
    },
  };
  for (const [what, end] of Object.entries(ends))
    test(`is trusted no more after ${what}`, async () => {
      const world = await trusting();
      await world.trust();
      await end(world);
      const answer = await world.authenticate({ ...ADA, fingerprint: DEVICE.fingerprint });
      assert.deepEqual([answer.status, Object.keys(answer.body)], [200, ['mfa_token']]);
    });
});
