import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestWorld } from '../../src/delivery/world.fixture.ts';
import { awsKinesis } from '../../src/destinations/aws/kinesis.ts';
import type { Configured } from '../../src/destinations/contract.ts';
import { openBatches, testEnvironment } from '../../src/destinations/vendor.fixture.ts';
import { seededRandom } from '../../src/lib/manual-clock.fixture.ts';
import { kinesisError, TestKinesis } from '../support/aws-kinesis.ts';
import { BASE_KEYS, TestSts } from '../support/aws-sts.ts';

const ROLE = 'arn:aws:iam::123456789012:role/simstream';
const RECORDS = 10_000;
const ENDPOINTS = 300;

test('10,000 records arrive, in order per endpoint, while Kinesis misbehaves', async (t) => {
  const sts = await TestSts.start(t, [{ arn: ROLE, externalId: 'org-70412' }]);
  const kinesis = await TestKinesis.start(t, sts);
  await kinesis.createStream('records', 3);
  const environment = testEnvironment(
    t,
    {
      AWS_ACCESS_KEY_ID: BASE_KEYS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: BASE_KEYS.secretAccessKey,
      AWS_ENDPOINT_URL_STS: sts.url,
      AWS_ENDPOINT_URL_KINESIS: kinesis.url,
    },
    Date.UTC(2026, 5, 1),
  );
  const credentials = { region: 'eu-west-1', stream_name: 'records', role_arn: ROLE };
  const destination = await openBatches(awsKinesis, credentials, environment);
  const { gathering } = awsKinesis.configure(credentials, 'Json') as Configured;
  // In smaller batches, so that there are enough of them for all that goes wrong.
  const world = new TestWorld({ gathering: { ...gathering, records: 500 } });
  await world.organisation(1);
  await world.start();

  let sending = 0;
  let sends = 0;
  let drops = 0;
  const random = seededRandom(7);
  await world.stream('s', async (_, batch, signal) => {
    sends++;
    sending++;
    if (sends === 3) kinesis.throttles = () => random.next() < 0.1;
    if (sends === 9) kinesis.throttles = () => false;
    if (sends === 5) sts.expireSessions();
    if (sends % 6 === 0) {
      kinesis.next.push('drop_after');
      drops++;
    }
    if (sends === 10) kinesis.next.push('drop', kinesisError('InternalFailure', 'oops', 500));
    if (sends === 13) kinesis.next.push(kinesisError('ProvisionedThroughputExceededException', 'slow'));
    if (sends === 14) kinesis.allowed = false;
    if (sends === 16) kinesis.allowed = true;
    try {
      return await destination.send(batch, signal);
    } finally {
      sending--;
    }
  });
  for (let id = 0; id < RECORDS; id += 700) {
    const count = Math.min(700, RECORDS - id);
    const records = Array.from({ length: count }, (_, n) => {
      const endpoint = { id: 5000 + Math.floor(random.next() * ENDPOINTS) };
      return { id: id + n, organisation: 1, endpoint };
    });
    await world.append('usage', records);
  }
  const { progress } = await driveUntilDelivered();
  await world.stop();

  assert.equal(progress.counters.quarantined, 0);
  assert.deepEqual(world.faults, []);
  assert.deepEqual(
    world.states.map(({ state }) => state),
    ['running'],
    'it never gave up',
  );
  assert.ok(drops > 2 && sts.sessions.length > 1 && sends > 20, 'the faults were met');
  const stored = await kinesis.records('records');
  const firsts = new Map<string, number[]>();
  const seen = new Set<number>();
  for (const { key, text } of stored) {
    const { id } = JSON.parse(text) as { id: number };
    if (seen.has(id)) continue;
    seen.add(id);
    firsts.set(key, [...(firsts.get(key) ?? []), id]);
  }
  assert.equal(seen.size, RECORDS);
  for (const [key, ids] of firsts) {
    assert.deepEqual(
      ids,
      ids.toSorted((a, b) => a - b),
      `records of ${key}`,
    );
  }
  const duplicates = stored.length - RECORDS;
  assert.ok(duplicates > 0 && duplicates <= drops * 500, `${duplicates} duplicates after ${drops} drops`);

  /** Time passes only while nothing is in flight: what is in flight takes real time. */
  async function driveUntilDelivered() {
    for (let idle = 0; idle < 5_000; ) {
      idle = sending === 0 ? idle + 1 : 0;
      if (sending === 0) await world.clock.advance(1_000);
      else await new Promise((resolve) => setImmediate(resolve));
      const progress = await world.progress('s');
      if (progress.counters.delivered + progress.counters.quarantined >= RECORDS) return { progress };
    }
    throw new Error(`nothing more is sent: ${JSON.stringify(await world.progress('s'))}`);
  }
});
