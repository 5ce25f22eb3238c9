import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeJwt, decodeProtectedHeader, SignJWT, UnsecuredJWT } from 'jose';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { secretOf } from './secret.ts';
import {
  APPLICATION_TOKEN_SECONDS,
  type ApplicationSubject,
  createTokens,
  REFRESH_TOKEN_SECONDS,
  USER_TOKEN_SECONDS,
  type UserSubject,
} from './tokens.ts';

const secret = secretOf(Buffer.alloc(32, 1));
const user: UserSubject = {
  type: 'user',
  organisationId: 70412,
  organisationName: 'Meters & Co',
  userId: 5,
  username: 'Ada@example.org',
  version: 1,
};
const application: ApplicationSubject = {
  type: 'application',
  organisationId: 70412,
  organisationName: 'Meters & Co',
  applicationId: 9,
};

function setUp() {
  const clock = new ManualClock();
  return { clock, tokens: createTokens({ current: secret }, clock) };
}

describe('tokens', () => {
  test('carry the claims of emnify and verify to whom they were made for', async () => {
    const { clock, tokens } = setUp();
    const token = await tokens.issueAuthToken(application);
    const claims = decodeJwt(token);
    assert.equal(decodeProtectedHeader(token).alg, 'HS384');
    assert.equal(claims['esc.org'], 70412);
    assert.equal(claims['esc.orgName'], 'Meters & Co');
    assert.equal(claims['esc.app'], 9);
    assert.equal(claims['esc.user'], undefined);
    assert.equal(claims.iss, 'simstream');
    assert.equal(claims.aud, '/api/v1/authenticate');
    assert.equal(claims.iat, clock.now() / 1000);
    assert.deepEqual(await tokens.verifyAuthToken(token), { type: 'verified', subject: application });
    const users = await tokens.issueAuthToken(user);
    assert.equal(decodeJwt(users)['esc.user'], 5);
    assert.deepEqual(await tokens.verifyAuthToken(users), { type: 'verified', subject: user });
  });

  test('live 240 minutes, 7 days and 30 days, to the second', async () => {
    const { clock, tokens } = setUp();
    const lives = [
      [USER_TOKEN_SECONDS, 240 * 60, await tokens.issueAuthToken(user), tokens.verifyAuthToken],
      [APPLICATION_TOKEN_SECONDS, 604_800, await tokens.issueAuthToken(application), tokens.verifyAuthToken],
      [REFRESH_TOKEN_SECONDS, 30 * 86_400, await tokens.issueRefreshToken(user), tokens.verifyRefreshToken],
    ] as const;
    const start = clock.now();
    for (const [seconds, expected, token, verify] of lives) {
      assert.equal(seconds, expected);
      await clock.advance(start + seconds * 1000 - 1 - clock.now());
      assert.equal((await verify(token)).type, 'verified');
      await clock.advance(1);
      assert.equal((await verify(token)).type, 'expired');
    }
  });

  test('do not outlive the application token they were made from', async () => {
    const { clock, tokens } = setUp();
    const token = await tokens.issueAuthToken(application, clock.now() + 60_500);
    assert.equal((decodeJwt(token).exp as number) - (decodeJwt(token).iat as number), 60);
  });

  test('of one purpose are refused for the other', async () => {
    const { tokens } = setUp();
    assert.deepEqual(await tokens.verifyAuthToken(await tokens.issueRefreshToken(user)), { type: 'invalid' });
    assert.deepEqual(await tokens.verifyRefreshToken(await tokens.issueAuthToken(user)), { type: 'invalid' });
    const relabelled = await new SignJWT({
      ...decodeJwt(await tokens.issueAuthToken(user)),
      aud: '/api/v1/authenticate/refresh',
    })
      .setProtectedHeader({ alg: 'HS384', kid: secret.id })
      .sign(secret.key('auth token', 48));
    assert.deepEqual(
      await tokens.verifyRefreshToken(relabelled),
      { type: 'invalid' },
      'each has its own key',
    );
  });

  test('of another algorithm, key, issuer or audience, or without a needed claim, are invalid', async () => {
    const { clock, tokens } = setUp();
    const key = secret.key('auth token', 48);
    const now = Math.floor(clock.now() / 1000);
    const claims = {
      'esc.org': 1,
      'esc.orgName': 'A',
      'esc.app': 2,
      iss: 'simstream',
      aud: '/api/v1/authenticate',
      iat: now,
      exp: now + 60,
    };
    const header = { alg: 'HS384', kid: secret.id };
    const sign = (changes: object = {}, headerChanges: object = {}, signingKey: Uint8Array = key) =>
      new SignJWT({ ...claims, ...changes })
        .setProtectedHeader({ ...header, ...headerChanges })
        .sign(signingKey);
    const good = await sign();
    assert.equal((await tokens.verifyAuthToken(good)).type, 'verified', 'the yardstick');

    const [head, body, signature] = good.split('.') as [string, string, string];
    const forgedBody = Buffer.from(JSON.stringify({ ...decodeJwt(good), 'esc.org': 999 })).toString(
      'base64url',
    );
    const bad = {
      none: new UnsecuredJWT(claims).encode(),
      'HS256 with the same key': await sign({}, { alg: 'HS256' }),
      'HS512 with the same key': await sign({}, { alg: 'HS512' }, Buffer.concat([key, key])),
      'another key': await sign({}, {}, Buffer.alloc(48, 3)),
      'an unknown key id': await sign({}, { kid: 'abcd' }),
      'no key id': await sign({}, { kid: undefined }),
      'another issuer': await sign({ iss: 'elsewhere' }),
      'another audience': await sign({ aud: '/other' }),
      'an organisation that is text': await sign({ 'esc.org': '1' }),
      'user and application at once': await sign({ 'esc.user': 3 }),
      'neither user nor application': await sign({ 'esc.app': undefined }),
      'no expiry': await sign({ exp: undefined }),
      'another body': [head, forgedBody, signature].join('.'),
      'no signature': `${head}.${body}.`,
      empty: '',
      garbage: 'abc.def.ghi',
      words: 'not a token',
    };
    for (const [name, token] of Object.entries(bad)) {
      assert.deepEqual(await tokens.verifyAuthToken(token), { type: 'invalid' }, name);
    }
  });

  test('of the previous secret hold while the secret is rotated, and not after', async () => {
    const { clock, tokens } = setUp();
    const token = await tokens.issueAuthToken(user);
    const current = secretOf(Buffer.alloc(32, 2));
    const during = createTokens({ current, previous: secret }, clock);
    assert.equal((await during.verifyAuthToken(token)).type, 'verified');
    assert.equal((await createTokens({ current }, clock).verifyAuthToken(token)).type, 'invalid');
    assert.equal(
      (await createTokens({ current }, clock).verifyAuthToken(await during.issueAuthToken(user))).type,
      'verified',
    );
  });
});
