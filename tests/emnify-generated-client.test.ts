import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createApiClient } from './support/api-client.ts';
import { type GeneratedAnswer, type GeneratedClient, generateClient } from './support/generated-client.ts';
import { type NodeProcess, OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';
import { event } from './support/portal-world.ts';
import { type Receiver, startReceiver } from './support/receiver.ts';
import { waitFor } from './support/wait-for.ts';

/** A client whose source a common generator writes from emnify's document, unchanged, does the whole life of a stream. */
const DOCUMENT = fileURLToPath(new URL('./fixtures/emnify-data-streamer.json', import.meta.url));

let node: NodeProcess;
let receiver: Receiver;
let client: GeneratedClient;
let received = '';
const dataDirectory = temporaryDirectory();

before(async () => {
  receiver = await startReceiver(({ body }) => {
    received += body.toString();
    return { status: 200 };
  });
  [node, client] = await Promise.all([startNode({ dataDirectory }), generateClient(DOCUMENT)]);
  client.defaults.baseUrl = node.url;
});
after(async () => {
  await node?.kill();
  await receiver?.close();
  removeDirectory(dataDirectory);
});

type Operation = (...parameters: unknown[]) => Promise<GeneratedAnswer>;

/** Calls a generated function; a call that the node limits is made again, as it asks for. */
async function call<Data = unknown>(
  operation: string,
  status: number,
  ...parameters: unknown[]
): Promise<{ readonly data: Data; readonly headers: Headers }> {
  for (;;) {
    const answer = await (client[operation] as Operation)(...parameters);
    if (answer.status === 429) await sleep(Number(answer.headers.get('retry-after')) * 1000);
    else {
      assert.equal(answer.status, status, `${operation}: ${JSON.stringify(answer.data)}`);
      return { data: answer.data as Data, headers: answer.headers };
    }
  }
}

interface Stream {
  readonly id: string;
  readonly name?: string;
  readonly status: { readonly id: number };
  readonly filters: readonly unknown[];
}

test('from the login to the deletion', { timeout: 300_000 }, async () => {
  const api = createApiClient(node.url);
  await api.createOrganisation(7, 'Seven');
  const path = '/operator/v1/organisations/7/application_tokens';
  const { application_token } = JSON.parse((await api.call('POST', path, OPERATOR_TOKEN, {})).text);
  const { data } = await call<{ auth_token: string }>('authenticate', 200, { application_token });
  client.defaults.headers = { ...client.defaults.headers, Authorization: `Bearer ${data.auth_token}` };
  for (const lookup of ['Statuses', 'DataStreamType', 'EnumFilterFieldType'])
    assert.ok((await call<unknown[]>(`getDataStreamer${lookup}`, 200)).data.length > 0);

  const filters = [{ field: 'event_type_id', value: ['3', '5'] }];
  const destination = {
    connection_type: 'RestAPI',
    credentials: { url: `${receiver.url}/in`, headers: ['Authorization:Bearer hush'], size: 100 },
    format: 'Json',
  };
  await call('createDataStreamer', 422, { data_stream_type: { id: 2 } });
  const body = { name: 'Sessions', data_stream_type: { id: 2 }, filters, destination };
  const { headers } = await call('createDataStreamer', 201, body);
  const id = headers.get('location')?.split('/').at(-1) ?? '';
  const read = async () => (await call<Stream>('getDataStreamerByIdV2', 200, id)).data;
  assert.deepEqual((await read()).filters, filters);
  await waitFor('Running', async () => ((await read()).status.id === 1 ? true : undefined));

  const sent = event(7, 3) as { readonly id: number };
  await api.call('POST', '/operator/v1/records/events', OPERATOR_TOKEN, [sent, event(7, 4)]);
  await waitFor('the record', () => (received.includes(`"id":${sent.id}`) ? true : undefined));
  assert.doesNotMatch(received, /"Type 4"/);

  await call('patchV2DataStream', 202, id, { status: { id: 2 }, filters: [] });
  const paused = await read();
  assert.deepEqual([paused.status.id, paused.filters], [2, []]);
  await call('dataStreamerV2ByIdRestart', 409, id);
  // A model that was read is written back, with another name.
  await call('patchV2DataStream', 202, id, { ...paused, name: 'Renamed' });
  assert.equal((await read()).name, 'Renamed');
  const { data: listed } = await call<Stream[]>('listDataStreamerV2S', 200);
  assert.deepEqual(
    listed.map((stream) => stream.id),
    [id],
  );
  await call('deleteDataStreamerV2', 202, id);
  await call('getDataStreamerByIdV2', 404, id);
});
