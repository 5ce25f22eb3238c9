import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestWorld } from '../../src/delivery/world.fixture.ts';
import { awsKinesis } from '../../src/destinations/aws/kinesis.ts';
import type { Configured } from '../../src/destinations/contract.ts';
import { openBatches, testEnvironment } from '../../src/destinations/vendor.fixture.ts';
import { TestKinesis } from '../support/aws-kinesis.ts';
import { BASE_KEYS, TestSts } from '../support/aws-sts.ts';

const ROLE = 'arn:aws:iam::123456789012:role/simstream';

/** A stream to Kinesis whose gate throttles some keys; time stands still unless the test moves it. */
async function streaming(t: Parameters<typeof testEnvironment>[0]) {
  const sts = await TestSts.start(t, [{ arn: ROLE, externalId: 'org-70412' }]);
  const kinesis = await TestKinesis.start(t, sts);
  await kinesis.createStream('records', 3);
  const variables = {
    AWS_ACCESS_KEY_ID: BASE_KEYS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: BASE_KEYS.secretAccessKey,
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_ENDPOINT_URL_KINESIS: kinesis.url,
  };
  const environment = testEnvironment(t, variables, Date.UTC(2026, 5, 1));
  const credentials = { region: 'eu-west-1', stream_name: 'records', role_arn: ROLE };
  const destination = await openBatches(awsKinesis, credentials, environment);
  const { gathering } = awsKinesis.configure(credentials, 'Json') as Configured;
  const world = new TestWorld({ gathering });
  await world.organisation(1);
  await world.start();
  let sending = 0;
  await world.stream('s', async (_, batch, signal) => {
    sending++;
    try {
      return await destination.send(batch, signal);
    } finally {
      sending--;
    }
  });
  let next = 0;
  const append = (endpoints: readonly number[]) =>
    world.append(
      'usage',
      endpoints.map((id) => ({ id: next++, organisation: 1, endpoint: { id } })),
    );
  /** Lets everything happen that needs no time to pass. */
  const quiet = async () => {
    for (let idle = 0; idle < 200; idle++) {
      if (sending > 0) idle = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return {
    world,
    kinesis,
    append,
    quiet,
    delivered: async () => (await world.progress('s')).counters.delivered,
  };
}

test('one device in a hundred is throttled: the others are delivered as if nothing were', async (t) => {
  const { world, kinesis, append, quiet } = await streaming(t);
  const held = (key: string) => Number(key) % 100 === 7;
  kinesis.throttles = ({ PartitionKey }) => held(PartitionKey);
  for (let round = 0; round < 10; round++) await append(Array.from({ length: 1_000 }, (_, n) => 1_000 + n));
  for (let second = 0; second < 5; second++) {
    await quiet();
    await world.clock.advance(1_000);
  }
  await quiet();
  const stored = await kinesis.records('records');
  const others = stored.filter(({ key }) => !held(key)).length;
  assert.ok(others >= 0.95 * 9_900, `${others} of 9,900 arrived`);
  assert.equal(stored.length, others);
  kinesis.throttles = () => false;
  for (let minute = 0; minute < 12 && (await kinesis.records('records')).length < 10_000; minute++) {
    await world.clock.advance(30_000);
    await quiet();
  }
  const all = await kinesis.records('records');
  assert.equal(all.length, 10_000, 'each record once');
  for (const key of new Set(all.map((record) => record.key))) {
    const ids = all.filter((record) => record.key === key).map(({ text }) => JSON.parse(text).id as number);
    assert.deepEqual(
      ids,
      ids.toSorted((a, b) => a - b),
      `the order of ${key}`,
    );
  }
  await world.stop();
});

test('one device with a tenth of all records needs less than twice as many calls', async (t) => {
  const calls = async (endpointOf: (n: number) => number) => {
    const { world, kinesis, append, quiet } = await streaming(t);
    for (let round = 0; round < 10; round++)
      await append(Array.from({ length: 1_000 }, (_, n) => endpointOf(n)));
    await quiet();
    assert.equal((await kinesis.records('records')).length, 10_000);
    await world.stop();
    return kinesis.puts.length;
  };
  const even = await calls((n) => 1_000 + n);
  const chatty = await calls((n) => (n % 10 === 0 ? 1 : 1_000 + n));
  const nobody = await calls(() => 0);
  assert.ok(chatty < 2 * even, `${chatty} calls beside ${even}`);
  assert.ok(nobody < 10_000 / 30, `${nobody} calls for records without a device`);
});
