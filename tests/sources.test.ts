import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { Aedes } from 'aedes';
import { connectAsync, type MqttClient } from 'mqtt';
import { createApiClient } from './support/api-client.ts';
import { type NodeProcess, startNode } from './support/node-process.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';
import { startReceiver } from './support/receiver.ts';
import { waitFor } from './support/wait-for.ts';

const ORGANISATION = 70412;
const record = (id: number) =>
  `{"id":${id},"timestamp":"2026-11-27T08:00:00Z","event_type":{"id":1},"organisation":{"id":${ORGANISATION}}}`;
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

test('a topic of MQTT is a source: nothing acknowledged is lost by kill -9, and bad messages are published as rejected', {
  timeout: 180_000,
}, async (t) => {
  const ids = new Set<number>();
  const receiver = await startReceiver(({ body }) => {
    for (const { id } of [JSON.parse(body.toString('utf8'))].flat()) ids.add(id as number);
    return { status: 200 };
  });
  const broker = await startBroker();
  const dataDirectory = temporaryDirectory();
  const environment = {
    SIMSTREAM_SOURCE_MQTT_URL: broker.url,
    SIMSTREAM_SOURCE_MQTT_TOPICS: 'events=platform/events/+',
    SIMSTREAM_SOURCE_MQTT_REJECTED: 'platform/rejected',
    SIMSTREAM_RATE_READS: '0',
  };
  let node: NodeProcess = await startNode({ dataDirectory, environment });
  const clients: MqttClient[] = [];
  t.after(async () => {
    await Promise.all(clients.map((client) => client.endAsync(true)));
    await node.kill();
    await broker.close();
    await receiver.close();
    removeDirectory(dataDirectory);
  });
  const rejected: { place: string; path: string; message: string; record: string }[] = [];
  const watcher = await connectAsync(broker.url);
  const producer = await connectAsync(broker.url);
  clients.push(watcher, producer);
  watcher.on('message', (_, payload) => rejected.push(JSON.parse(payload.toString('utf8'))));
  await watcher.subscribeAsync('platform/rejected', { qos: 1 });
  const client = createApiClient(node.url);
  await client.createOrganisation(ORGANISATION, 'Nordlicht');
  const token = await client.authenticate(ORGANISATION);
  await client.createStream(token, {
    data_stream_type: { id: 2 },
    destination: { connection_type: 'RestAPI', credentials: { url: receiver.url } },
  });
  await waitFor('the session of the source', () => (broker.subscribed() ? true : undefined));
  const publish = (text: string) => producer.publishAsync('platform/events/a', text, { qos: 1 });

  // Single records, a list over several lines, and one record a line.
  for (const id of range(1, 60)) await publish(record(id));
  await publish(`[\n ${record(61)},\n ${record(62)}\n]`);
  await publish(`${record(63)}\n${record(64)}\n`);
  await waitFor('records under way', () => (ids.size > 10 ? true : undefined));
  await node.kill();
  for (const id of range(65, 100)) await publish(record(id));
  await publish('{"id":101,"timestamp":"yesterday"}');
  await publish(`[${record(102)},{"id":103}]`);
  await publish('no JSON at all');
  await publish(record(104));
  node = await startNode({ dataDirectory, environment, port: node.port });
  const expected = [...range(1, 100), 102, 104];
  const missing = () => `not received: ${expected.filter((id) => !ids.has(id)).join()}`;
  await waitFor(missing, () => (expected.every((id) => ids.has(id)) ? true : undefined));
  await waitFor('three bad ones', () =>
    new Set(rejected.map((one) => one.record)).size >= 3 ? true : undefined,
  );
  assert.deepEqual(
    [...ids].sort((a, b) => a - b),
    expected,
  );
  const kept = new Map(rejected.map((one) => [one.record, one]));
  assert.equal(kept.get('{"id":101,"timestamp":"yesterday"}')?.path, '/timestamp');
  assert.match(kept.get('{"id":103}')?.message ?? '', /missing/);
  assert.match(kept.get('no JSON at all')?.message ?? '', /line 1/);
  assert.equal(kept.get('{"id":103}')?.place, 'topic platform/events/a');

  const metrics = await (await fetch(`${node.url}/metrics`, { headers: authorized })).text();
  assert.match(metrics, /simstream_source_messages_total\{source="mqtt platform\/events\/\+"\} [1-9]/);
  assert.match(metrics, /simstream_source_rejected_total\{source="mqtt platform\/events\/\+"\} [1-9]/);
});

const authorized = { authorization: 'Bearer operator-token-of-a-test-0123456789' };

async function startBroker() {
  const aedes = await Aedes.createBroker();
  let subscribed = false;
  aedes.on('subscribe', (_, { id }) => {
    if (id.startsWith('simstream-')) subscribed = true;
  });
  const server = createServer(aedes.handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `mqtt://127.0.0.1:${port}`,
    subscribed: () => subscribed,
    close: async () => {
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
