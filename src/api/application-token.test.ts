import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sha1Hex } from '../auth/passwords.ts';
import { type AccountsFixture, ADA, setUpAccounts } from './accounts.fixture.ts';

const PATH = '/api/v1/application_token';

async function setUp() {
  const fixture = await setUpAccounts();
  return { fixture, token: await fixture.login(ADA) };
}

function create(fixture: AccountsFixture, token: string, body?: object) {
  return fixture.call('POST', PATH, { body, token });
}

describe('/api/v1/application_token', () => {
  test('a token is shown once and listed without it', async () => {
    const { fixture, token } = await setUp();
    const created = await create(fixture, token, {
      description: 'Billing',
      expiry_date: '2030-01-31T12:00:00+0100',
      ip: '192.0.2.0/24',
    });
    assert.equal(created.status, 200);
    const { id, application_token } = created.body;
    const list = await fixture.call('GET', PATH, { token });
    const ada = await fixture.accounts.users.find(ADA.username);
    assert.deepEqual(list.body, [
      {
        id,
        description: 'Billing',
        created: '2026-01-01T00:00:00.000Z',
        status: { id: 0, description: 'Activated' },
        expiry_date: '2030-01-31T11:00:00.000Z',
        ip: '192.0.2.0/24',
        creator: { id: ada?.id, name: 'Ada Lovelace', username: ADA.username },
      },
    ]);
    const auth = await fixture.login({ application_token });
    const my = await fixture.call('GET', '/api/v1/organisation/my', { token: auth });
    assert.equal(my.body.id, 1);
  });

  test('no body is needed, and an application may create another', async () => {
    const { fixture, token } = await setUp();
    const first = await create(fixture, token);
    const auth = await fixture.login({ application_token: first.body.application_token });
    await fixture.clock.advance(1);
    await create(fixture, auth, { description: 'second' });
    const [second] = (await fixture.call('GET', PATH, { token })).body;
    assert.equal(second.description, 'second');
    assert.deepEqual(second.creator, {
      id: first.body.id,
      name: `Application token ${first.body.id}`,
      username: `application:${first.body.id}`,
    });
    assert.ok(!('expiry_date' in second) && !('ip' in second), 'what was not given is left out');
  });

  test('dates are taken in the forms that ISO 8601 has', async () => {
    const { fixture, token } = await setUp();
    const dates = {
      '2030-01-31': '2030-01-31T00:00:00.000Z',
      '2030-01-31 10:00:00': '2030-01-31T10:00:00.000Z',
      '2030-01-31T10:00:00.5Z': '2030-01-31T10:00:00.500Z',
      '2030-01-31T10:00-02:00': '2030-01-31T12:00:00.000Z',
      '2030-01-31T10:00:00.000+0000': '2030-01-31T10:00:00.000Z',
      '2028-02-29': '2028-02-29T00:00:00.000Z',
    };
    for (const [given, expected] of Object.entries(dates)) {
      assert.equal(
        (await create(fixture, token, { description: given, expiry_date: given })).status,
        200,
        given,
      );
      const list: { description: string; expiry_date: string }[] = (
        await fixture.call('GET', PATH, { token })
      ).body;
      assert.equal(list.find(({ description }) => description === given)?.expiry_date, expected, given);
    }
  });

  test('bad dates and addresses are 422, several at once are all named', async () => {
    const { fixture, token } = await setUp();
    const dates = [
      'tomorrow',
      '',
      '2030-02-30',
      '2030-13-01',
      '2030-01-31T25:00:00Z',
      '31.01.2030',
      '1900000000',
    ];
    for (const expiry_date of dates) {
      const answer = await create(fixture, token, { expiry_date });
      assert.deepEqual([answer.status, answer.body.error_code], [422, 1403], expiry_date);
      assert.match(answer.body.message, /^\/expiry_date/);
    }
    const past = await create(fixture, token, { expiry_date: '2026-01-01T00:00:00Z' });
    assert.deepEqual([past.status, past.body.error_code], [422, 1404]);
    for (const ip of ['', '300.1.1.1', '192.0.2.0/33', 'example.org']) {
      const answer = await create(fixture, token, { ip });
      assert.deepEqual([answer.status, answer.body.error_code], [422, 1403], ip);
    }
    const both = await create(fixture, token, { ip: 'x', expiry_date: 'x' });
    assert.deepEqual([both.status, both.body.error_code, both.body.errors.length], [422, 1400, 2]);
    assert.deepEqual((await fixture.call('GET', PATH, { token })).body, []);
  });

  test('PATCH describes, and revokes for good: calls are refused at once', async () => {
    const { fixture, token } = await setUp();
    const { id, application_token } = (await create(fixture, token)).body;
    const auth = await fixture.login({ application_token });
    const patch = (body: object, of: number | string = id) =>
      fixture.call('PATCH', `${PATH}/${of}`, { body, token });
    assert.deepEqual(await patch({ description: 'x' }), {
      status: 204,
      body: undefined,
      retryAfter: undefined,
    });
    assert.equal((await fixture.call('GET', PATH, { token: auth })).body[0].description, 'x');
    assert.equal((await patch({ status: { id: 0 } })).status, 204);
    assert.equal((await patch({ status: { id: 1 } })).status, 204);
    const refused = await fixture.call('GET', PATH, { token: auth });
    assert.deepEqual([refused.status, refused.body.error_code], [401, 1102]);
    const [listed] = (await fixture.call('GET', PATH, { token })).body;
    assert.deepEqual(listed.status, { id: 1, description: 'Revoked' });
    const again = await patch({ status: { id: 0 } });
    assert.deepEqual([again.status, again.body.error_code], [422, 1406]);
    const other = await patch({ status: { id: 2 } });
    assert.deepEqual([other.status, other.body.error_code], [422, 1404]);
    const unknown = await patch({ description: 'x' }, 4711);
    assert.deepEqual([unknown.status, unknown.body.error_code], [404, 1201]);
    const text = await patch({ description: 'x' }, 'abc');
    assert.deepEqual([text.status, text.body.error_code], [400, 1000]);
  });

  test('another organisation sees and changes nothing', async () => {
    const { fixture, token } = await setUp();
    const { id } = (await create(fixture, token)).body;
    const { application_token } = (await fixture.operator('POST', '/organisations/2/application_tokens'))
      .body;
    const other = await fixture.login({ application_token });
    const list = (await fixture.call('GET', PATH, { token: other })).body;
    assert.ok(list.length === 1 && list[0].id !== id);
    assert.deepEqual(list[0].creator, { id: 0, name: 'Operator', username: 'operator' });
    const patch = await fixture.call('PATCH', `${PATH}/${id}`, { body: { status: { id: 1 } }, token: other });
    assert.equal(patch.status, 404);
  });

  test('observers read and do not write', async () => {
    const { fixture } = await setUp();
    await fixture.operator('POST', '/organisations/1/users', {
      username: 'eve',
      password: 'x',
      role: 'observer',
    });
    const token = await fixture.login({ username: 'eve', password: sha1Hex('x') });
    assert.equal((await fixture.call('GET', PATH, { token })).status, 200);
    assert.equal((await create(fixture, token)).status, 403);
    assert.equal((await fixture.call('PATCH', `${PATH}/1`, { body: {}, token })).status, 403);
  });
});
