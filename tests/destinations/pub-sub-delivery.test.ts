import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestWorld } from '../../src/delivery/world.fixture.ts';
import { pubSub } from '../../src/destinations/google/pub-sub.ts';
import { openBatches, testEnvironment } from '../../src/destinations/vendor.fixture.ts';
import { seededRandom } from '../../src/lib/manual-clock.fixture.ts';
import { googleError, newServiceAccount, TestPubSub } from '../support/pub-sub-rest.ts';

const RECORDS = 10_000;
const ENDPOINTS = 40;
const TOPIC = 'projects/iot-records/topics/usage';
/** Fewer records a batch than the connector takes, so that there are batches enough for every fault. */
const BATCH = 800;
const account = newServiceAccount('streamer@sim-operator.iam.gserviceaccount.com');
process.env.GOOGLE_APPLICATION_CREDENTIALS = account.keyFile;

for (const ordering_key of ['none', 'endpoint_id'] as const) {
  test(`10,000 records arrive while Pub/Sub misbehaves; ordering_key ${ordering_key}`, async (t) => {
    const service = await TestPubSub.start(t, account, [TOPIC]);
    const variables = { CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB: service.url };
    const environment = testEnvironment(t, variables, Date.UTC(2026, 5, 1));
    const credentials = { cps_project: 'iot-records', cps_topic: 'usage', ordering_key };
    const destination = await openBatches(pubSub, credentials, environment);
    const world = new TestWorld({ gathering: { by: 'batch', records: BATCH, bytes: 2 ** 20 } });
    await world.organisation(1);
    await world.start();

    let sending = 0;
    let sends = 0;
    let dropped = 0;
    const random = seededRandom(7);
    await world.stream('s', async (_, batch, signal) => {
      sends++;
      sending++;
      if (sends === 2) service.next.push(googleError(503, 'UNAVAILABLE', 'later'));
      if (sends === 3) service.next.push('drop', googleError(500, 'INTERNAL', 'oops'));
      if (sends === 4) service.throttles = () => random.next() < 0.3;
      if (sends === 7) service.throttles = () => false;
      if (sends === 8) service.publishers.clear();
      if (sends === 9) service.publishers.add(account.email);
      if (sends % 4 === 2) {
        service.next.push('drop_after');
        dropped++;
      }
      try {
        return await destination.send(batch, signal);
      } finally {
        sending--;
      }
    });
    for (let id = 0; id < RECORDS; id += 700) {
      const records = Array.from({ length: Math.min(700, RECORDS - id) }, (_, n) => {
        const endpoint = { id: 5000 + Math.floor(random.next() * ENDPOINTS) };
        return { id: id + n, organisation: 1, endpoint };
      });
      await world.append('usage', records);
    }
    await driveUntilDelivered();
    await world.stop();

    assert.deepEqual(world.faults, []);
    assert.deepEqual(
      world.states.map(({ state }) => state),
      ['running'],
      'it never gave up',
    );
    assert.ok(dropped >= 1 && sends > 8, `the faults were met: ${sends} sends, ${dropped} drops`);
    const messages = service.messages(TOPIC);
    const seen = new Set<string>();
    const order = new Map<string, number[]>();
    for (const { data, attributes, orderingKey } of messages) {
      const { id, endpoint } = JSON.parse(data) as { id: number; endpoint: { id: number } };
      assert.equal(orderingKey, ordering_key === 'none' ? '' : String(endpoint.id));
      assert.equal(attributes.record_id, String(id));
      if (seen.has(attributes.record_id)) continue;
      seen.add(attributes.record_id);
      order.set(orderingKey, [...(order.get(orderingKey) ?? []), id]);
    }
    assert.equal(seen.size, RECORDS);
    for (const [key, ids] of order) {
      assert.deepEqual(
        ids,
        ids.toSorted((a, b) => a - b),
        `records of ${key || 'all endpoints'}`,
      );
    }
    const duplicates = messages.length - RECORDS;
    assert.ok(duplicates > 0 && duplicates <= dropped * BATCH, `${duplicates} after ${dropped} drops`);

    /** Time passes only while nothing is in flight: what is in flight takes real time. */
    async function driveUntilDelivered(): Promise<void> {
      for (let idle = 0; idle < 5_000; ) {
        idle = sending === 0 ? idle + 1 : 0;
        if (sending === 0) await world.clock.advance(1_000);
        else await new Promise((resolve) => setImmediate(resolve));
        const { counters } = await world.progress('s');
        if (counters.delivered + counters.quarantined >= RECORDS) {
          assert.equal(counters.quarantined, 0);
          return;
        }
      }
      throw new Error(`nothing more is sent: ${JSON.stringify(await world.progress('s'))}`);
    }
  });
}
