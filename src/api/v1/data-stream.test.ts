import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Type } from 'typebox';
import { type DestinationType, defineDestination } from '../../destinations/contract.ts';
import { type ApiFixture, setUpApi } from '../api.fixture.ts';

const PATH = '/api/v1/data_stream';

/** A destination type of this name that takes these credentials. */
function typeOf(connectionType: string, fields: Readonly<Record<string, object>>): [string, DestinationType] {
  const credentials = Type.Object(
    Object.fromEntries(
      Object.entries(fields).map(([name, options]) => [
        name,
        Type.String({ title: name, minLength: 1, ...options }),
      ]),
    ),
  );
  const type = defineDestination({
    connectionType,
    title: connectionType,
    summary: 'For tests.',
    icon: 'M4 4h16',
    setup: [{ text: 'Do it.' }],
    formats: ['Json'],
    credentials: Type.Object({
      ...credentials.properties,
      size: Type.Optional(Type.Integer({ title: 'Size' })),
    }),
    configure: () => ({
      target: 'there',
      identity: 'there',
      address: 'https://there.example/',
      gathering: { by: 'batch', records: 100, bytes: 1000 },
      open: () => Promise.reject(new Error('nothing is opened here')),
    }),
  });
  return [connectionType, type as DestinationType];
}

const SECRET = { 'x-secret': 'all' };
const TYPES = new Map([
  typeOf('RestAPI', { url: {} }),
  typeOf('AwsKinesis', { region: {}, stream_name: {}, role_arn: {} }),
  typeOf('KeenIO', { project_id: {}, write_key: SECRET, collection_name: {} }),
]);
let api: ApiFixture;

beforeEach(async () => {
  api = await setUpApi({ destinationTypes: TYPES });
});
afterEach(() => api.close());

const WEBHOOK = {
  data_stream_type: { id: 2 },
  api_type: { id: 6 },
  api_callback: { url: 'https://a.example/in' },
};

async function create(body: object): Promise<string> {
  const { status, headers, text } = await api.call('POST', PATH, { body });
  assert.equal(status, 201, text);
  assert.match(String(headers.location), /^\/api\/v1\/data_stream\/\d+$/);
  return String(headers.location);
}

test('a data stream of the first version is one of the second', async () => {
  const url = await create({ ...WEBHOOK, api_type: { id: 1 }, stream_historic_data: 1 });
  const { body } = await api.call('GET', url);
  assert.deepEqual(
    [body.data_stream_type, body.api_type, body.api_callback, body.active, body.last_result],
    [
      { id: 2, description: 'Events' },
      { id: 1, description: 'RestAPI' },
      { url: 'https://a.example/in' },
      true,
      null,
    ],
  );
  const id = body.id.toString(16).padStart(8, '0');
  const second = await api.call('GET', `/api/v2/data_stream/${id}`);
  assert.deepEqual(second.body.destination.credentials, { url: 'https://a.example/in', size: 1 });
  assert.equal((await api.document(id))?.start.sequence, 17, 'from the past');
  assert.deepEqual((await api.call('GET', PATH)).body, [body]);
  assert.equal((await api.call('DELETE', url)).status, 204);
  assert.equal((await api.call('GET', url)).status, 404);
});

test('each api_type has its credentials where the first version has them, and no secret is shown', async () => {
  const kinesis = await create({
    data_stream_type: { id: 1 },
    api_type: { id: 4 },
    api_parameter: 'eu-west-1/records',
    api_username: 'arn:aws:iam::123456789012:role/streams',
  });
  const keen = await create({
    data_stream_type: { id: 1 },
    api_type: { id: 2 },
    api_parameter: 'usage',
    api_username: 'project',
    api_password: 'hush hush',
  });
  const shown = async (url: string) => {
    const { body, text } = await api.call('GET', url);
    assert.doesNotMatch(text, /hush/);
    return [body.api_type.id, body.api_parameter, body.api_username, body.api_callback];
  };
  assert.deepEqual(await shown(kinesis), [
    4,
    'eu-west-1/records',
    'arn:aws:iam::123456789012:role/streams',
    null,
  ]);
  assert.deepEqual(await shown(keen), [2, 'usage', 'project', null]);
});

test('event types are added and removed one by one', async () => {
  const url = await create(WEBHOOK);
  const types = async () =>
    (await api.call('GET', `${url}/filter/event_type`)).body.map(({ id }: { id: number }) => id);
  assert.deepEqual(await types(), []);
  const [one, two] = await Promise.all(
    [3, 5].map((type) => api.call('PUT', `${url}/filter/event_type/${type}`)),
  );
  assert.deepEqual([one?.status, two?.status], [204, 204]);
  assert.deepEqual(await types(), [3, 5]);
  await api.call('PUT', `${url}/filter/event_type/3`);
  assert.equal((await api.call('DELETE', `${url}/filter/event_type/3`)).status, 204);
  assert.deepEqual(await types(), [5]);
  assert.equal((await api.call('DELETE', `${url}/filter/event_type/3`)).status, 404);
  const id = Number(url.split('/').at(-1)).toString(16).padStart(8, '0');
  const filters = [{ field: 'alert', value: true }];
  await api.call('PATCH', `/api/v2/data_stream/${id}`, { body: { filters } });
  const refused = await api.call('PUT', `${url}/filter/event_type/3`);
  assert.deepEqual([refused.status, /\/api\/v2/.test(refused.body.message)], [409, true]);
});

test('what the second version has no form for is refused in names of the first', async () => {
  const cases: readonly (readonly [body: object, path: string])[] = [
    [{ ...WEBHOOK, data_stream_type: { id: 3 } }, '/data_stream_type/id'],
    [{ ...WEBHOOK, api_type: { id: 7 } }, '/api_type/id'],
    [{ ...WEBHOOK, api_callback: { id: 5 } }, '/api_callback'],
    [{ data_stream_type: { id: 1 }, api_type: { id: 4 }, api_parameter: 'records' }, '/api_parameter'],
    [
      { data_stream_type: { id: 1 }, api_type: { id: 4 }, api_parameter: 'eu-west-1/records' },
      '/api_username',
    ],
    [{ data_stream_type: { id: 1 } }, '/api_type'],
    [{ ...WEBHOOK, api_username: 'a', api_password: '' }, '/api_username'],
    [{ ...WEBHOOK, api_password: 'secret' }, '/api_password'],
    [{ ...WEBHOOK, stream_historic_data: 20 }, '/stream_historic_data'],
  ];
  for (const [body, path] of cases) {
    const { status, body: answer, text } = await api.call('POST', PATH, { body });
    assert.equal(status, 422, text);
    assert.equal(answer.errors[0].path, path, text);
  }
});
