import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ApiError } from '../errors.ts';
import { ManualClock, seededRandom } from '../lib/manual-clock.fixture.ts';
import { createMemoryRegistry } from '../registry/memory.ts';
import { type Json, keyToken, registryKey } from '../registry/registry.ts';
import { createOrganisations } from './organisations.ts';
import { createPasswords, sha1Hex } from './passwords.ts';
import { createUsers, MOST_USERS } from './users.ts';

const random = seededRandom(1);
const QUICK = { memory: 64, passes: 1 };
const PASSWORD = sha1Hex('correct horse');

function setUp(registry = createMemoryRegistry(), costs = QUICK) {
  const clock = new ManualClock();
  return { registry, users: createUsers(registry, createPasswords(random, costs), clock, random) };
}

describe('users', () => {
  test('are found whatever the case, and their names are unique in the installation', async () => {
    const { users } = setUp();
    const ada = await users.create({ organisationId: 1, username: 'Ada@Example.org', sha1Hex: PASSWORD });
    assert.ok(typeof ada === 'object');
    assert.deepEqual(
      [ada.username, ada.name, ada.role],
      ['Ada@Example.org', 'Ada@Example.org', 'administrator'],
    );
    assert.equal((await users.find('ada@example.ORG'))?.id, ada.id);
    assert.equal(
      await users.create({ organisationId: 2, username: 'ADA@example.org', sha1Hex: PASSWORD }),
      'taken',
    );
    assert.equal((await users.find('Ada@Example.org'))?.organisationId, 1);
    for (const nobody of ['', 'ada', 'x'.repeat(1000), 'ü'.repeat(150), '../etc', 'a.b*c>']) {
      assert.equal(await users.find(nobody), undefined);
    }
  });

  test('are at most a thousand in an organisation; one that goes makes room', async () => {
    const { registry, users } = setUp();
    const name = (at: number) => `user-${at}`;
    const template = await users.create({ organisationId: 1, username: 'first', sha1Hex: PASSWORD });
    // Written as documents: a thousand passwords would take long.
    await registry.putMany(
      Array.from({ length: MOST_USERS - 1 }, (_, at) => name(at)).flatMap((username) => [
        { key: registryKey('organisation_user', 1, keyToken(username)), value: { username } },
        {
          key: registryKey('user', keyToken(username)),
          value: { ...(template as unknown as { [key: string]: Json }), username },
        },
      ]),
    );
    const create = (username: string, organisationId = 1) =>
      users.create({ organisationId, username, sha1Hex: PASSWORD });
    assert.equal(await create('one more'), 'too-many');
    assert.equal(typeof (await create('elsewhere', 2)), 'object');
    await users.remove(name(5));
    assert.equal(typeof (await create('one more')), 'object');
    assert.equal(await create('another'), 'too-many');
  });

  test('created twice at once, exist once', async () => {
    const { users } = setUp();
    const made = await Promise.all(
      [1, 2, 3].map((organisationId) => users.create({ organisationId, username: 'ada', sha1Hex: PASSWORD })),
    );
    const winners = made.filter((user) => user !== 'taken');
    assert.equal(winners.length, 1);
    const lists = await Promise.all([1, 2, 3].map((id) => Array.fromAsync(users.list(id))));
    assert.deepEqual(lists.flat(), winners);
  });

  test('are listed by organisation', async () => {
    const { users } = setUp();
    for (const [organisationId, username] of [
      [1, 'ada'],
      [1, 'bob'],
      [11, 'eve'],
    ] as const) {
      await users.create({ organisationId, username, sha1Hex: PASSWORD });
    }
    const names = async (id: number) => (await Array.fromAsync(users.list(id))).map((user) => user.username);
    assert.deepEqual((await names(1)).sort(), ['ada', 'bob']);
    assert.equal(await users.remove('ADA'), true);
    assert.equal(await users.remove('ada'), false);
    assert.deepEqual(await names(1), ['bob']);
    assert.deepEqual(await names(11), ['eve']);
    assert.deepEqual(await names(2), []);
  });

  test('are found in their organisation by id and by name, also those whose list entry has no id', async () => {
    const { registry, users } = setUp();
    const made = [];
    for (const username of ['ada', 'bob', '12345']) {
      made.push(await users.create({ organisationId: 1, username, sha1Hex: PASSWORD }));
    }
    const [ada, bob, digits] = made;
    assert.ok(typeof ada === 'object' && typeof bob === 'object' && typeof digits === 'object');
    await registry.put(registryKey('organisation_user', 1, keyToken('bob')), { username: 'bob' });
    assert.equal((await users.findIn(1, String(ada.id)))?.username, 'ada');
    assert.equal((await users.findIn(1, String(bob.id)))?.username, 'bob');
    assert.equal((await users.findIn(1, '12345'))?.id, digits.id, 'a name first');
    assert.equal((await users.findIn(1, 'ADA'))?.id, ada.id);
    for (const id of [String(ada.id), 'ada']) assert.equal(await users.findIn(2, id), undefined);
    for (const id of ['0', '-1', '1e3', '', '99999999999'])
      assert.equal(await users.findIn(1, id), undefined);
  });

  test('pass the check with their own password while they are active', async () => {
    const { users } = setUp();
    await users.create({ organisationId: 1, username: 'ada', sha1Hex: PASSWORD });
    assert.equal((await users.check('Ada', PASSWORD))?.username, 'ada');
    assert.equal(await users.check('ada', sha1Hex('wrong')), undefined);
    assert.equal(await users.check('bob', PASSWORD), undefined);
    await users.change('ada', { status: 'disabled' });
    assert.equal(await users.check('ada', PASSWORD), undefined);
    await users.change('ada', { status: 'active' });
    assert.ok(await users.check('ada', PASSWORD));
  });

  test('get a new credentials version with a new password or when disabled, not with a new name', async () => {
    const { users } = setUp();
    await users.create({ organisationId: 1, username: 'ada', sha1Hex: PASSWORD });
    const version = async (change: Parameters<typeof users.change>[1]) =>
      (await users.change('ada', change))?.credentialsVersion;
    assert.equal(await version({ name: 'Ada L.', role: 'observer' }), 1);
    assert.equal(await version({ sha1Hex: sha1Hex('new') }), 2);
    assert.equal(await version({ status: 'disabled' }), 3);
    assert.equal(await users.change('bob', { name: 'Bob' }), undefined);
    assert.deepEqual((await users.find('ada'))?.name, 'Ada L.');
  });

  test('get a hash of the present costs at their next login, and keep their sessions', async () => {
    const { registry, users } = setUp();
    await users.create({ organisationId: 1, username: 'ada', sha1Hex: PASSWORD });
    const stronger = setUp(registry, { memory: 128, passes: 1 }).users;
    assert.ok(await stronger.check('ada', PASSWORD));
    const ada = await stronger.find('ada');
    assert.match(ada?.passwordHash ?? '', /m=128,/);
    assert.equal(ada?.credentialsVersion, 1);
    assert.ok(await stronger.check('ada', PASSWORD));
  });

  test('what is stored has neither the password nor its SHA-1', async () => {
    const { registry, users } = setUp();
    await users.create({ organisationId: 1, username: 'ada', sha1Hex: PASSWORD });
    const documents = JSON.stringify(await Array.fromAsync(registry.list('')));
    assert.ok(documents.includes('argon2id') && !documents.includes(PASSWORD));
  });

  test('a registry that cannot store is Busy, not a user', async () => {
    const registry = createMemoryRegistry({ sync: () => Promise.reject(new Error('disk full')) });
    const { users } = setUp(registry);
    await assert.rejects(
      users.create({ organisationId: 1, username: 'ada', sha1Hex: PASSWORD }),
      (error) => error instanceof ApiError && error.token === 'Busy',
    );
  });
});

