import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ApiError } from '../errors.ts';
import { seededRandom } from '../lib/manual-clock.fixture.ts';
import { createPasswords, createTurnstile, DEFAULT_COSTS, sha1Hex } from './passwords.ts';

const QUICK = { memory: 64, passes: 1 };
const PASSWORD = sha1Hex('correct horse');

describe('passwords', () => {
  test('the SHA-1 is what clients of the authenticate call send', () => {
    assert.equal(sha1Hex('password'), '5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8');
  });

  test('are kept as Argon2id with the costs asked for, salted', async () => {
    const passwords = createPasswords(seededRandom(1), QUICK);
    const hashed = await passwords.hash(PASSWORD);
    assert.match(hashed, /^\$argon2id\$v=19\$m=64,t=1,p=1\$/);
    assert.notEqual(hashed, await passwords.hash(PASSWORD));
    assert.match(
      await createPasswords(seededRandom(1)).hash(PASSWORD),
      /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/,
    );
  });

  test('match themselves only, and nobody matches nothing', async () => {
    const passwords = createPasswords(seededRandom(1), QUICK);
    const hashed = await passwords.hash(PASSWORD);
    assert.equal(await passwords.verify(hashed, PASSWORD), true);
    assert.equal(await passwords.verify(hashed, PASSWORD.toUpperCase()), false);
    assert.equal(await passwords.verify(hashed, ''), false);
    assert.equal(await passwords.verify(undefined, PASSWORD), false);
  });

  test('a hash of other costs still verifies and is known as outdated', async () => {
    const hashed = await createPasswords(seededRandom(1), QUICK).hash(PASSWORD);
    const stronger = createPasswords(seededRandom(1), { memory: 128, passes: 1 });
    assert.equal(await stronger.verify(hashed, PASSWORD), true);
    assert.equal(stronger.isOutdated(hashed), true);
    assert.equal(stronger.isOutdated(await stronger.hash(PASSWORD)), false);
    assert.ok(DEFAULT_COSTS.memory >= 19_456 && DEFAULT_COSTS.passes >= 2);
  });
});

describe('turnstile', () => {
  test('lets so many in at once, keeps the order of the others and refuses beyond', async () => {
    const inTurn = createTurnstile(2, 3);
    const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
    const started: number[] = [];
    const jobs = gates.map((gate, index) =>
      inTurn(async () => {
        started.push(index);
        await gate.promise;
      }),
    );
    assert.deepEqual(started, [0, 1]);
    await assert.rejects(
      inTurn(async () => undefined),
      (error) => error instanceof ApiError && error.token === 'Busy' && error.status === 503,
    );
    gates[1]?.resolve();
    await jobs[1];
    gates[2]?.resolve();
    await jobs[2];
    assert.deepEqual(started, [0, 1, 2, 3]);
    for (const gate of gates) gate.resolve();
    await Promise.all(jobs);
    assert.deepEqual(started, [0, 1, 2, 3, 4]);
    assert.equal(await inTurn(async () => 'free again'), 'free again');
  });

  test('a job that fails makes room too', async () => {
    const inTurn = createTurnstile(1, 0);
    await assert.rejects(inTurn(() => Promise.reject(new Error('no'))));
    assert.equal(await inTurn(async () => 1), 1);
  });
});
