import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { createApiClient } from '../support/api-client.ts';
import { natsMissing, startNats } from '../support/nats-server.ts';
import { type NodeProcess, startNode } from '../support/node-process.ts';
import { removeDirectory, temporaryDirectory } from '../support/owned.ts';
import { startReceiver } from '../support/receiver.ts';
import { waitFor } from '../support/wait-for.ts';

const ORGANISATION = 70412;
const record = (id: number) =>
  `{"id":${id},"timestamp":"2026-11-27T08:00:00Z","event_type":{"id":1},"organisation":{"id":${ORGANISATION}}}`;
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);
const missing = natsMissing();

test('a subject of NATS is a source: nothing acknowledged is lost by kill -9, and bad messages are published as rejected', {
  timeout: 180_000,
  ...(missing === undefined ? {} : { skip: missing }),
}, async (t) => {
  const ids: number[] = [];
  const receiver = await startReceiver(({ body }) => {
    for (const { id } of [JSON.parse(body.toString('utf8'))].flat()) ids.push(id as number);
    return { status: 200 };
  });
  const nats = await startNats();
  const connection = await connect({ servers: nats.urls.map((url) => url.replace('nats://', '')) });
  const dataDirectory = temporaryDirectory();
  const environment = {
    SIMSTREAM_SOURCE_NATS_URL: nats.urls.join(','),
    SIMSTREAM_SOURCE_NATS_SUBJECTS: 'events=platform.events.>',
    SIMSTREAM_SOURCE_NATS_REJECTED: 'platform.rejected',
    SIMSTREAM_RATE_READS: '0',
  };
  let node: NodeProcess = await startNode({ dataDirectory, environment });
  t.after(async () => {
    await node.kill();
    await connection.close();
    await nats.dispose();
    await receiver.close();
    removeDirectory(dataDirectory);
  });
  const client = createApiClient(node.url);
  await client.createOrganisation(ORGANISATION, 'Nordlicht');
  const token = await client.authenticate(ORGANISATION);
  await client.createStream(token, {
    data_stream_type: { id: 2 },
    destination: { connection_type: 'RestAPI', credentials: { url: receiver.url } },
  });
  // The source waits for the stream that stores its subject, and says so.
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: 'PLATFORM', subjects: ['platform.>'] });
  const js = jetstream(connection);
  const publish = (text: string) => js.publish('platform.events.a', text);
  for (const id of range(1, 300)) await publish(record(id));
  await waitFor('records under way', () => (ids.length > 10 ? true : undefined));
  await node.kill();
  for (const id of range(301, 400)) await publish(record(id));
  await publish(`[${record(401)},{"id":402}]`);
  await publish('no JSON at all');
  await publish(record(403));
  node = await startNode({ dataDirectory, environment, port: node.port });
  const expected = [...range(1, 401), 403];
  await waitFor(
    () => `not received: ${expected.filter((id) => !ids.includes(id)).join()}`,
    () => (expected.every((id) => ids.includes(id)) ? true : undefined),
    60_000,
  );
  assert.deepEqual([...new Set(ids)], expected, 'in the order of the subject');
  const kept = await waitFor('the bad ones', async () => {
    const info = await manager.streams.info('PLATFORM', { subjects_filter: 'platform.rejected' });
    return (info.state.subjects?.['platform.rejected'] ?? 0) >= 2 ? info : undefined;
  });
  assert.ok(kept);
  const last = await manager.streams.getMessage('PLATFORM', { last_by_subj: 'platform.rejected' });
  assert.ok(last);
  const { place, source, message, record: text } = last.json<Record<string, string>>();
  assert.match(place ?? '', /^stream PLATFORM, message \d+$/);
  assert.equal(source, 'platform.events.>');
  assert.ok(message && text);
});
