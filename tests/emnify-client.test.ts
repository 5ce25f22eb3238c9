import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ajv, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import { type AxiosResponse, type Document, OpenAPIClientAxios } from 'openapi-client-axios';
import { createApiClient } from './support/api-client.ts';
import { type NodeProcess, OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';
import { deserialize, serialize } from './support/php-models.ts';
import { type Receiver, startReceiver } from './support/receiver.ts';
import { waitFor } from './support/wait-for.ts';

/**
 * Clients that were made for emnify's API, unchanged: one that openapi-client-axios makes of emnify's calls, whose answers
 * must satisfy that document and nothing else; and the rules by which the generated PHP SDK reads and writes models.
 */
const definition = JSON.parse(
  readFileSync(new URL('./fixtures/emnify-data-streamer.json', import.meta.url), 'utf8'),
);
const ajv = new Ajv({ strict: false });
(addFormats as unknown as (target: Ajv) => void)(ajv);
ajv.addFormat('double', true);
ajv.addSchema({ $id: 'emnify', components: definition.components });

type Call = (
  parameters?: Record<string, string> | null,
  body?: unknown,
) => Promise<AxiosResponse<never> & { data: never }>;
type Client = Record<string, Call> & { defaults: { headers: Record<string, unknown> } };

let node: NodeProcess;
let receiver: Receiver;
let client: Client;
let received = '';
const dataDirectory = temporaryDirectory();

before(async () => {
  receiver = await startReceiver(({ body }) => {
    received += body.toString();
    return { status: 200 };
  });
  node = await startNode({ dataDirectory });
  const api = createApiClient(node.url);
  await api.createOrganisation(7, 'Seven');
  const { text } = await api.call(
    'POST',
    '/operator/v1/organisations/7/application_tokens',
    OPERATOR_TOKEN,
    {},
  );
  const openApi = new OpenAPIClientAxios({
    definition: definition as Document,
    axiosConfigDefaults: { baseURL: node.url, validateStatus: () => true },
  });
  client = (await openApi.init()) as unknown as Client;
  const { application_token } = JSON.parse(text);
  const { auth_token } = await call<{ auth_token: string }>('Authenticate', 200, null, { application_token });
  client.defaults.headers.authorization = `Bearer ${auth_token}`;
});
after(async () => {
  await node?.kill();
  await receiver?.close();
  removeDirectory(dataDirectory);
});

/** Makes a call by its operation, and checks the answer against what emnify's document promises for the status. */
async function call<Answer = unknown>(
  operationId: string,
  status: number,
  parameters?: Record<string, string> | null,
  body?: unknown,
): Promise<Answer> {
  let answer = await (client[operationId] as Call)(parameters, body);
  while (answer.status === 429) {
    await sleep(Number(answer.headers['retry-after']) * 1000);
    answer = await (client[operationId] as Call)(parameters, body);
  }
  assert.equal(answer.status, status, `${operationId}: ${JSON.stringify(answer.data)}`);
  const promised = responsesOf(operationId)[status];
  assert.ok(promised, `${operationId} does not know ${status}`);
  const schema = promised.content?.['application/json']?.schema;
  if (!schema) assert.equal(answer.data, '', operationId);
  else {
    const validate = validatorOf(schema);
    assert.ok(
      validate(answer.data),
      `${operationId}: ${ajv.errorsText(validate.errors)} ${JSON.stringify(answer.data)}`,
    );
  }
  return (answer.headers.location ? { location: answer.headers.location } : answer.data) as Answer;
}

type Responses = Record<string, { content?: Record<string, { schema: object }> }>;

function responsesOf(operationId: string): Responses {
  for (const methods of Object.values<Record<string, { operationId: string; responses: Responses }>>(
    definition.paths,
  )) {
    const found = Object.values(methods).find((operation) => operation.operationId === operationId);
    if (found) return found.responses;
  }
  throw new Error(`there is no operation ${operationId}`);
}

function validatorOf(schema: object): ValidateFunction {
  return ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"emnify#/components')));
}

const webhook = (more: object = {}) => ({
  connection_type: 'RestAPI',
  credentials: { url: `${receiver.url}/in`, headers: ['Authorization:Bearer hush'], size: 100, ...more },
  format: 'Json',
});
const create = async (body: object) => {
  const { location } = await call<{ location: string }>('CreateDataStreamer', 201, null, body);
  assert.match(location, /^\/api\/v2\/data_stream\/[0-9a-f]{8}$/);
  return location.slice('/api/v2/data_stream/'.length);
};
interface Stream {
  readonly id: string;
  readonly name?: string;
  readonly status: { readonly id: number };
  readonly filters: readonly unknown[];
}
const read = (id: string) => call<Stream>('GetDataStreamerByIdV2', 200, { data_stream_id: id });

describe('a client that is generated from emnify’s document', () => {
  test('reads the lookups', async () => {
    const statuses = await call<{ id: number }[]>('GetDataStreamerStatuses', 200);
    assert.deepEqual(statuses.map(({ id }) => id).sort(), [1, 2, 3, 4]);
    await call('GetDataStreamerDataStreamType', 200);
    await call('GetDataStreamerEnumFilterFieldType', 200);
    await call('GetEventTypes', 200);
    await call('GetApplicationTokens', 200);
  });

  test('lives through the whole life of a stream', { timeout: 180_000 }, async () => {
    const filters = [{ field: 'event_type_id', value: ['3', '5'] }];
    const id = await create({
      name: 'Sessions',
      data_stream_type: { id: 2 },
      filters,
      destination: webhook(),
    });
    const at = { data_stream_id: id };
    assert.deepEqual((await read(id)).filters, filters);
    await waitFor('Running', async () => ((await read(id)).status.id === 1 ? true : undefined));

    const record = readFileSync(new URL('./fixtures/samples/event-samples.ndjson', import.meta.url), 'utf8')
      .split('\n')
      .map((line) => line && JSON.parse(line))
      .find((each) => each.event_type?.id === 3);
    const sent = { ...record, id: 4711, organisation: { id: 7, name: 'Seven' } };
    const api = createApiClient(node.url);
    const ingest = () => api.call('POST', '/operator/v1/records/events', OPERATOR_TOKEN, [sent]);
    assert.equal((await ingest()).status, 202);
    await waitFor('the record', () => (received.includes('4711') ? true : undefined));

    // The documented change: pause, and drop all filters.
    await call('PatchV2DataStream', 202, at, { status: { id: 2 }, filters: [] });
    const paused = await read(id);
    assert.deepEqual([paused.status.id, paused.filters], [2, []]);
    await call('DataStreamerV2ByIdRestart', 409, at);
    await call('PatchV2DataStream', 202, at, { status: { id: 1.0 } });
    // A whole model that was read, with another name.
    await call('PatchV2DataStream', 202, at, { ...(await read(id)), name: 'Renamed' });
    assert.equal((await read(id)).name, 'Renamed');
    assert.ok((await call<Stream[]>('ListDataStreamerV2s', 200)).some((stream) => stream.id === id));
    await call('PatchV2DataStream', 422, at, { status: { id: 9 } });
    await call('DeleteDataStreamerV2', 202, at);
    await call('DeleteDataStreamerV2', 404, at);
    await call('GetDataStreamerByIdV2', 404, at);
  });

  test('is told what is wrong in the form that it knows', async () => {
    await call('CreateDataStreamer', 422, null, { data_stream_type: { id: 2 } });
    await call('GetDataStreamerByIdV2', 404, { data_stream_id: '123' });
  });
});

test('models of the PHP SDK round-trip every stream', { timeout: 180_000 }, async () => {
  const bodies = [
    { name: 'All', data_stream_type: { id: 2 }, filters: [], destination: webhook() },
    {
      name: 'Types',
      data_stream_type: { id: 2 },
      filters: [{ field: 'event_type_id', value: ['1', '2'] }],
      destination: webhook(),
    },
    {
      data_stream_type: { id: 2 },
      filters: [{ field: 'alert', value: ['true'] }],
      destination: webhook({ method: 'PUT', headers: [] }),
      relation_resolution: { id: 3 },
    },
    { name: 'Paused', data_stream_type: { id: 1 }, destination: webhook(), status: { id: 2 } },
  ];
  for (const body of bodies) {
    const id = await create(serialize(deserialize(body, 'DataStreamBody', definition)) as object);
    const model = deserialize(await read(id), 'DataStream', definition) as Stream;
    if (body.filters) assert.deepEqual(model.filters, body.filters);
    const saved = serialize({ ...model, name: 'Saved' });
    await call('PatchV2DataStream', 202, { data_stream_id: id }, saved);
    const again = deserialize(await read(id), 'DataStream', definition) as Stream;
    assert.equal(again.name, 'Saved');
    assert.deepEqual(again.filters, model.filters);
  }
  const listed = await call<unknown[]>('ListDataStreamerV2s', 200);
  for (const each of listed) deserialize(each, 'DataStream', definition);
});
