import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestWorld } from '../../src/delivery/world.fixture.ts';
import { eventHubs } from '../../src/destinations/azure/event-hubs.ts';
import { openBatches, testEnvironment } from '../../src/destinations/vendor.fixture.ts';
import { seededRandom } from '../../src/lib/manual-clock.fixture.ts';
import { type Policy, TestHub } from '../support/event-hubs-hub.ts';
import { hubError, TestHubRest, throttled } from '../support/event-hubs-rest.ts';

const RECORDS = 10_000;
const ENDPOINTS = 40;
/** Fewer records a batch than the connector takes, so that there are batches enough for every fault. */
const BATCH = 800;

for (const partition_key of ['none', 'endpoint_id'] as const) {
  test(`10,000 records arrive while the hub misbehaves; partition_key ${partition_key}`, async (t) => {
    const policy: Policy = { name: 'send', keys: ['Zmlyc3Q=', 'c2Vjb25k'], rights: ['Send'] };
    const environment = testEnvironment(t, {}, Date.UTC(2026, 5, 1));
    const hub = new TestHub('usage', [policy], () => environment.clock.now());
    const rest = await TestHubRest.start(t, hub);
    const keyed = partition_key === 'endpoint_id';
    const credentials = (key: string | undefined) => ({
      connection_string: rest.connectionString(policy, key),
      partition_key,
    });
    const first = await openBatches(eventHubs, credentials(policy.keys[0]), environment);
    const second = await openBatches(eventHubs, credentials(policy.keys[1]), environment);
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
      if (sends === 2) rest.next.push(throttled({ 'retry-after': '2' }), hubError(500, 'oops'));
      if (sends === 4) rest.throttles = () => random.next() < 0.3;
      if (sends === 7) rest.throttles = () => false;
      if (sends === 5) rest.next.push('drop');
      if (sends === 8) rest.disabled = true;
      if (sends === 9) rest.disabled = false;
      if (sends % 4 === 2) {
        rest.next.push('drop_after');
        dropped++;
      }
      // The key is regenerated in Azure while the stream runs, and was replaced here before.
      if (sends === 6) policy.keys.shift();
      try {
        return await (sends < 6 ? first : second).send(batch, signal);
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
    const seen = new Set<number>();
    const order = new Map<string, number[]>();
    for (const { body, partitionKey = '' } of hub.events) {
      const { id, endpoint } = JSON.parse(body) as { id: number; endpoint: { id: number } };
      if (keyed) assert.equal(partitionKey, String(endpoint.id));
      if (seen.has(id)) continue;
      seen.add(id);
      order.set(partitionKey, [...(order.get(partitionKey) ?? []), id]);
    }
    assert.equal(seen.size, RECORDS);
    for (const [key, ids] of order) {
      assert.deepEqual(
        ids,
        ids.toSorted((a, b) => a - b),
        `records of ${key || 'all endpoints'}`,
      );
    }
    const duplicates = hub.events.length - RECORDS;
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
