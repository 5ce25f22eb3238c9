import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha1Hex } from '../auth/passwords.ts';
import { HISTORY, streamKey } from '../registry/data-stream.ts';
import type { Json, Registry } from '../registry/registry.ts';
import { ADA, setUpAccounts } from './accounts.fixture.ts';
import { setUpApi } from './api.fixture.ts';

/** Two clients change the same at the same moment: each change is made, or its client is told that it was not. */

const V1 = '/api/v1/data_stream';
const V2 = '/api/v2/data_stream';

/** Runs once, right before the stream is stored the next time: what a call on another node has done meanwhile. */
function setUp() {
  const meanwhile: { run?: (registry: Registry) => Promise<unknown> } = {};
  const beforePut = async (key: string, registry: Registry) => {
    const { run } = meanwhile;
    if (!run || !key.startsWith('stream.')) return;
    delete meanwhile.run;
    await run(registry);
  };
  return { meanwhile, start: () => setUpApi({ beforePut }) };
}

/** Changes a stream as it is stored, as another node does. */
async function storeWith(registry: Registry, id: string, change: object): Promise<void> {
  const key = streamKey(1, id);
  const { value, revision } = (await registry.get(key)) as { value: Json; revision: number };
  await registry.put(key, { ...(value as object), ...change } as Json, revision);
}

test('event types that several calls of the first version add and remove are all added and removed', async () => {
  const { meanwhile, start } = setUp();
  const api = await start();
  const id = await api.create();
  const types = `${V1}/${Number.parseInt(id, 16)}/filter/event_type`;
  const shown = async () =>
    (await api.call('GET', types)).body
      .map((type: { id: number }) => type.id)
      .sort((a: number, b: number) => a - b);
  await Promise.all([1, 2, 3, 4, 5].map((type) => api.call('PUT', `${types}/${type}`)));
  assert.deepEqual(await shown(), [1, 2, 3, 4, 5]);
  await Promise.all([api.call('DELETE', `${types}/1`), api.call('PUT', `${types}/6`)]);
  assert.deepEqual(await shown(), [2, 3, 4, 5, 6]);

  const filters = [{ field: 'event_type_id', value: [7] }];
  meanwhile.run = (registry) => storeWith(registry, id, { filters, name: 'Renamed' });
  assert.equal((await api.call('PUT', `${types}/8`)).status, 204);
  assert.deepEqual(await shown(), [7, 8]);
  assert.equal((await api.call('GET', `${V2}/${id}`)).body.name, 'Renamed');
  await api.close();
});

test('of changes of one stream that meet, each keeps what the other has changed', async () => {
  const { meanwhile, start } = setUp();
  const api = await start();
  const id = await api.create();
  const bodies = [
    { name: 'New' },
    { filters: [{ field: 'alert', value: true }] },
    { delivery: { max_in_flight: 2, ordering: 'device' } },
    { privacy: { drop: ['sim'] } },
    { auto_restart: false },
    { status: { id: 2 } },
  ];
  const answers = await Promise.all(bodies.map((body) => api.call('PATCH', `${V2}/${id}`, { body })));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [202]);
  const { body } = await api.call('GET', `${V2}/${id}`);
  const { name, filters, delivery, privacy, auto_restart, status } = body;
  assert.deepEqual(
    [name, filters, delivery.max_in_flight, privacy.drop, auto_restart, status.id],
    ['New', [{ field: 'alert', value: true }], 2, ['sim'], false, 2],
  );

  const replays = [1, 2, 3].map((pace) =>
    api.call('POST', `${V2}/${id}/replay`, { body: { from: 'earliest', max_records_per_second: pace } }),
  );
  await Promise.all([...replays, api.call('PATCH', `${V2}/${id}`, { body: { name: 'Newer' } })]);
  assert.equal((await api.call('GET', `${V2}/${id}/replay`)).body.length, 3);
  assert.equal((await api.call('GET', `${V2}/${id}`)).body.name, 'Newer');

  meanwhile.run = (registry) => registry.delete(streamKey(1, id));
  assert.equal((await api.call('PATCH', `${V2}/${id}`, { body: { name: 'Late' } })).status, 404);
  await api.close();
});

test('a change that meets a deletion leaves nothing of the stream behind', async () => {
  const api = await setUpApi();
  for (let round = 0; round < 5; round++) {
    const id = await api.create();
    const calls = [
      api.call('PATCH', `${V2}/${id}`, { body: { status: { id: 2 } } }),
      api.call('POST', `${V2}/${id}/restart`),
      api.call('DELETE', `${V2}/${id}`),
    ];
    for (const { status } of await Promise.all(calls)) assert.ok([202, 404, 409].includes(status));
    assert.equal((await api.call('GET', `${V2}/${id}`)).status, 404);
  }
  assert.deepEqual(await Array.fromAsync(HISTORY.list(api.registry)), []);
  await api.close();
});

test('an organisation has no more replays than it may, whichever streams they are asked for at once', async () => {
  const api = await setUpApi();
  const ids = await Promise.all([1, 2, 3, 4, 5, 6].map(() => api.create()));
  const answers = await Promise.all(
    ids.flatMap((id) =>
      [1, 2].map(() => api.call('POST', `${V2}/${id}/replay`, { body: { from: 'earliest' } })),
    ),
  );
  const statuses = answers.map(({ status }) => status).sort();
  assert.deepEqual(statuses, [...Array(10).fill(201), 422, 422]);
  await api.close();
});

test('of two changes of a password that begin with the same one, one is made and the other is refused', async () => {
  const api = await setUpAccounts();
  const token = await api.login(ADA);
  const change = (password: string) =>
    api.call('PATCH', '/api/v1/user/my', {
      token,
      body: { current_password: ADA.password, password: sha1Hex(password) },
    });
  const passwords = ['one', 'two', 'three'];
  const answers = await Promise.all(passwords.map(change));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 401, 401]);
  for (const [at, { status }] of answers.entries()) {
    const body = { username: ADA.username, password: sha1Hex(passwords[at] as string) };
    assert.equal((await api.call('POST', '/api/v1/authenticate', { body })).status, status);
  }
});

test('a user whom two calls create, or one deletes and another creates, is in the list with the id that answers show', async () => {
  const api = await setUpAccounts();
  const path = '/organisations/1/users';
  const create = () => api.operator('POST', path, { username: 'zoe', password: 'secret' });
  for (let round = 0; round < 4; round++) {
    const calls = round % 2 === 0 ? [create(), create()] : [api.operator('DELETE', `${path}/zoe`), create()];
    await Promise.all(calls);
    if ((await api.operator('GET', path)).body.every((each: { username: string }) => each.username !== 'zoe'))
      assert.equal((await create()).status, 201, 'a user who is not in the list does not exist');
    const zoe = (await api.operator('GET', path)).body.find(
      (each: { username: string }) => each.username === 'zoe',
    );
    const found = await api.accounts.users.findIn(1, String(zoe.id));
    assert.equal(found?.username, 'zoe');
  }
});
