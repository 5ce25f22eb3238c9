import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ApiError } from '../errors.ts';
import { ManualClock, seededRandom } from '../lib/manual-clock.fixture.ts';
import { createMemoryRegistry } from '../registry/memory.ts';
import type { Json } from '../registry/registry.ts';
import { createLogins } from './lockout.ts';
import { createPasswords, sha1Hex } from './passwords.ts';
import { createUsers, type UserDocument, userKey } from './users.ts';

const RIGHT = sha1Hex('right');
const WRONG = sha1Hex('wrong');

async function setUp() {
  const clock = new ManualClock();
  const registry = createMemoryRegistry();
  const random = seededRandom(1);
  const users = createUsers(registry, createPasswords(random, { memory: 64, passes: 1 }), clock, random);
  await users.create({ organisationId: 1, username: 'ada', sha1Hex: RIGHT });
  const logins = createLogins(registry, users, clock);
  const types = async (...passwords: string[]) => {
    const outcomes: string[] = [];
    for (const password of passwords) outcomes.push((await logins.login('ada', password)).type);
    return outcomes;
  };
  return { clock, registry, users, logins, types };
}

describe('lockout', () => {
  test('three failures in a row lock the name for five minutes, for the right password too', async () => {
    const { clock, logins, types } = await setUp();
    assert.deepEqual(await types(WRONG, WRONG, WRONG, RIGHT, WRONG), [
      'refused',
      'refused',
      'refused',
      'locked',
      'locked',
    ]);
    assert.deepEqual(await logins.login('ADA', RIGHT), { type: 'locked', retryAfter: 300 });
    await clock.advance(299_999);
    assert.deepEqual(await logins.login('ada', RIGHT), { type: 'locked', retryAfter: 1 });
    await clock.advance(1);
    assert.deepEqual(await types(WRONG, WRONG, RIGHT), ['refused', 'refused', 'accepted']);
  });

  test('a clock that is set back keeps nobody out for longer', async () => {
    for (const hours of [1, 24, 24 * 365]) {
      const { clock, types } = await setUp();
      await types(WRONG, WRONG, WRONG);
      clock.jump(-hours * 3_600_000);
      assert.deepEqual(await types(RIGHT), ['accepted'], `${hours} h`);
    }
    const { clock, logins, types } = await setUp();
    await types(WRONG, WRONG, WRONG);
    clock.jump(-60_000);
    assert.deepEqual(await logins.login('ada', RIGHT), { type: 'locked', retryAfter: 300 });
    await clock.advance(360_000);
    assert.deepEqual(await types(RIGHT), ['accepted']);
  });

  test('a success in between starts the count anew', async () => {
    const { types } = await setUp();
    const pattern = [WRONG, WRONG, RIGHT];
    const outcomes = ['refused', 'refused', 'accepted'];
    assert.deepEqual(await types(...pattern, ...pattern), [...outcomes, ...outcomes]);
  });

  test('a name that nobody has reads and writes as much as one that somebody has', async () => {
    const { registry, users, clock } = await setUp();
    const calls: string[] = [];
    const counted = new Proxy(registry, {
      get: (target, name: keyof typeof registry) =>
        typeof target[name] === 'function'
          ? (...args: never[]) => {
              calls.push(name);
              return (target[name] as (...args: never[]) => unknown)(...args);
            }
          : target[name],
    });
    const logins = createLogins(counted, users, clock);
    const effortOf = async (name: string) => {
      calls.length = 0;
      await logins.login(name, WRONG);
      return [...calls];
    };
    const known = await effortOf('ada');
    assert.ok(known.includes('put'));
    assert.deepEqual(await effortOf('nobody'), known);
    for (let n = 0; n < 100; n++) await logins.login(`nobody-${n}`, WRONG);
    const documents = await Array.fromAsync(registry.list('login'));
    assert.ok(documents.length <= 17, 'invented names do not fill the registry');
  });

  test('a name costs the same number of password hashes, whoever has it', async () => {
    const { registry, clock } = await setUp();
    const hashes: string[] = [];
    const random = seededRandom(2);
    const passwords = createPasswords(random, { memory: 64, passes: 1 });
    const counted: typeof passwords = {
      ...passwords,
      hash: (text) => {
        hashes.push('hash');
        return passwords.hash(text);
      },
      verify: (hashed, text) => {
        hashes.push('verify');
        return passwords.verify(hashed, text);
      },
    };
    const users = createUsers(registry, counted, clock, random);
    for (const username of ['disabled', 'with-mfa']) {
      await users.create({ organisationId: 1, username, sha1Hex: RIGHT });
    }
    await users.change('disabled', { status: 'disabled' });
    const key = userKey('with-mfa') as string;
    const mfa = {
      id: 1,
      status: 'active',
      sealed: '',
      recoveryCodesLeft: 0,
      lastStep: 0,
      created: '',
      activated: '',
    };
    await registry.put(key, { ...((await registry.get(key))?.value as { [name: string]: Json }), mfa });
    const logins = createLogins(registry, users, clock);
    for (const name of ['ada', 'nobody', 'disabled', 'with-mfa', '', 'x'.repeat(2_000), 'nobody']) {
      hashes.length = 0;
      await logins.login(name, WRONG);
      assert.deepEqual(hashes, ['verify'], name);
    }
    // Not even the right password of a user who is disabled.
    hashes.length = 0;
    assert.equal((await logins.login('disabled', RIGHT)).type, 'refused');
    assert.deepEqual(hashes, ['verify']);
    for (const name of ['ada', 'nobody']) {
      for (let at = 0; at < 3; at++) await logins.login(name, WRONG);
      hashes.length = 0;
      assert.equal((await logins.login(name, WRONG)).type, 'locked');
      assert.deepEqual(hashes, [], `${name}, locked`);
    }
  });

  test('wrong codes count with wrong passwords, and only a right code forgets them', async () => {
    const { registry, users, logins, types } = await setUp();
    const key = userKey('ada') as string;
    const mfa = {
      id: 1,
      status: 'active',
      sealed: '',
      recoveryCodesLeft: 0,
      lastStep: 0,
      created: '',
      activated: '',
    };
    await registry.put(key, { ...((await registry.get(key))?.value as { [name: string]: Json }), mfa });
    const ada = (await users.find('ada')) as UserDocument;
    const confirm = async (good: boolean) => (await logins.confirm(ada, async () => good)).type;
    assert.deepEqual(await types(RIGHT, WRONG, RIGHT), ['accepted', 'refused', 'accepted']);
    assert.deepEqual([await confirm(false), await confirm(true)], ['refused', 'accepted']);
    assert.deepEqual([await confirm(false), await confirm(false)], ['refused', 'refused']);
    assert.deepEqual(await types(RIGHT), ['accepted']);
    assert.deepEqual([await confirm(false), await confirm(true)], ['refused', 'locked']);
    assert.deepEqual(await types(RIGHT), ['locked']);
  });

  test('a name that nobody has is answered the same way', async () => {
    const { clock, logins } = await setUp();
    const outcomes: string[] = [];
    for (let attempt = 0; attempt < 4; attempt++) outcomes.push((await logins.login('Nobody', WRONG)).type);
    assert.deepEqual(outcomes, ['refused', 'refused', 'refused', 'locked']);
    await clock.advance(300_000);
    assert.equal((await logins.login('nobody', WRONG)).type, 'refused');
  });

  test('guesses at once are counted one after the other', async () => {
    const { logins } = await setUp();
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => logins.login('ada', WRONG)));
    assert.equal(outcomes.filter((outcome) => outcome.type === 'refused').length, 3);
  });

  test('logins with the right password at once do not lock each other out', async () => {
    const { logins } = await setUp();
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => logins.login('ada', RIGHT)));
    assert.ok(outcomes.every((outcome) => outcome.type === 'accepted'));
  });

  test('holds on another node and after a restart', async () => {
    const { clock, registry, users, types } = await setUp();
    await types(WRONG, WRONG, WRONG);
    const other = createLogins(registry, users, clock);
    assert.equal((await other.login('ada', RIGHT)).type, 'locked');
  });

  test('guesses at several nodes at once are all counted', async () => {
    const { clock, registry, users, types } = await setUp();
    const nodes = [1, 2, 3].map(() => createLogins(registry, users, clock));
    const outcomes = await Promise.all(nodes.map((node) => node.login('ada', WRONG)));
    assert.deepEqual(
      outcomes.map(({ type }) => type),
      ['refused', 'refused', 'refused'],
    );
    assert.deepEqual(await types(RIGHT), ['locked']);
  });

  test('names that nobody has leave none of themselves in the registry', async () => {
    const { registry, logins } = await setUp();
    const before = (await Array.fromAsync(registry.list(''))).length;
    for (const name of ['eve', 'mallory', '', 'x'.repeat(2000)]) await logins.login(name, WRONG);
    const after = await Array.fromAsync(registry.list(''), ({ key }) => key);
    assert.ok(after.filter((key) => !key.startsWith('login.nobody.')).length === before, after.join());
  });

  test('too many at once are told to come back', async () => {
    const { logins } = await setUp();
    const all = await Promise.allSettled(Array.from({ length: 250 }, () => logins.login('ada', WRONG)));
    const refused = all.filter((outcome) => outcome.status === 'rejected');
    assert.equal(refused.length, 50);
    assert.ok(refused.every(({ reason }) => reason instanceof ApiError && reason.token === 'Busy'));
    assert.equal((await logins.login('ada', RIGHT)).type, 'locked', 'and then it goes on');
  });
});
