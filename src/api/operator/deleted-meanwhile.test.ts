import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { createAccounts } from '../../auth/accounts.ts';
import { secretOf } from '../../auth/secret.ts';
import { systemRandom } from '../../lib/system-clock.ts';
import type { WriteOutcome } from '../../registry/registry.ts';
import { type ApiFixture, OPERATOR_TOKEN, STREAM, setUpApi } from '../api.fixture.ts';
import { finishDeletions } from './delete-organisation.ts';

/** Something of an organisation is stored while the operator deletes it: it must not be there for whoever gets the id next. */

let api: ApiFixture;
beforeEach(async () => {
  api = await setUpApi();
});
afterEach(() => api.close());

const ORGANISATIONS = '/operator/v1/organisations';
const operator = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) =>
  api.call(method, `${ORGANISATIONS}${path}`, { token: OPERATOR_TOKEN, ...(body ? { body } : {}) });

/** Organisation 1 is deleted once, around the next write of a key with this prefix. */
function deleteAround(prefix: string, when: 'before' | 'after'): void {
  const { registry } = api;
  const put = registry.put.bind(registry);
  let done = false;
  const remove = async () => {
    done = true;
    assert.equal((await operator('DELETE', '/1')).status, 200);
  };
  registry.put = async (key, ...rest): Promise<WriteOutcome> => {
    const meant = !done && key.startsWith(`${prefix}.`);
    if (meant && when === 'before') await remove();
    const outcome = await put(key, ...rest);
    if (meant && when === 'after') await remove();
    return outcome;
  };
}

const creations: readonly (readonly [string, string, () => Promise<{ readonly status: number }>])[] = [
  ['a data stream', 'stream', () => api.call('POST', '/api/v2/data_stream', { token: 'ada', body: STREAM })],
  [
    'an application token',
    'application_token',
    () => api.call('POST', '/api/v1/application_token', { token: 'ada', body: {} }),
  ],
  [
    'an application token by the operator',
    'application_token',
    () => operator('POST', '/1/application_tokens', {}),
  ],
  [
    'a user by the operator',
    'user',
    () => operator('POST', '/1/users', { username: 'late', password: 'a long password' }),
  ],
  ['a child', 'organisation', () => operator('POST', '', { id: 77, name: 'Child', parent_id: 1 })],
];
for (const [what, prefix, create] of creations)
  for (const when of ['before', 'after'] as const)
    test(`${what}, stored just ${when === 'after' ? 'before' : 'after'} the deletion, is gone`, async () => {
      // A child that is stored before makes the parent one that cannot be deleted.
      if (what === 'a child' && when === 'after') return;
      deleteAround(prefix, when);
      const { status } = await create();
      assert.ok([401, 404, 422].includes(status), String(status));
      assert.equal((await operator('POST', '', { id: 1, name: 'Another' })).status, 201);
      for await (const { key } of api.registry.list(''))
        assert.doesNotMatch(
          key,
          /^(stream|application_token|user)\.1\.|^user\.bGF0ZQ|^organisation\.77/,
          key,
        );
    });

test('an organisation that is being deleted is in nobody’s use, and the deletion can be made again', async () => {
  const { registry } = api;
  const stored = await registry.get('organisation.1');
  await registry.put('organisation.1', { ...(stored?.value as object), deleting: true });
  assert.equal((await operator('GET', '/1')).status, 404);
  assert.equal((await operator('POST', '/1/application_tokens', {})).status, 404);
  assert.equal((await operator('POST', '', { id: 1, name: 'Another' })).status, 409);
  assert.equal((await operator('DELETE', '/1')).status, 200);
  assert.equal((await operator('DELETE', '/1')).status, 404);
});

test('an organisation with children is as it was after its deletion was refused', async () => {
  assert.equal((await operator('POST', '', { id: 77, name: 'Child', parent_id: 1 })).status, 201);
  assert.equal((await operator('DELETE', '/1')).status, 409);
  assert.equal((await operator('GET', '/1')).status, 200);
  assert.equal((await operator('POST', '/1/application_tokens', {})).status, 201);
});

describe('what a crash left of an organisation that was deleted', () => {
  /** A creation stored this after the deletion had looked, and the node ended before the creation looked again. */
  const leaveBehind = async () => {
    assert.equal((await api.call('POST', '/api/v2/data_stream', { token: 'ada', body: STREAM })).status, 201);
    assert.equal((await operator('POST', '/1/application_tokens', {})).status, 201);
    const user = { username: 'left', password: 'a long password' };
    assert.equal((await operator('POST', '/1/users', user)).status, 201);
    await api.registry.delete('organisation.1');
  };
  const keysLeft = async () =>
    (await Array.fromAsync(api.registry.list('')))
      .map(({ key }) => key)
      .filter((key) =>
        /^(stream|application_token|organisation_user|history|notification)\.1(\.|$)/.test(key),
      );

  test('goes when the deletion is made again', async () => {
    await leaveBehind();
    const { status, body } = await operator('DELETE', '/1');
    assert.deepEqual([status, body.data_streams], [200, 1]);
    assert.ok(body.application_tokens > 0 && body.users > 0);
    assert.deepEqual(await keysLeft(), []);
    assert.equal((await operator('DELETE', '/1')).status, 404);
  });

  test('is not there for the next organisation of this id, which nobody uses before', async () => {
    await leaveBehind();
    const { registry } = api;
    const removed = registry.delete.bind(registry);
    const whileCleared: number[] = [];
    registry.delete = async (key, ...rest) => {
      if (key.startsWith('stream.1.'))
        whileCleared.push((await operator('POST', '/1/application_tokens', {})).status);
      return removed(key, ...rest);
    };
    assert.equal((await operator('POST', '', { id: 1, name: 'Another' })).status, 201);
    assert.deepEqual(whileCleared, [404]);
    assert.deepEqual(await keysLeft(), []);
    assert.equal((await operator('GET', '/1')).body.name, 'Another');
    assert.equal((await operator('POST', '/1/application_tokens', {})).status, 201);
  });

  test('goes at the next start, and a deletion that was interrupted is finished', async () => {
    await leaveBehind();
    const { registry, clock } = api;
    const secrets = { current: secretOf(Buffer.alloc(32, 1)) };
    const accounts = createAccounts({ registry, secrets, clock, random: systemRandom });
    const { organisations } = accounts;
    const parts = { ...accounts, registry, clock, retentionMs: 1 };
    for (const [id, parent_id] of [
      [55, undefined],
      [66, undefined],
      [67, 66],
    ] as const) {
      await operator('POST', '', { id, name: 'A', ...(parent_id ? { parent_id } : {}) });
      if (id !== 67) await organisations.markDeleting(id, true);
      if (id === 66) await organisations.markDeleting(66, false);
    }
    await organisations.markDeleting(66, true);
    assert.deepEqual(await finishDeletions(parts, [1, 66]), [55, 1]);
    assert.deepEqual(await keysLeft(), []);
    assert.equal((await operator('GET', '/55')).status, 404);
    assert.equal((await operator('GET', '/66')).status, 200, 'it has a child: its deletion is refused');
    assert.deepEqual(await finishDeletions(parts, [66]), []);
  });
});
