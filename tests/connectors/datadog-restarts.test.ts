import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startVendor } from '../../src/destinations/vendor.fixture.ts';
import { createApiClient } from '../support/api-client.ts';
import { OPERATOR_TOKEN, startNode } from '../support/node-process.ts';
import { removeDirectory, temporaryDirectory } from '../support/owned.ts';
import { waitFor } from '../support/wait-for.ts';

const ORGANISATION = 70412;
const PATIENCE = 60_000;

interface Series {
  readonly metric: string;
  readonly points: readonly { readonly timestamp: number; readonly value: number }[];
}

/** A session of one device that ends at `end`. */
function session(id: number, end: string, volume: number, cost: number) {
  return {
    id,
    start_timestamp: new Date(Date.parse(end) - 60_000).toISOString(),
    end_timestamp: end,
    traffic_type: { id: 5, description: 'Data' },
    organisation: { id: ORGANISATION, name: 'Nordlicht Metering' },
    endpoint: { id: 41806233, name: 'Meter 1' },
    sim: { id: 5230771, iccid: '8999942310000004410' },
    operator: { id: 318, name: 'Lusocel Móvel', country: { id: 177, name: 'Portugal' } },
    volume: { total: volume, rx: volume, tx: 0 },
    cost,
    currency: { id: 1, code: 'EUR' },
  };
}

test('Datadog: a stop and a kill -9 between sessions that end in the same second: each megabyte and cent counts once', {
  timeout: 180_000,
}, async (t) => {
  /** Datadog keeps the last value of a metric, its tags and a second. All sessions here have the same tags and second. */
  const values = new Map<string, number>();
  let answersAreLost = false;
  const datadog = await startVendor(t, ({ method, text }) => {
    if (method === 'GET') return { status: 200, body: { valid: true } };
    for (const { metric, points } of (JSON.parse(text) as { series: Series[] }).series) {
      assert.equal(points.length, 1);
      values.set(metric, points[0]?.value ?? Number.NaN);
    }
    return answersAreLost ? 'hang' : { status: 202, body: { errors: [] } };
  });
  const dataDirectory = temporaryDirectory();
  const environment = { DD_URL: datadog.url };
  let node = await startNode({ dataDirectory, environment });
  t.after(async () => {
    await node.kill();
    removeDirectory(dataDirectory);
  });
  const client = createApiClient(node.url);
  await client.createOrganisation(ORGANISATION, 'Nordlicht Metering');
  await client.createStream(await client.authenticate(ORGANISATION), {
    data_stream_type: { id: 1 },
    destination: {
      connection_type: 'Datadog',
      credentials: { api_key: '0123456789abcdef0123456789abcdef' },
    },
  });
  const end = new Date(Math.floor(Date.now() / 1000) * 1000 - 60_000).toISOString();
  let id = 0;
  const ingest = async (volume: number, cost: number) => {
    const records = [session(++id, end, volume, cost)];
    const { status, text } = await client.call('POST', '/operator/v1/records/usage', OPERATOR_TOKEN, records);
    assert.equal(status, 202, text);
  };
  const held = (volume: number) =>
    waitFor(
      () => `${volume} MB; Datadog has ${values.get('endpoint.volume')}\n${node.output()}`,
      () => (values.get('endpoint.volume') === volume ? true : undefined),
      PATIENCE,
    );
  const startAgain = async () => {
    node = await startNode({ dataDirectory, environment, port: node.port });
  };

  await ingest(1.5, 0.01);
  await held(1.5);
  // The position is committed: the next process sends the first session no more.
  await node.stop();
  await startAgain();
  answersAreLost = true;
  await ingest(2.5, 0.02);
  await held(4);
  // Datadog has the points, and the node dies before it knows.
  await node.kill();
  answersAreLost = false;
  values.clear();
  await startAgain();
  await ingest(4, 0.03);
  await held(8);
  assert.deepEqual(Object.fromEntries(values), {
    'endpoint.volume': 8,
    'endpoint.volume_tx': 0,
    'endpoint.volume_rx': 8,
    'endpoint.cost': 0.06,
  });
});
