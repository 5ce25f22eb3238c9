import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ApiFixture, STREAM, setUpApi } from '../api.fixture.ts';

let api: ApiFixture;
let stream: string;
before(async () => {
  api = await setUpApi();
  stream = await api.create(STREAM, 'ada');
  for (const [place, message] of ['no field 1', 'no field 2', 'too long', 'no field 3'].entries()) {
    await api.registry.put(`quarantine.1.${stream}.000000000000000${place}-00000000`, {
      kind: 'event',
      at: place,
      arrivedAt: 0,
      code: 'http_422',
      message,
      remoteStatus: 422,
      record: `{"id":${place}}`,
    });
  }
});
after(() => api.close());
const call = (method: 'GET' | 'POST', path: string, body?: object) =>
  api.call(method, `/api/v2/data_stream${path}`, { token: 'ada', ...(body ? { body } : {}) });

test('a quarantine is counted by reason; a group is listed and discarded alone', async () => {
  const groups = async () => (await call('GET', `/${stream}/quarantine/group`)).body;
  const { records, more, groups: found } = await groups();
  assert.deepEqual([records, more], [4, false]);
  assert.deepEqual(
    found.map((group: { records: number; message: string; example: { record: string } }) => [
      group.records,
      group.message,
      group.example.record,
    ]),
    [
      [3, 'no field 3', '{"id":3}'],
      [1, 'too long', '{"id":2}'],
    ],
  );
  const [{ group }] = found;
  const listed = await call('GET', `/${stream}/quarantine?group=${group}`);
  assert.deepEqual(
    listed.body.map(({ record }: { record: string }) => record),
    ['{"id":0}', '{"id":1}', '{"id":3}'],
  );
  assert.deepEqual((await call('POST', `/${stream}/quarantine/discard`, { group })).body, { discarded: 3 });
  assert.equal((await groups()).records, 1);
});

test('the series of several streams come in one call; what is not of this organisation is left out', async () => {
  const theirs = await api.create(STREAM, 'bea');
  const { status, body } = await call('GET', `/series?ids=${stream},${theirs},00000000,${stream}`);
  assert.equal(status, 200);
  assert.deepEqual(
    body.streams.map(({ id }: { id: string }) => id),
    [stream],
  );
  assert.equal((await call('GET', '/series')).status, 422);
  const many = Array.from({ length: 51 }, () => stream).join(',');
  assert.notEqual((await call('GET', `/series?ids=${many}`)).status, 200);
});
