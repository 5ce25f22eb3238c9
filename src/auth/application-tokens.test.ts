import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock, seededRandom } from '../lib/manual-clock.fixture.ts';
import { createMemoryRegistry } from '../registry/memory.ts';
import { type ApplicationTokenDocument, createApplicationTokens } from './application-tokens.ts';

const creator = { id: 1, name: 'Ada', username: 'ada' };

function setUp() {
  const clock = new ManualClock();
  const registry = createMemoryRegistry();
  return { clock, registry, applicationTokens: createApplicationTokens(registry, clock, seededRandom(1)) };
}

describe('application tokens', () => {
  test('are found by what was shown once, of which nothing is stored', async () => {
    const { registry, applicationTokens } = setUp();
    const { document, token } = await applicationTokens.create({ organisationId: 70412, creator });
    assert.match(token, /^ssapp_70412_\d+_[A-Za-z0-9_-]{43}$/);
    assert.deepEqual(await applicationTokens.find(token), document);
    const stored = JSON.stringify(await Array.fromAsync(registry.list('')));
    assert.ok(!stored.includes(token.slice(-43)));
  });

  test('are not found when anything about them is different', async () => {
    const { applicationTokens } = setUp();
    const { document, token } = await applicationTokens.create({ organisationId: 70412, creator });
    const other = (await applicationTokens.create({ organisationId: 70412, creator })).token;
    const wrong = [
      '',
      'x',
      token.slice(0, -1),
      `${token}A`,
      ` ${token}`,
      token.replace('70412', '70413'),
      token.replace(String(document.id), String(document.id + 1)),
      `ssapp_70412_${document.id}_${other.slice(-43)}`,
      `ssapp_9999999999999999_1_${token.slice(-43)}`,
    ];
    for (const text of wrong) assert.equal(await applicationTokens.find(text), undefined, text);
  });

  test('are listed newest first, by organisation', async () => {
    const { clock, applicationTokens } = setUp();
    for (const description of ['first', 'second']) {
      await applicationTokens.create({ organisationId: 1, description, creator });
      await clock.advance(1);
    }
    await applicationTokens.create({ organisationId: 11, description: 'another', creator });
    const list = await applicationTokens.list(1);
    assert.deepEqual(
      list.map(({ description }) => description),
      ['second', 'first'],
    );
  });

  test('are revoked for good', async () => {
    const { applicationTokens } = setUp();
    const { document } = await applicationTokens.create({ organisationId: 1, description: 'a', creator });
    const { id } = document;
    assert.equal(await applicationTokens.change(1, id, { status: 'activated' }), 'changed');
    assert.equal(
      await applicationTokens.change(2, id, { status: 'revoked' }),
      'unknown',
      'of another organisation',
    );
    assert.equal(await applicationTokens.change(1, id, { status: 'revoked' }), 'changed');
    assert.equal(await applicationTokens.change(1, id, { status: 'revoked' }), 'changed', 'again');
    assert.equal(await applicationTokens.change(1, id, { status: 'activated' }), 'revoked-for-good');
    assert.equal(await applicationTokens.change(1, id, { description: 'b' }), 'changed');
    const after = (await applicationTokens.get(1, id)) as ApplicationTokenDocument;
    assert.deepEqual([after.status, after.description], ['revoked', 'b']);
    assert.equal(applicationTokens.stateOf(after, '192.0.2.1'), 'revoked');
  });

  test('are usable until they expire, from where they are for', async () => {
    const { clock, applicationTokens } = setUp();
    const { document } = await applicationTokens.create({
      organisationId: 1,
      expiresAt: clock.now() + 1000,
      ip: '192.0.2.0/24',
      creator,
    });
    assert.equal(applicationTokens.stateOf(document, '::ffff:192.0.2.9'), 'usable');
    assert.equal(applicationTokens.stateOf(document, '198.51.100.1'), 'forbidden-address');
    await clock.advance(999);
    assert.equal(applicationTokens.stateOf(document, '192.0.2.9'), 'usable');
    await clock.advance(1);
    assert.equal(applicationTokens.stateOf(document, '192.0.2.9'), 'expired');
  });
});
