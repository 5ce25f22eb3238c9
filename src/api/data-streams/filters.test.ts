import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { blockOf } from '../../filters/filters.fixture.ts';
import { blockInMemory } from '../../records/block.ts';
import { usageText } from '../../records/records.fixture.ts';
import { type ApiFixture, setUpApi } from '../api.fixture.ts';

const PATH = '/api/v2/data_stream';
const destination = { connection_type: 'Letterbox', credentials: { url: 'https://box.example/in' } };
let api: ApiFixture;

beforeEach(async () => {
  api = await setUpApi();
});
afterEach(() => api.close());

test('a preview shows numbers as they are in the records, and counts nothing that does not exist', async () => {
  const samples = ['{"id":18446744073709551615}'];
  const newest = await blockOf('usage', [usageText()]);
  await api.close();
  api = await setUpApi({
    preview: async () => ({
      hours: [{ hour: 0, records: 3, matched: 1 }],
      samples,
      complete: true,
      newest: blockInMemory(newest, newest.payload(), 0),
    }),
  });
  const body = { data_stream_type: { id: 1 }, filters: [{ field: 'id', op: 'gt', value: 5 }] };
  const without = await api.call('POST', `${PATH}/preview`, { body });
  assert.equal(without.status, 200, without.text);
  assert.match(without.text, /"samples":\[\{"id":18446744073709551615\}\]/);
  assert.deepEqual(without.body.hours, [{ hour: '1970-01-01T00:00:00.000Z', records: 3, matched: 1 }]);
  assert.equal(without.body.sample_request, null);
  const withOne = await api.call('POST', `${PATH}/preview`, { body: { ...body, destination } });
  assert.equal(withOne.body.sample_request.request.method, 'POST');
  const wrong = {
    ...body,
    filters: [{ field: 'alert', value: true }],
    destination: { connection_type: 'No' },
  };
  const refused = await api.call('POST', `${PATH}/preview`, { body: wrong });
  assert.deepEqual(
    refused.body.errors.map(({ path }: { path: string }) => path),
    ['/filters/0/field', '/destination/connection_type'],
  );
  assert.equal((await api.call('POST', `${PATH}/preview`, { body: { ...body, id: 'none' } })).status, 404);
  assert.equal((await api.call('POST', `${PATH}/preview`, { body, token: 'otto' })).status, 403);
});

const read = async (id: string) => (await api.call('GET', `${PATH}/${id}`)).body;

test('filters on any field of usage data are kept as they were sent', async () => {
  const filters = [
    { field: 'volume.total', op: 'gt', value: 0.5 },
    {
      any: [
        { field: 'endpoint.tags', op: 'contains', value: ['a'] },
        { field: 'tariff', op: 'exists' },
      ],
    },
  ];
  const id = await api.create({ data_stream_type: { id: 1 }, filters, destination });
  assert.deepEqual((await read(id)).filters, filters);
});

test('a number that a double would round comes back as text, others as numbers', async () => {
  const body = JSON.stringify({ data_stream_type: { id: 1 }, filters: ['FILTER'], destination });
  const filter =
    '{"field":"id","value":[18446744073709551615,9007199254740992,0.1,0.30000000000000004,1e400,1e22]}';
  const created = await api.call('POST', PATH, { body: body.replace('"FILTER"', filter) });
  assert.equal(created.status, 201, created.text);
  const id = String(created.headers.location).split('/').at(-1) as string;
  assert.deepEqual((await read(id)).filters[0].value, [
    '18446744073709551615',
    9007199254740992,
    0.1,
    0.30000000000000004,
    '1e400',
    1e22,
  ]);
});

test('a change of type needs filters that mean something there', async () => {
  const alert = { field: 'alert', value: true };
  const cost = { field: 'organisation.id', op: 'gt', value: 1 };
  const id = await api.create({ data_stream_type: { id: 2 }, filters: [alert], destination });
  const patch = (body: object) => api.call('PATCH', `${PATH}/${id}`, { body });
  const refused = await patch({ data_stream_type: { id: 1 } });
  assert.deepEqual([refused.status, refused.body.errors[0].path], [422, '/filters/0/field']);
  assert.equal((await patch({ data_stream_type: { id: 1 }, filters: [cost] })).status, 202);
  assert.deepEqual((await read(id)).filters, [cost]);
});
