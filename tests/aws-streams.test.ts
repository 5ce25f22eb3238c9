import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { kinesisError, TestKinesis } from './support/aws-kinesis.ts';
import { s3Error, TestS3 } from './support/aws-s3.ts';
import { BASE_KEYS, TestSts } from './support/aws-sts.ts';
import {
  checkArrivals,
  type DestinationBody,
  distinct,
  endpointKey,
  GENERATED,
  ORGANISATION,
  SAMPLES,
  startScenario,
} from './support/connector-scenario.ts';
import { generator } from './support/usage-records.ts';
import { waitFor } from './support/wait-for.ts';

const OLD_ROLE = 'arn:aws:iam::123456789012:role/simstream';
const NEW_ROLE = 'arn:aws:iam::123456789012:role/simstream-2';
/** Milliseconds: each look reads all that is there, which takes seconds in all if done again at once. */
const LOOK_EVERY = 500;

/** A node and its AWS; the streams are made over the API. */
async function setUp(t: TestContext) {
  const externalId = `org-${ORGANISATION}`;
  const sts = await TestSts.start(t, [
    { arn: OLD_ROLE, externalId },
    { arn: NEW_ROLE, externalId },
  ]);
  const kinesis = await TestKinesis.start(t, sts);
  const s3 = await TestS3.start(t, sts);
  const scenario = await startScenario(t, {
    AWS_ACCESS_KEY_ID: BASE_KEYS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: BASE_KEYS.secretAccessKey,
    AWS_PROFILE: '',
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_ENDPOINT_URL_KINESIS: kinesis.url,
    AWS_ENDPOINT_URL_S3: s3.url,
  });
  /** Gives the stream another role, and takes the old one away at once. */
  const rotate = async (id: string, destination: DestinationBody) => {
    await scenario.rotate(id, destination, { role_arn: NEW_ROLE });
    sts.roles.splice(0, sts.roles.length, { arn: NEW_ROLE, externalId });
    for (const session of sts.sessions) if (session.role === OLD_ROLE) session.expired = true;
  };
  return { kinesis, s3, scenario, rotate };
}

test('a Kinesis stream: samples and 10,000 records while Kinesis misbehaves, another role on the way', {
  timeout: 300_000,
}, async (t) => {
  const { kinesis, scenario, rotate } = await setUp(t);
  await kinesis.createStream('usage', 3);
  const destination = {
    connection_type: 'AwsKinesis',
    format: 'Json',
    credentials: { region: 'eu-west-1', stream_name: 'usage', role_arn: OLD_ROLE },
  };
  const missing = { ...destination, credentials: { ...destination.credentials, stream_name: 'nowhere' } };
  await assert.rejects(
    scenario.create('usage', missing),
    /422 .*no active stream arn:aws:kinesis:eu-west-1:123456789012:stream\/nowhere/s,
  );
  const id = await scenario.create('usage', destination);

  const random = generator(3);
  let calls = 0;
  kinesis.throttles = () => calls % 9 === 4 && random() < 0.2;
  kinesis.onPut = () => {
    calls++;
    if (calls % 23 === 7) kinesis.next.push('drop_after');
    if (calls === 12) kinesis.next.push(kinesisError('InternalFailure', 'oops', 500));
    if (calls === 16) kinesis.next.push('drop');
  };
  const expected = await scenario.ingest('usage', async (part) => {
    if (part === 3) await rotate(id, destination);
  });
  const all = distinct(expected);
  const drops = () => Math.ceil(calls / 23);
  const stored = await scenario.arrived(
    'all records',
    async () => {
      const present = await kinesis.records('usage');
      return distinct(present.map(({ text }) => text)) >= all ? present : undefined;
    },
    LOOK_EVERY,
  );
  await scenario.node.stop();

  // Four calls may be in flight; those that the change of the role cancels may have been taken.
  checkArrivals(stored, expected, (drops() + 4) * 500);
  for (const { key, text } of stored) assert.equal(key, endpointKey(text));
});

test('an S3 stream: samples and 10,000 records while S3 misbehaves, another role on the way', {
  timeout: 300_000,
}, async (t) => {
  const { s3, scenario, rotate } = await setUp(t);
  await s3.createBucket('usage');
  await s3.createBucket('events');
  const credentials = { region: 'eu-west-1', role_arn: OLD_ROLE, rotate_interval: 900_000 };
  const count = SAMPLES.usage.length + GENERATED;
  const usage = {
    connection_type: 'S3',
    credentials: { ...credentials, bucket_name: 'usage', flush_size: divisor(count) },
  };
  const id = await scenario.create('usage', usage);
  const flushEvents = divisor(SAMPLES.events.length);
  await scenario.create('events', {
    connection_type: 'S3',
    format: 'Json',
    credentials: {
      ...credentials,
      role_arn: NEW_ROLE,
      bucket_name: 'events',
      flush_size: flushEvents,
      compression: 'none',
    },
  });
  s3.next.push(s3Error(503, 'SlowDown', 'Please reduce your request rate.'), 'drop_after', 'drop');
  await scenario.send('events', SAMPLES.events);
  const expected = await scenario.ingest('usage', async (part) => {
    if (part === 3) {
      await waitFor('the faults to be met', () => (s3.next.length === 0 ? true : undefined));
      await rotate(id, usage);
    }
    if (part === 6) s3.next.push('drop_after');
  });
  const files = { usage: count / divisor(count), events: SAMPLES.events.length / flushEvents };
  const objects = await scenario.arrived(
    'all files',
    async () => {
      const present = { usage: await s3.objects('usage'), events: await s3.objects('events') };
      const all = present.usage.length >= files.usage && present.events.length >= files.events;
      return all ? present : undefined;
    },
    LOOK_EVERY,
  );
  await scenario.node.stop();

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

/** A number of records per file with which the last file is full too: nobody waits for the clock. */
function divisor(count: number): number {
  for (let size = 10; size <= count; size++) if (count % size === 0 && count / size < 60) return size;
  return count;
}
