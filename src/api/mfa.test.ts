import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Secret, TOTP } from 'otpauth';
import { sha1Hex } from '../auth/passwords.ts';
import { ADA, setUpAccounts } from './accounts.fixture.ts';

const LOGIN = '/api/v1/authenticate';
const MFA = '/api/v1/user/mfa';
const ME = '/api/v1/user/my';
const MINUTE = 60_000;

async function setUp() {
  const world = await setUpAccounts();
  const { call, clock, login } = world;
  let from = 0;
  // From another address each time: logins are limited by address.
  const authenticate = (body: object) => call('POST', LOGIN, { body, ip: `10.0.0.${++from % 250}` });
  const token = await login(ADA);
  const { body: key } = await call('POST', MFA, { token, body: { type: { id: 0 }, password: ADA.password } });
  const code = () =>
    new TOTP({ secret: Secret.fromBase32(key.secret_key) }).generate({ timestamp: clock.now() });
  const activate = async () => {
    const body = { status: { id: 1 }, code: code() };
    assert.equal((await call('PATCH', `${MFA}/${key.id}`, { token, body })).status, 204);
    await clock.advance(MINUTE);
  };
  /** The first step of a login. */
  const firstStep = async () => {
    const answer = await authenticate(ADA);
    assert.deepEqual([answer.status, Object.keys(answer.body)], [200, ['mfa_token']]);
    return answer.body.mfa_token as string;
  };
  const codes = ({ status, body }: { status: number; body: { error_code?: number } | undefined }) => [
    status,
    body?.error_code,
  ];
  return { ...world, authenticate, token, key, code, activate, firstStep, codes };
}

describe('a login with a second factor', () => {
  test('takes the password and then a code; until the key is activated the password alone', async () => {
    const { authenticate, activate, firstStep, code, call, key } = await setUp();
    assert.ok((await authenticate(ADA)).body.auth_token, 'pending');
    await activate();
    const mfa_token = await firstStep();
    const { status, body } = await authenticate({ mfa_token, code: code() });
    assert.equal(status, 200);
    const me = await call('GET', ME, { token: body.auth_token });
    assert.deepEqual(me.body.mfa, [
      {
        id: key.id,
        status: { id: 1, description: 'Active' },
        type: { id: 0, description: 'Time-Based One-Time Password' },
        creation_date: '2026-01-01T00:00:00.000Z',
        activation_date: '2026-01-01T00:00:00.000Z',
        recovery_codes_left: 10,
      },
    ]);
    assert.equal((await authenticate({ refresh_token: body.refresh_token })).status, 200);
  });

  test('takes each code once, and recovery codes', async () => {
    const { authenticate, activate, firstStep, code, key, codes } = await setUp();
    await activate();
    const used = code();
    assert.equal((await authenticate({ mfa_token: await firstStep(), code: used })).status, 200);
    assert.deepEqual(codes(await authenticate({ mfa_token: await firstStep(), code: used })), [401, 1101]);
    const [recovery] = key.recovery_codes;
    assert.equal((await authenticate({ mfa_token: await firstStep(), code: recovery })).status, 200);
    assert.deepEqual(
      codes(await authenticate({ mfa_token: await firstStep(), code: recovery })),
      [401, 1101],
    );
  });

  test('is locked by three wrong codes, and a right password in between does not count them anew', async () => {
    const { authenticate, activate, firstStep, code, codes, clock } = await setUp();
    await activate();
    const mfa_token = await firstStep();
    for (let guess = 0; guess < 3; guess++) {
      assert.deepEqual(codes(await authenticate({ mfa_token, code: '000000' })), [401, 1101]);
      if (guess < 2) await firstStep();
    }
    assert.deepEqual(codes(await authenticate({ mfa_token, code: code() })), [401, 1105]);
    assert.deepEqual(codes(await authenticate(ADA)), [401, 1105]);
    await clock.advance(5 * MINUTE);
    assert.equal((await authenticate({ mfa_token: await firstStep(), code: code() })).status, 200);
    const again = await firstStep();
    assert.deepEqual(
      codes(await authenticate({ mfa_token: again, code: '000000' })),
      [401, 1101],
      'counts anew',
    );
  });

  test('is not made by an mfa_token alone, which ends after five minutes and with the password', async () => {
    const { authenticate, activate, firstStep, code, codes, clock, call, operator } = await setUp();
    await activate();
    const mfa_token = await firstStep();
    assert.deepEqual(codes(await authenticate({ mfa_token })), [422, 1402]);
    for (const other of [{ refresh_token: mfa_token }, { application_token: mfa_token }]) {
      assert.equal((await authenticate(other)).status, 401);
    }
    assert.equal((await call('GET', ME, { token: mfa_token })).status, 401);
    const both = { mfa_token, code: code(), ...ADA };
    assert.equal((await authenticate(both)).status, 400);
    await clock.advance(5 * MINUTE);
    assert.deepEqual(codes(await authenticate({ mfa_token, code: code() })), [401, 1103]);
    const late = await firstStep();
    await operator('PATCH', `/organisations/1/users/${encodeURIComponent(ADA.username)}`, {
      password: 'new',
    });
    assert.deepEqual(codes(await authenticate({ mfa_token: late, code: code() })), [401, 1102]);
    for (const token of ['', 'x', `${late.slice(0, -4)}AAAA`]) {
      assert.equal((await authenticate({ mfa_token: token, code: code() })).status, 401);
    }
  });
});

