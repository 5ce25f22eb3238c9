import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { type ApiFixture, STREAM, setUpApi } from '../api.fixture.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await setUpApi();
});
afterEach(() => api.close());

const PATH = '/api/v2/data_stream';
const read = async (id: string) => (await api.call('GET', `${PATH}/${id}`)).body.delivery;
const patch = async (id: string, delivery: object) =>
  (await api.call('PATCH', `${PATH}/${id}`, { body: { delivery } })).status;

test('what is given is kept, changed field by field, and taken away by 0', async () => {
  assert.equal(await read(await api.create()), undefined);
  const id = await api.create({ ...STREAM, delivery: { ordering: 'device', max_in_flight: 16 } });
  assert.deepEqual(await read(id), { ordering: 'device', max_in_flight: 16 });
  assert.equal(await patch(id, { max_records_per_second: 50 }), 202);
  assert.deepEqual(await read(id), { ordering: 'device', max_in_flight: 16, max_records_per_second: 50 });
  assert.equal(await patch(id, { ordering: 'stream', max_in_flight: 0, max_records_per_second: 0 }), 202);
  assert.equal(await read(id), undefined);
});

test('an unknown member of delivery or destination is refused by name, at creation and change', async () => {
  const { destination } = STREAM;
  const id = await api.create();
  const bodies: readonly (readonly [object, string])[] = [
    [{ delivery: { max_rps: 5 } }, '/delivery/max_rps'],
    [{ delivery: { max_records_per_sec: 5 } }, '/delivery/max_records_per_sec'],
    [{ destination: { ...destination, size: 5 } }, '/destination/size'],
    [{ filtrs: [] }, '/filtrs'],
  ];
  for (const [change, path] of bodies) {
    const created = await api.call('POST', PATH, { body: { ...STREAM, ...change } });
    const patched = await api.call('PATCH', `${PATH}/${id}`, { body: change });
    const [own] = created.body.errors;
    assert.deepEqual([created.status, own.error_token, own.path], [422, 'NotAllowed', path]);
    assert.deepEqual([patched.status, patched.body.errors[0].path], [422, path]);
  }
});

test('a replay with an end that is not understood does not begin', async () => {
  const id = await api.create();
  for (const end of ['to', 'untill', 'end']) {
    const body = { from: 'earliest', [end]: '2026-01-01T00:00:00Z' };
    const { status, body: answer } = await api.call('POST', `${PATH}/${id}/replay`, { body });
    assert.deepEqual([status, answer.errors[0].path], [422, `/${end}`]);
  }
});

test('what is sent back changes nothing', async () => {
  const id = await api.create({ ...STREAM, delivery: { min_records: 10, max_wait_ms: 500 } });
  const before = await api.document(id);
  assert.equal(await patch(id, await read(id)), 202);
  assert.deepEqual(await api.document(id), before);
});

test('a new stream restarts by itself unless its owner says otherwise, at any time', async () => {
  const shown = async (id: string) => (await api.call('GET', `${PATH}/${id}`)).body.auto_restart;
  const wish = async (id: string, auto_restart: unknown) =>
    (await api.call('PATCH', `${PATH}/${id}`, { body: { auto_restart } })).status;
  assert.equal(await shown(await api.create({ ...STREAM, auto_restart: false })), false);
  const id = await api.create();
  assert.equal(await shown(id), true);
  assert.equal(await wish(id, false), 202);
  assert.equal(await shown(id), false);
  // A stream that an older version has stored looks like this.
  assert.equal((await api.document(id))?.autoRestart, undefined);
  assert.equal((await api.call('PATCH', `${PATH}/${id}`, { body: { name: 'Another' } })).status, 202);
  assert.equal(await shown(id), false);
  assert.equal(await wish(id, true), 202);
  assert.equal(await wish(id, null), 202);
  assert.equal(await shown(id), true);
  assert.equal(await wish(id, 'yes'), 422);
});

test('limits and words are checked', async () => {
  for (const delivery of [
    { ordering: 'random' },
    { max_in_flight: 65 },
    { max_records_per_second: -1 },
    { max_wait_ms: 1.5 },
    { min_records: 'many' },
  ]) {
    const { status, text } = await api.call('POST', PATH, { body: { ...STREAM, delivery } });
    assert.equal(status, 422, text);
    assert.match(text, /delivery/);
  }
});
