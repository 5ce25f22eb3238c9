import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApiClient } from './support/api-client.ts';
import { type NodeProcess, OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';
import { startReceiver } from './support/receiver.ts';
import { FIRST_ID, UsageRecords } from './support/usage-records.ts';
import { waitFor } from './support/wait-for.ts';

const ORGANISATION = 70412;
const [OLD, NEW] = [1, 2].map((fill) => Buffer.alloc(32, fill).toString('base64')) as [string, string];
const EACH = 50;

test('the secret is rotated: a data stream goes on, and in the end the new one opens all without the old one', {
  timeout: 300_000,
}, async (t) => {
  const received: { ids: number[]; authorisation: string | undefined }[] = [];
  const receiver = await startReceiver(({ body, headers }) => {
    const ids = [...body.toString().matchAll(/"id":(\d+)/g)].map(([, id = '']) => Number(id));
    const ours = ids.filter((id) => id >= FIRST_ID);
    if (ours.length > 0) received.push({ ids: ours, authorisation: headers.authorization });
    return { status: 200 };
  });
  const dataDirectory = temporaryDirectory();
  let node: NodeProcess | undefined;
  t.after(async () => {
    await node?.kill();
    await receiver.close();
    removeDirectory(dataDirectory);
  });
  const restart = async (environment: Record<string, string>) => {
    await node?.stop();
    node = await startNode({ dataDirectory, environment: { ...environment, SIMSTREAM_LOG_LEVEL: 'info' } });
    return node;
  };

  const { url } = await restart({ SIMSTREAM_SECRET: OLD });
  const client = createApiClient(url);
  await client.createOrganisation(ORGANISATION, 'Nordlicht Metering');
  const token = await client.authenticate(ORGANISATION);
  await client.createStream(token, {
    data_stream_type: { id: 1 },
    destination: {
      connection_type: 'RestAPI',
      credentials: { url: receiver.url, headers: ['Authorization:Bearer of-the-receiver'], size: 10 },
    },
  });

  const records = new UsageRecords(ORGANISATION);
  let sent = 0;
  const deliver = async ({ url }: NodeProcess) => {
    const response = await fetch(`${url}/operator/v1/records/usage`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
      body: records.batch(sent, EACH),
    });
    assert.equal(response.status, 202, await response.text());
    sent += EACH;
    await waitFor('all records', () => received.flatMap(({ ids }) => ids).length >= sent || undefined);
  };
  const tokenIsTaken = async ({ url }: NodeProcess) =>
    (await createApiClient(url).call('GET', '/api/v2/data_stream', token)).status === 200;

  const both = await restart({ SIMSTREAM_SECRET: NEW, SIMSTREAM_SECRET_PREVIOUS: OLD });
  await deliver(both);
  await waitFor('the line in the log', () => both.output().includes('secret.rotated') || undefined);
  assert.match(both.output(), /sealed with SIMSTREAM_SECRET, 1 of them since this start/);
  assert.equal(await tokenIsTaken(both), true);

  const without = await restart({ SIMSTREAM_SECRET: NEW });
  await deliver(without);
  assert.equal(await tokenIsTaken(without), false, 'what the old secret signed is worth nothing now');
  assert.doesNotMatch(without.output(), /secret\./);

  assert.deepEqual(
    received.flatMap(({ ids }) => ids),
    Array.from({ length: sent }, (_, n) => FIRST_ID + n),
  );
  for (const { authorisation } of received) assert.equal(authorisation, 'Bearer of-the-receiver');
});