describe('an MFA key', () => {
  test('is created with the right password only, and shown once', async () => {
    const { call, token, key, codes } = await setUp();
    const wrong = await call('POST', MFA, { token, body: { password: sha1Hex('wrong') } });
    assert.deepEqual(codes(wrong), [401, 1101]);
    const me = JSON.stringify((await call('GET', ME, { token })).body);
    for (const secret of [key.secret_key, key.otpauth, ...key.recovery_codes])
      assert.ok(!me.includes(secret));
  });

  test('is activated by a right code', async () => {
    const { call, token, key, code, activate, codes } = await setUp();
    const patch = (id: number, body: object) => call('PATCH', `${MFA}/${id}`, { token, body });
    assert.deepEqual(codes(await patch(key.id, { code: '000000' })), [422, 1406]);
    assert.deepEqual(codes(await patch(key.id + 1, { code: code() })), [404, 1201]);
    await activate();
    assert.deepEqual(codes(await patch(key.id, { code: code() })), [409, 1406]);
    assert.deepEqual(
      codes(await call('POST', MFA, { token, body: { password: ADA.password } })),
      [409, 1406],
    );
  });

  test('is deleted by its owner with password and code', async () => {
    const { call, token, key, code, activate, authenticate, codes } = await setUp();
    await activate();
    const remove = (body: object) => call('DELETE', `/api/v1/user/my/mfa/${key.id}`, { token, body });
    assert.deepEqual(codes(await remove({ password: ADA.password })), [422, 1402]);
    assert.deepEqual(codes(await remove({ password: ADA.password, code: '000000' })), [401, 1101]);
    assert.deepEqual(codes(await remove({ password: sha1Hex('wrong'), code: code() })), [401, 1101]);
    assert.equal((await remove({ password: ADA.password, code: code() })).status, 204);
    assert.ok((await authenticate(ADA)).body.auth_token);
  });

  test('of another user is deleted by an administrator, and one of their own is not so', async () => {
    const { call, token, key, activate, operator, login, codes, authenticate } = await setUp();
    await activate();
    await operator('POST', '/organisations/1/users', { username: 'bob', password: 'x' });
    await operator('POST', '/organisations/2/users', { username: 'eve', password: 'x' });
    const own = await call('DELETE', `/api/v1/user/${encodeURIComponent(ADA.username)}/mfa/${key.id}`, {
      token,
    });
    assert.deepEqual(codes(own), [409, 1406]);
    const path = `/api/v1/user/${encodeURIComponent(ADA.username)}/mfa/${key.id}`;
    const eve = await login({ username: 'eve', password: sha1Hex('x') });
    assert.equal((await call('DELETE', path, { token: eve })).status, 404);
    const bob = await login({ username: 'bob', password: sha1Hex('x') });
    assert.equal((await call('DELETE', path, { token: bob })).status, 204);
    assert.ok((await authenticate(ADA)).body.auth_token);
  });

  test('is removed by the operator', async () => {
    const { activate, operator, authenticate, firstStep, code, codes } = await setUp();
    await activate();
    const mfa_token = await firstStep();
    const user = `/organisations/1/users/${encodeURIComponent(ADA.username)}`;
    const list = async () => (await operator('GET', '/organisations/1/users')).body[0].mfa;
    assert.equal(await list(), true);
    assert.equal((await operator('DELETE', `${user}/mfa`)).status, 204);
    assert.equal(await list(), false);
    assert.deepEqual(codes(await authenticate({ mfa_token, code: code() })), [401, 1102]);
    assert.ok((await authenticate(ADA)).body.auth_token);
    assert.equal((await operator('DELETE', `${user.replace('1', '2')}/mfa`)).status, 404);
  });
});