describe('organisations', () => {
  const create = () => createOrganisations(createMemoryRegistry(), new ManualClock(), seededRandom(2));

  test('know their parent and their root', async () => {
    const organisations = create();
    await organisations.create({ id: 1, name: 'Root' });
    await organisations.create({ id: 2, name: 'Child', parentId: 1 });
    await organisations.create({ id: 3, name: 'Grandchild', parentId: 2 });
    const created = new Date(Date.UTC(2026, 0, 1)).toISOString();
    assert.deepEqual(await organisations.get(1), { id: 1, name: 'Root', parentId: null, rootId: 1, created });
    assert.deepEqual(await organisations.get(3), {
      id: 3,
      name: 'Grandchild',
      parentId: 2,
      rootId: 1,
      created,
    });
    assert.equal((await Array.fromAsync(organisations.list())).length, 3);
  });

  test('take an id once, need a parent that exists, and get an id of their own', async () => {
    const organisations = create();
    await organisations.create({ id: 1, name: 'First' });
    assert.deepEqual(await organisations.create({ id: 1, name: 'Second' }), { type: 'taken' });
    assert.deepEqual(await organisations.create({ id: 5, name: 'Orphan', parentId: 4 }), {
      type: 'no-parent',
    });
    assert.deepEqual(await organisations.create({ id: 5, name: 'Own parent', parentId: 5 }), {
      type: 'no-parent',
    });
    assert.equal(await organisations.get(5), undefined);
    assert.equal((await organisations.get(1))?.name, 'First');
    const chosen = await organisations.create({ name: 'Any' });
    assert.ok(chosen.type === 'created' && Number.isSafeInteger(chosen.organisation.id));
    assert.equal(chosen.organisation.rootId, chosen.organisation.id);
  });
});
