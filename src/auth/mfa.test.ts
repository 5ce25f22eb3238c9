import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Secret, TOTP } from 'otpauth';
import { ApiError } from '../errors.ts';
import { ManualClock, seededRandom } from '../lib/manual-clock.fixture.ts';
import { createMemoryRegistry } from '../registry/memory.ts';
import { createMfa } from './mfa.ts';
import { createPasswords, sha1Hex } from './passwords.ts';
import { createSealer } from './seal.ts';
import { secretOf } from './secret.ts';
import { createUsers, hasMfa, type UserDocument } from './users.ts';

const STEP = 30_000;

async function setUp() {
  const clock = new ManualClock();
  const random = seededRandom(1);
  const registry = createMemoryRegistry();
  const users = createUsers(registry, createPasswords(random, { memory: 64, passes: 1 }), clock, random);
  const sealer = createSealer({ current: secretOf(Buffer.alloc(32, 1)) }, random);
  const mfa = createMfa({ registry, sealer, clock, random });
  await users.create({ organisationId: 1, username: 'ada', sha1Hex: sha1Hex('x') });
  const ada = async () => (await users.find('ada')) as UserDocument;
  /** The code of an authenticator app whose clock is off by some steps. */
  const codeOf = (secret: string, steps = 0) =>
    new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: clock.now() + steps * STEP });
  const activate = async () => {
    const made = await mfa.create(await ada());
    assert.equal(await mfa.activate(await ada(), codeOf(made.secret)), 'activated');
    await clock.advance(2 * STEP);
    return made;
  };
  return { clock, registry, users, mfa, ada, codeOf, activate };
}

describe('second factor', () => {
  test("codes are those of RFC 6238's appendix B", async () => {
    const { clock, mfa, ada } = await setUp();
    const secret = Secret.fromUTF8('12345678901234567890');
    const expected: [number, string][] = [
      [59, '94287082'],
      [1111111109, '07081804'],
      [1111111111, '14050471'],
      [1234567890, '89005924'],
      [2000000000, '69279037'],
      [20000000000, '65353130'],
    ];
    for (const [seconds, code] of expected) {
      assert.equal(new TOTP({ secret, digits: 8 }).generate({ timestamp: seconds * 1000 }), code);
    }
    // What a user is given has the form of the RFC, and an app that reads the URI shows the codes that are taken.
    const { uri, secret: base32 } = await mfa.create(await ada());
    assert.match(uri, /^otpauth:\/\/totp\/simstream:ada\?.*issuer=simstream/);
    for (const part of ['algorithm=SHA1', 'digits=6', 'period=30', `secret=${base32}`]) {
      assert.ok(uri.includes(part), uri);
    }
    const code = new TOTP({ secret: Secret.fromBase32(base32) }).generate({ timestamp: clock.now() });
    assert.equal(await mfa.activate(await ada(), code), 'activated');
  });

  test('a key lets in once it is activated, and is then not replaced', async () => {
    const { mfa, ada, codeOf, clock } = await setUp();
    const first = await mfa.create(await ada());
    const second = await mfa.create(await ada());
    assert.equal(hasMfa(await ada()), false);
    assert.equal(await mfa.use(await ada(), codeOf(second.secret)), false, 'pending');
    assert.equal(await mfa.activate(await ada(), codeOf(first.secret)), 'wrong-code', 'replaced');
    assert.equal(await mfa.activate(await ada(), codeOf(second.secret)), 'activated');
    assert.equal(await mfa.activate(await ada(), codeOf(second.secret)), 'not-pending');
    await assert.rejects(
      mfa.create(await ada()),
      (error) => error instanceof ApiError && error.status === 409,
    );
    await clock.advance(STEP);
    assert.equal(await mfa.use(await ada(), codeOf(second.secret)), true);
  });

  test('codes of one step before and after are taken, of two are not', async () => {
    const { mfa, ada, codeOf, activate, clock } = await setUp();
    const { secret } = await activate();
    for (const [steps, good] of [
      [-2, false],
      [2, false],
      [-1, true],
      [1, true],
    ] as const) {
      assert.equal(await mfa.use(await ada(), codeOf(secret, steps)), good, String(steps));
      if (good) await clock.advance(5 * STEP);
    }
    for (const wrong of ['', '12345', '1234567', 'abcdef', '١٢٣٤٥٦', `${codeOf(secret)}0`]) {
      assert.equal(await mfa.use(await ada(), wrong), false, wrong);
    }
    const spaced = codeOf(secret).replace(/(...)(...)/, '$1 $2');
    assert.equal(await mfa.use(await ada(), spaced), true, 'as apps show it');
  });

  test('a code lets in once, also when two logins come at once, and no earlier one after it', async () => {
    const { mfa, ada, codeOf, activate, clock } = await setUp();
    const { secret } = await activate();
    const code = codeOf(secret);
    const user = await ada();
    const twice = await Promise.all([mfa.use(user, code), mfa.use(user, code), mfa.use(user, code)]);
    assert.equal(twice.filter(Boolean).length, 1);
    assert.equal(await mfa.use(user, codeOf(secret, -1)), false, 'earlier');
    assert.equal(await mfa.use(user, codeOf(secret, 1)), true);
    await clock.advance(STEP);
    assert.equal(await mfa.use(user, codeOf(secret)), false, 'that was used ahead of its time');
  });

  test('the code that activated the key does not let in too', async () => {
    const { mfa, ada, codeOf } = await setUp();
    const { secret } = await mfa.create(await ada());
    const code = codeOf(secret);
    await mfa.activate(await ada(), code);
    assert.equal(await mfa.use(await ada(), code), false);
  });

  test('each recovery code lets in once, however it is typed', async () => {
    const { mfa, ada, activate } = await setUp();
    const { recoveryCodes } = await activate();
    assert.equal(new Set(recoveryCodes).size, 10);
    const [first = '', second = '', third = ''] = recoveryCodes;
    assert.match(first, /^([A-Z2-7]{4}-){3}[A-Z2-7]{4}$/);
    const typed = ` ${first.toLowerCase().replaceAll('-', ' ')}`;
    const twice = await Promise.all([mfa.use(await ada(), typed), mfa.use(await ada(), first)]);
    assert.equal(twice.filter(Boolean).length, 1);
    assert.equal(await mfa.use(await ada(), second), true);
    assert.equal(await mfa.use(await ada(), second), false);
    assert.equal(await mfa.use(await ada(), third.slice(0, -1)), false);
    assert.equal((await ada()).mfa?.recoveryCodesLeft, 8);
  });

  test('the store has neither the secret nor a recovery code, and nothing outlives the user', async () => {
    const { registry, users, ada, activate } = await setUp();
    const { secret, recoveryCodes } = await activate();
    const stored = JSON.stringify(await Array.fromAsync(registry.list('')));
    for (const text of [secret, ...recoveryCodes.flatMap((code) => [code, code.replaceAll('-', '')])]) {
      assert.ok(!stored.includes(text));
    }
    await users.remove('ada');
    await users.create({ organisationId: 2, username: 'ada', sha1Hex: sha1Hex('y') });
    assert.equal((await ada()).mfa, undefined);
  });

  test('is removed by its id alone', async () => {
    const { mfa, ada, activate } = await setUp();
    const { key } = await activate();
    assert.equal(await mfa.remove(await ada(), key.id + 1), false);
    assert.equal(hasMfa(await ada()), true);
    assert.equal(await mfa.remove(await ada(), key.id), true);
    assert.equal(await mfa.remove(await ada()), false);
    assert.equal(hasMfa(await ada()), false);
  });
});
