import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestWorld } from '../src/delivery/world.fixture.ts';
import { s3 } from '../src/destinations/aws/s3.ts';
import { configureDestination } from '../src/destinations/configure.ts';
import type { FileDestination } from '../src/destinations/contract.ts';
import { testEnvironment } from '../src/destinations/vendor.fixture.ts';
import type { ProgressDocument } from '../src/registry/data-stream.ts';
import { createApiClient, usageWebhook } from './support/api-client.ts';
import { TestS3 } from './support/aws-s3.ts';
import { BASE_KEYS, TestSts } from './support/aws-sts.ts';
import { OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { startReceiver } from './support/receiver.ts';
import { smallDisk } from './support/small-disk.ts';
import { waitFor } from './support/wait-for.ts';

/* A disk that is really full, where this user may mount one. */

const ORGANISATION = 70412;
/** Records of a file that is too large to be kept in memory. */
const FILE = 50_000;
const ROLE = 'arn:aws:iam::123456789012:role/simstream';
const NO_DISK = 'this user may not mount a file system';
const ENVIRONMENT = { SIMSTREAM_VERIFY_DESTINATIONS: 'false' };
const WITHIN_MS = 60_000;

test('a full disk: records are refused, the node says so and is not ready; with room again it goes on, and loses nothing', {
  timeout: 240_000,
}, async (t) => {
  const disk = smallDisk(t, 48);
  if (!disk) return t.skip(NO_DISK);
  const arrived = new Set<number>();
  const receiver = await startReceiver(({ body }) => {
    for (const { id } of JSON.parse(body.toString()) as { id: number }[]) arrived.add(id);
    return { status: 200 };
  });
  t.after(() => receiver.close());
  const node = await startNode({ dataDirectory: disk.path, environment: ENVIRONMENT });
  t.after(() => node.kill());
  const client = createApiClient(node.url);
  await client.createOrganisation(ORGANISATION, 'Nordlicht Metering');
  await client.createStream(await client.authenticate(ORGANISATION), usageWebhook('w', receiver.url));

  let next = 1;
  const acknowledged: number[] = [];
  const produce = async (count: number) => {
    const ids = Array.from({ length: count }, () => next++);
    const answer = await client.call(
      'POST',
      '/operator/v1/records/usage',
      OPERATOR_TOKEN,
      ids.map((id) => record(id)),
    );
    if (answer.status === 202) acknowledged.push(...ids);
    return answer;
  };
  const ready = async () => {
    const response = await fetch(`${node.url}/readyz`);
    return { status: response.status, text: await response.text() };
  };
  assert.equal((await produce(10)).status, 202);
  assert.equal((await ready()).status, 200);

  disk.fill();
  const refused = await waitFor(
    'a request is refused',
    async () => {
      const answer = await produce(1_000);
      return answer.status === 202 ? undefined : answer;
    },
    WITHIN_MS,
  );
  assert.equal(refused.status, 503, refused.text);
  const unready = await ready();
  assert.equal(unready.status, 503, unready.text);
  assert.match(unready.text, /records cannot be stored|no space|disk|MDB_MAP_FULL|ENOSPC/i);
  t.diagnostic(`refused: ${refused.text}`);
  t.diagnostic(`not ready: ${unready.text}`);

  disk.empty();
  await waitFor(
    'the node is ready',
    async () => ((await ready()).status === 200 ? true : undefined),
    WITHIN_MS,
    100,
  );
  assert.equal((await produce(10)).status, 202);
  await waitFor(
    () => `all that was acknowledged arrives: ${arrived.size} of ${acknowledged.length}`,
    () => (acknowledged.every((id) => arrived.has(id)) ? true : undefined),
    WITHIN_MS,
    50,
  );
  const { code } = await node.stop();
  assert.equal(code, 0, node.output());
});

test('files with a full scratch directory: the operator must act, nobody else is blamed, and the file is stored once there is room', {
  timeout: 300_000,
}, async (t) => {
  const disk = smallDisk(t, 8);
  if (!disk) return t.skip(NO_DISK);
  const sts = await TestSts.start(t, [{ arn: ROLE, externalId: 'org-70412' }]);
  const peer = await TestS3.start(t, sts);
  await peer.createBucket('records');
  const variables = {
    AWS_ACCESS_KEY_ID: BASE_KEYS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: BASE_KEYS.secretAccessKey,
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_ENDPOINT_URL_S3: peer.url,
  };
  const scratchDirectory = disk.path;
  const environment = { ...testEnvironment(t, variables, Date.UTC(2026, 5, 1)), scratchDirectory };
  const fields = { region: 'eu-west-1', bucket_name: 'records', role_arn: ROLE, flush_size: FILE };
  const result = configureDestination(s3, fields);
  assert.ok(result.type === 'configured');
  const { configured } = result;
  const bucket = (await configured.open(environment)) as FileDestination;
  let under = 0;
  const destination: FileDestination = {
    ...bucket,
    store: async (file, signal) => {
      under++;
      return bucket.store(file, signal).finally(() => under--);
    },
  };
  const world = new TestWorld({ gathering: configured.gathering, destination });
  await world.organisation(1);
  await world.start();
  await world.stream('s', () => ({ type: 'delivered' }));

  disk.fill();
  for (let from = 0; from < FILE; from += 5_000)
    await world.append(
      'usage',
      Array.from({ length: 5_000 }, (_, n) => ({ id: from + n, organisation: 1 })),
    );
  const until = async (what: string, is: (progress: ProgressDocument) => boolean) =>
    waitFor(
      what,
      async () => {
        if (under === 0) await world.clock.advance(1_000);
        const progress = await world.progress('s');
        return is(progress) ? progress : undefined;
      },
      WITHIN_MS,
    );
  const { lastError, status } = await until('it failed', (progress) => progress.lastError !== null);
  assert.equal(status.state, 'running');
  assert.match(status.message, /operator/i);
  assert.doesNotMatch(`${lastError?.message}`, /AWS|S3|bucket/);
  assert.ok(
    world.faults.some((fault) => /its disk is full/.test(fault)),
    `${world.faults}`,
  );

  disk.empty();
  await until('it is stored', ({ counters }) => counters.delivered === FILE);
  assert.equal((await peer.objects('records')).length, 1);
  await world.stop();
});

function record(id: number) {
  return {
    id,
    organisation: { id: ORGANISATION },
    endpoint: { id: 1 },
    traffic_type: { id: 5 },
    start_timestamp: '2026-01-01T00:00:00Z',
    end_timestamp: '2026-01-01T00:00:00Z',
    volume: { total: 1, rx: 0.5, tx: 0.5 },
    cost: 0.001,
  };
}
