import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'csv-parse/sync';
import { createApiClient } from './support/api-client.ts';
import { kinesisError, TestKinesis } from './support/aws-kinesis.ts';
import { s3Error, TestS3 } from './support/aws-s3.ts';
import { BASE_KEYS, TestSts } from './support/aws-sts.ts';
import { type NodeProcess, OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';
import { FIRST_ID, generator, UsageRecords } from './support/usage-records.ts';
import { waitFor } from './support/wait-for.ts';

const ORGANISATION = 70412;
const OLD_ROLE = 'arn:aws:iam::123456789012:role/simstream';
const NEW_ROLE = 'arn:aws:iam::123456789012:role/simstream-2';
const GENERATED = 10_000;
const SAMPLES = { usage: samples('usage-samples'), events: samples('event-samples') };

/** A node and its AWS; the streams are made over the API. */
async function setUp(t: TestContext) {
  const externalId = `org-${ORGANISATION}`;
  const sts = await TestSts.start(t, [
    { arn: OLD_ROLE, externalId },
    { arn: NEW_ROLE, externalId },
  ]);
  const kinesis = await TestKinesis.start(t, sts);
  const s3 = await TestS3.start(t, sts);
  const dataDirectory = temporaryDirectory();
  const node = await startNode({
    dataDirectory,
    environment: {
      AWS_ACCESS_KEY_ID: BASE_KEYS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: BASE_KEYS.secretAccessKey,
      AWS_PROFILE: '',
      AWS_ENDPOINT_URL_STS: sts.url,
      AWS_ENDPOINT_URL_KINESIS: kinesis.url,
      AWS_ENDPOINT_URL_S3: s3.url,
    },
  });
  t.after(async () => {
    await node.kill();
    removeDirectory(dataDirectory);
  });
  const client = createApiClient(node.url);
  await client.createOrganisation(ORGANISATION, 'Nordlicht Metering');
  const token = await client.authenticate(ORGANISATION);
  /** Gives the stream another role, and takes the old one away at once. */
  const rotate = async (id: string, destination: { credentials: object }) => {
    const credentials = { ...destination.credentials, role_arn: NEW_ROLE };
    const path = `/api/v2/data_stream/${id}`;
    const answer = await client.call('PATCH', path, token, { destination: { ...destination, credentials } });
    assert.equal(answer.status, 202, answer.text);
    sts.roles.splice(0, sts.roles.length, { arn: NEW_ROLE, externalId });
    for (const session of sts.sessions) if (session.role === OLD_ROLE) session.expired = true;
  };
  return { sts, kinesis, s3, node, client, token, rotate };
}

test('a Kinesis stream: samples and 10,000 records while Kinesis misbehaves, another role on the way', {
  timeout: 120_000,
}, async (t) => {
  const { kinesis, node, client, token, rotate } = await setUp(t);
  await kinesis.createStream('usage', 3);
  const destination = {
    connection_type: 'AwsKinesis',
    format: 'Json',
    credentials: { region: 'eu-west-1', stream_name: 'usage', role_arn: OLD_ROLE },
  };
  const missing = { ...destination, credentials: { ...destination.credentials, stream_name: 'nowhere' } };
  const path = '/api/v2/data_stream';
  const refused = await client.call('POST', path, token, {
    data_stream_type: { id: 1 },
    destination: missing,
  });
  assert.equal(refused.status, 422);
  assert.match(refused.text, /no active stream arn:aws:kinesis:eu-west-1:123456789012:stream\/nowhere/);
  const id = await client.createStream(token, { data_stream_type: { id: 1 }, destination });

  const random = generator(3);
  let calls = 0;
  kinesis.throttles = () => calls % 9 === 4 && random() < 0.2;
  kinesis.onPut = () => {
    calls++;
    if (calls % 23 === 7) kinesis.next.push('drop_after');
    if (calls === 12) kinesis.next.push(kinesisError('InternalFailure', 'oops', 500));
    if (calls === 16) kinesis.next.push('drop');
  };
  const expected = await ingestUsage(node, async (part) => {
    if (part === 3) await rotate(id, destination);
  });
  // A sample comes twice, to show what a duplicate is.
  const distinct = new Set(expected).size;
  const drops = () => Math.ceil(calls / 23);
  const stored = await waitFor(
    () => `all records\n${node.output()}`,
    async () => {
      const present = await kinesis.records('usage');
      return new Set(present.map(({ text }) => text)).size >= distinct ? present : undefined;
    },
    60_000,
  );
  await node.stop();

  assert.deepEqual(new Set(stored.map(({ text }) => text)), new Set(expected));
  const duplicates = stored.length - expected.length;
  assert.ok(duplicates <= drops() * 500, `${duplicates} duplicates`);
  const last = new Map<string, number>();
  const seen = new Set<string>();
  for (const { key, text } of stored) {
    const record = JSON.parse(text) as { id: number; endpoint: { id: number } };
    assert.equal(key, String(record.endpoint.id));
    if (seen.has(text) || record.id < FIRST_ID) continue;
    seen.add(text);
    assert.ok(record.id > (last.get(key) ?? 0), `records of endpoint ${key}`);
    last.set(key, record.id);
  }
});

test('an S3 stream: samples and 10,000 records while S3 misbehaves, another role on the way', {
  timeout: 120_000,
}, async (t) => {
  const { s3, node, client, token, rotate } = await setUp(t);
  await s3.createBucket('usage');
  await s3.createBucket('events');
  const credentials = { region: 'eu-west-1', role_arn: OLD_ROLE, rotate_interval: 900_000 };
  const count = SAMPLES.usage.length + GENERATED;
  const usage = {
    connection_type: 'S3',
    credentials: { ...credentials, bucket_name: 'usage', flush_size: divisor(count) },
  };
  const id = await client.createStream(token, { data_stream_type: { id: 1 }, destination: usage });
  const flushEvents = divisor(SAMPLES.events.length);
  await client.createStream(token, {
    data_stream_type: { id: 2 },
    destination: {
      connection_type: 'S3',
      format: 'Json',
      credentials: {
        ...credentials,
        role_arn: NEW_ROLE,
        bucket_name: 'events',
        flush_size: flushEvents,
        compression: 'none',
      },
    },
  });
  s3.next.push(s3Error(503, 'SlowDown', 'Please reduce your request rate.'), 'drop_after', 'drop');
  await ingest(node, 'events', `[${SAMPLES.events.join(',')}]`);
  const expected = await ingestUsage(node, async (part) => {
    if (part === 3) {
      await waitFor('the faults to be met', () => (s3.next.length === 0 ? true : undefined));
      await rotate(id, usage);
    }
    if (part === 6) s3.next.push('drop_after');
  });
  const files = { usage: count / divisor(count), events: SAMPLES.events.length / flushEvents };
  const objects = await waitFor(
    () => `all files\n${node.output()}`,
    async () => {
      const present = { usage: await s3.objects('usage'), events: await s3.objects('events') };
      const all = present.usage.length >= files.usage && present.events.length >= files.events;
      return all ? present : undefined;
    },
    60_000,
  );
  await node.stop();

  const rows = objects.usage.flatMap(
    ({ bytes }) => parse(bytes, { columns: true }) as Record<string, string>[],
  );
  assert.deepEqual(
    rows.map((row) => row.id),
    expected.map((text) => /^\{"id":(\d+),/.exec(text)?.[1]),
  );
  for (const [n, row] of rows.entries()) {
    const { volume, cost, sim } = JSON.parse(expected[n] as string) as Usage;
    assert.equal(Number(row.volume), volume.total);
    assert.equal(Number(row.cost), cost);
    assert.equal(row.iccid, sim.iccid);
  }
  const lines = objects.events.flatMap(({ bytes }) => bytes.toString().trimEnd().split('\n'));
  assert.deepEqual(lines, SAMPLES.events);
});

interface Usage {
  readonly volume: { readonly total: number };
  readonly cost: number;
  readonly sim: { readonly iccid: string };
}

/** The samples, then the generated records in ten requests; returns all of them, in order. */
async function ingestUsage(node: NodeProcess, between: (part: number) => Promise<void>): Promise<string[]> {
  await ingest(node, 'usage', `[${SAMPLES.usage.join(',')}]`);
  const records = new UsageRecords(ORGANISATION);
  const texts = [...SAMPLES.usage];
  for (let part = 0; part < 10; part++) {
    const first = (part * GENERATED) / 10;
    await ingest(node, 'usage', records.batch(first, GENERATED / 10));
    for (let n = first; n < first + GENERATED / 10; n++)
      texts.push(records.batch(n, 1).toString().slice(1, -1));
    await between(part);
  }
  return texts;
}

async function ingest(node: NodeProcess, kind: 'usage' | 'events', body: string | Buffer): Promise<void> {
  const response = await fetch(`${node.url}/operator/v1/records/${kind}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
    body,
  });
  assert.equal(response.status, 202, await response.text());
}

/** A number of records per file with which the last file is full too: nobody waits for the clock. */
function divisor(count: number): number {
  for (let size = 10; size <= count; size++) if (count % size === 0 && count / size < 60) return size;
  return count;
}

function samples(name: string): string[] {
  const path = fileURLToPath(new URL(`./fixtures/samples/${name}.ndjson`, import.meta.url));
  return readFileSync(path, 'utf8').trimEnd().split('\n');
}
