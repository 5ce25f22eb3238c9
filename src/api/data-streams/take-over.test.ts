import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { takenOver, WATERMARK, watermarkKey } from '../../registry/data-stream.ts';
import type { Json } from '../../registry/registry.ts';
import { type ApiFixture, STREAM, setUpApi } from '../api.fixture.ts';
import { placeOf } from './take-over.ts';

const PATH = '/api/v2/data_stream';
let api: ApiFixture;
beforeEach(async () => {
  api = await setUpApi();
});
afterEach(() => api.close());

const create = (body: object, token = 'ada') =>
  api.call('POST', PATH, { body: { ...STREAM, ...body }, token });
const read = async (id: string) => (await api.call('GET', `${PATH}/${id}`)).body;

test('continue_from: the new stream names the old one, which is paused and says who took over', async () => {
  const old = await api.create();
  await api.progress(old, { detached: true, cursor: { sequence: 50, index: 3 } });
  const next = await api.create({ ...STREAM, continue_from: old });
  assert.deepEqual((await api.document(next))?.start, { sequence: 50, index: 3 });
  assert.equal((await read(next)).continue_from, old);
  const { taken_over_by, status } = await read(old);
  assert.deepEqual([taken_over_by, status.id], [next, 2]);
  assert.match(status.message, new RegExp(`data stream ${next} has taken over`));
  const { body: history } = await api.call('GET', `${PATH}/${old}/history`);
  assert.match(JSON.stringify(history), new RegExp(`${next} has taken over.*user:ada`));
});

test('a stream that was caught up stands where its partition does', async () => {
  const old = await api.create();
  await api.progress(old, { detached: false, cursor: { sequence: 50, index: 0 } });
  await WATERMARK.put(api.registry, watermarkKey(3), { sequence: 60, epoch: 1 });
  const next = await api.create({ ...STREAM, continue_from: old });
  assert.deepEqual((await api.document(next))?.start, { sequence: 60, index: 0 });
});

test('what cannot be taken over is named', async () => {
  const old = await api.create();
  const refusals: readonly (readonly [object, number, RegExp, string?])[] = [
    [{ continue_from: 'ffffffff' }, 422, /there is no data stream ffffffff/],
    [{ continue_from: old, start_from: 'earliest' }, 422, /start_from.*together with continue_from/],
    [{ continue_from: old, data_stream_type: { id: 1 } }, 422, /delivers events, and the new one usage/],
    [{ continue_from: old }, 422, /there is no data stream/, 'bea'],
  ];
  for (const [body, status, message, token] of refusals) {
    const answer = await create(body, token);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.body.message, message);
  }
  const next = await api.create({ ...STREAM, continue_from: old });
  const twice = await create({ continue_from: old });
  assert.equal(twice.status, 409);
  assert.match(twice.body.message, new RegExp(`"continue_from": "${next}"`));
  assert.equal((await api.call('GET', PATH)).body.length, 2, 'nothing else was stored');
});

test('a stream that is deleted meanwhile does not begin anew in its successor', async () => {
  const old = await api.create();
  const document = await api.document(old);
  assert.ok(document);
  assert.deepEqual((await placeOf(api.registry, document)).position, document.start, 'it has not run yet');
  await api.call('DELETE', `${PATH}/${old}`);
  await assert.rejects(placeOf(api.registry, document), /there is no data stream/);
});

test('of two creations at once the slower one is undone', async () => {
  let first = true;
  await api.close();
  api = await setUpApi({
    beforePut: async (key, registry) => {
      if (!first || !key.startsWith('stream.1.')) return;
      const entry = await registry.get(key);
      // The old stream is about to be paused by our creation.
      if (!entry) return;
      first = false;
      await registry.put('stream.1.0000000a', { ...(entry.value as object), id: '0000000a' });
      const document = takenOver(entry.value as never, '0000000a', 0) as unknown as Json;
      await registry.put(key, document);
    },
  });
  const old = await api.create();
  const answer = await create({ continue_from: old });
  assert.equal(answer.status, 409);
  const ids = (await api.call('GET', PATH)).body.map(({ id }: { id: string }) => id);
  assert.deepEqual(ids.sort(), ['0000000a', old].sort());
});

test('the old stream cannot be resumed, and not be deleted during the hand-over; after the new one is deleted it can', async () => {
  const old = await api.create();
  await api.progress(old, { status: { state: 'paused', message: 'Paused.', since: 0 } });
  const next = await api.create({ ...STREAM, continue_from: old });
  const resume = () => api.call('PATCH', `${PATH}/${old}`, { body: { status: { id: 1 } } });
  assert.match((await resume()).body.message, new RegExp(`Delete ${next} first`));
  assert.equal((await api.call('DELETE', `${PATH}/${old}`)).status, 409);
  await api.progress(next);
  assert.equal((await resume()).status, 409);
  await api.call('DELETE', `${PATH}/${next}`);
  assert.equal((await resume()).status, 202);
  assert.equal((await read(old)).taken_over_by, undefined);
  assert.equal((await api.call('DELETE', `${PATH}/${old}`)).status, 202);
});

test('in a chain, the successor of a deleted stream keeps the streams before it from delivering again', async () => {
  const first = await api.create();
  await api.progress(first);
  const second = await api.create({ ...STREAM, continue_from: first });
  await api.progress(second);
  const third = await api.create({ ...STREAM, continue_from: second });
  await api.progress(third);
  assert.equal((await api.call('DELETE', `${PATH}/${second}`)).status, 202);
  assert.equal((await read(first)).taken_over_by, third);
  const resumed = await api.call('PATCH', `${PATH}/${first}`, { body: { status: { id: 1 } } });
  assert.deepEqual([resumed.status, resumed.body.message.includes(`Delete ${third} first`)], [409, true]);
  const again = await create({ continue_from: first });
  assert.match(again.body.message, new RegExp(`"continue_from": "${third}"`));
  await api.call('DELETE', `${PATH}/${third}`);
  const free = await api.call('PATCH', `${PATH}/${first}`, { body: { status: { id: 1 } } });
  assert.equal(free.status, 202);
});

test('where a stream begins is not a change of it', async () => {
  const old = await api.create();
  const next = await api.create({ ...STREAM, continue_from: old });
  const patch = (body: object) => api.call('PATCH', `${PATH}/${next}`, { body });
  assert.equal((await patch({ continue_from: old })).status, 202, 'as it is shown');
  for (const [body, path] of [
    [{ continue_from: next }, '/continue_from'],
    [{ start_from: 'earliest' }, '/start_from'],
  ] as const) {
    const { status, body: answer } = await patch(body);
    assert.deepEqual([status, answer.errors[0].path], [422, path]);
  }
});

test('other changes of a stream that was taken over keep that', async () => {
  const old = await api.create();
  const next = await api.create({ ...STREAM, continue_from: old });
  await api.call('PATCH', `${PATH}/${old}`, { body: { name: 'Old' } });
  assert.equal((await read(old)).taken_over_by, next);
});
