import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { blockOf, selected } from '../../filters/filters.fixture.ts';
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

test('a number that a double would round comes back as it was sent', async () => {
  const value =
    '[18446744073709551615,9007199254740992,0.1,"18446744073709551615",0.30000000000000004,1e400,1e22]';
  const filter = `{"field":"id","value":${value}}`;
  const body = JSON.stringify({ data_stream_type: { id: 1 }, filters: ['FILTER'], destination });
  const created = await api.call('POST', PATH, { body: body.replace('"FILTER"', filter) });
  assert.equal(created.status, 201, created.text);
  const id = String(created.headers.location).split('/').at(-1) as string;
  const { text } = await api.call('GET', `${PATH}/${id}`);
  assert.ok(text.includes(`"filters":[{"field":"id","value":${value.replace('1e22', '1e+22')}}]`), text);
  assert.ok((await api.call('GET', PATH)).text.includes('18446744073709551615,9007199254740992'));
  // What was read may be sent back, and changes nothing.
  const before = (await api.document(id))?.modified;
  const patch = `{"filters":[${filter}]}`;
  assert.equal((await api.call('PATCH', `${PATH}/${id}`, { body: patch })).status, 202);
  assert.equal((await api.document(id))?.modified, before);
});

test('a long number equals the number and not the text', async () => {
  const block = await blockOf('usage', [
    usageText({ id: '18446744073709551615' }),
    usageText({ id: '18446744073709551614' }),
    usageText({ id: '1', name: '"18446744073709551615"' }),
  ]);
  const long = { number: '18446744073709551615' };
  assert.deepEqual(selected([{ field: 'id', value: [long] }], block), [0]);
  assert.deepEqual(selected([{ field: 'name', value: [long] }], block), []);
  assert.deepEqual(selected([{ field: 'id', op: 'lt', value: [long] }], block), [1, 2]);
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
