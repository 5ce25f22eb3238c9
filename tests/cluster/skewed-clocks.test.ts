import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createApiClient, usageWebhook } from '../support/api-client.ts';
import { natsMissing, startNats } from '../support/nats-server.ts';
import { OPERATOR_TOKEN, startNode } from '../support/node-process.ts';
import { removeDirectory, temporaryDirectory } from '../support/owned.ts';
import { startReceiver } from '../support/receiver.ts';
import { skewed } from '../support/skewed-clock.ts';
import { FIRST_ID, UsageRecords } from '../support/usage-records.ts';
import { waitFor } from '../support/wait-for.ts';

const ORGANISATION = 1_000_001;
const BEHIND_MS = 60_000;
const RECORDS = 20;
const WITHIN_MS = 45_000;

/** Two nodes start on one NATS server, and twenty records are delivered twice: about five seconds. */
test('the clocks of two nodes differ by a minute: start_from gives every record, whichever node takes it', {
  skip: natsMissing() ?? false,
}, async (t) => {
  const nats = await startNats({ servers: 1 });
  t.after(() => nats.dispose());
  const secret = randomBytes(32).toString('base64');
  const start = async (aheadMs: number) => {
    const dataDirectory = temporaryDirectory();
    const node = await startNode({
      dataDirectory,
      nodeArguments: skewed(aheadMs),
      environment: {
        SIMSTREAM_NATS_URL: nats.urls.join(','),
        SIMSTREAM_SECRET: secret,
        SIMSTREAM_PARTITIONS: '2',
      },
    });
    t.after(async () => {
      await node.kill();
      removeDirectory(dataDirectory);
    });
    return createApiClient(node.url);
  };
  const apis = [await start(0), await start(-BEHIND_MS)] as const;
  const [right, behind] = apis;
  await right.createOrganisation(ORGANISATION, 'Nordlicht Metering');
  const skews = async () => {
    const { text } = await right.call('GET', '/operator/v1/nodes', OPERATOR_TOKEN);
    const { nodes } = JSON.parse(text) as { nodes: { clock_skew_ms: number | null }[] };
    return nodes.map(({ clock_skew_ms }) => Math.round((clock_skew_ms ?? 0) / 1_000));
  };
  const heard = async () => (await skews()).includes(-BEHIND_MS / 1_000) || undefined;
  await waitFor('the nodes have heard the time from each other', heard, WITHIN_MS, 100);

  const from = new Date().toISOString();
  const made = new UsageRecords(ORGANISATION);
  for (let n = 0; n < RECORDS; n++) {
    const api = apis[n % 2] as typeof right;
    const body = JSON.parse(made.batch(n, 1).toString()) as unknown;
    const { status, text } = await api.call('POST', '/operator/v1/records/usage', OPERATOR_TOKEN, body);
    assert.equal(status, 202, text);
  }
  const arrived = new Map<string, number[]>();
  const receiver = await startReceiver(({ path, body }) => {
    const records = JSON.parse(body.toString()) as { id: number }[];
    arrived.set(path, [...(arrived.get(path) ?? []), ...records.map(({ id }) => id - FIRST_ID)]);
    return { status: 200 };
  });
  t.after(() => receiver.close());
  for (const [at, api] of apis.entries()) {
    const token = await api.authenticate(ORGANISATION);
    const stream = usageWebhook(`from ${at}`, `${receiver.url}/${at}`) as object;
    await api.createStream(token, { ...stream, start_from: from });
  }
  // A node that is behind takes the present for what it is, and not for the future.
  const token = await behind.authenticate(ORGANISATION);
  const now = usageWebhook('now', `${receiver.url}/now`) as object;
  await behind.createStream(token, { ...now, start_from: new Date().toISOString() });

  const expected = Array.from({ length: RECORDS }, (_, n) => n);
  for (const path of ['/0', '/1']) {
    const all = () => (arrived.get(path)?.length ?? 0) >= RECORDS || undefined;
    await waitFor(() => `${path}: ${arrived.get(path)}`, all, WITHIN_MS, 50);
    assert.deepEqual(arrived.get(path), expected, path);
  }
});
