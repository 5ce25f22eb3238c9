import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { batchOfTexts, sampleBatch, sampleId, sampleRecord } from '../../src/destinations/batches.fixture.ts';
import { pubSub } from '../../src/destinations/google/pub-sub.ts';
import { openBatches, testEnvironment } from '../../src/destinations/vendor.fixture.ts';
import {
  type Emulator,
  type PulledMessage,
  startEmulator,
  whyNoEmulator,
} from '../support/pub-sub-emulator.ts';

/**
 * Against Google's own emulator. Where it is not installed these tests are skipped, saying why; the stand-in of
 * pub-sub.test.ts then is all there is.
 */
describe('PubSub against Google’s emulator', { skip: whyNoEmulator() ?? false }, () => {
  const stops: (() => unknown)[] = [];
  let emulator: Emulator;
  before(async () => {
    emulator = await startEmulator({ after: (stop) => stops.push(stop) }, 'iot-records');
  });
  after(() => stops.forEach((stop) => void stop()));

  const open = (t: TestContext, cps_topic: string, ordering_key = 'none') => {
    const environment = testEnvironment(t, { PUBSUB_EMULATOR_HOST: emulator.host }, Date.UTC(2026, 0, 1));
    return openBatches(pubSub, { cps_project: 'iot-records', cps_topic, ordering_key }, environment);
  };
  const { signal } = new AbortController();

  async function pullAll(subscription: string, count: number): Promise<PulledMessage[]> {
    const messages: PulledMessage[] = [];
    while (messages.length < count) messages.push(...(await emulator.pull(subscription)));
    return messages;
  }

  test('messages are read back with their bytes and attributes', async (t) => {
    await emulator.createTopic('events');
    await emulator.subscribe('events', 'events-reader');
    const destination = await open(t, 'events');
    assert.deepEqual(await destination.send(sampleBatch({ kind: 'event', to: 30, blocks: 2 }), signal), {
      type: 'delivered',
    });
    const byId = new Map(
      (await pullAll('events-reader', 30)).map((each) => [each.attributes.record_id, each]),
    );
    assert.equal(byId.size, 30);
    for (let n = 0; n < 30; n++) {
      const id = sampleId(n);
      const { data, attributes } = byId.get(id) as PulledMessage;
      assert.equal(data, sampleRecord('event', n));
      const rest = { record_id: id, organisation_id: '70412', event_type_id: '3' };
      assert.deepEqual(attributes, { record_type: 'event', ...rest });
    }
  });

  test('messages of an endpoint come in order, beyond a request of 1,000', async (t) => {
    await emulator.createTopic('usage');
    await emulator.subscribe('usage', 'usage-reader');
    const destination = await open(t, 'usage', 'endpoint_id');
    // Of one endpoint there are more than a request holds.
    const endpoints = [...Array(1_100).fill(1), ...Array(50).fill(2)] as number[];
    const records = endpoints.map((endpoint, n) => `{"id":${n},"endpoint":{"id":${endpoint}}}`);
    assert.deepEqual(await destination.send(batchOfTexts('usage', records, 3), signal), {
      type: 'delivered',
    });
    const messages = await pullAll('usage-reader', records.length);
    for (const key of ['1', '2']) {
      const own = messages.filter(({ orderingKey }) => orderingKey === key).map(({ data }) => data);
      assert.deepEqual(
        own,
        records.filter((record) => record.endsWith(`{"id":${key}}}`)),
      );
    }
  });

  test('verification finds a topic, and misses one', async (t) => {
    await emulator.createTopic('there');
    assert.deepEqual(await (await open(t, 'there')).verify(signal), { type: 'reachable' });
    const missing = await open(t, 'not-there');
    const verdict = await missing.verify(signal);
    assert.ok(verdict.type === 'failed' && verdict.cause.code === 'NOT_FOUND', JSON.stringify(verdict));
    assert.equal((await missing.send(sampleBatch({ to: 1 }), signal)).type, 'refused');
  });
});
