import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createSasTokenProvider, parseConnectionString as parseOfAzure } from '@azure/core-amqp';
import {
  EventHubConsumerClient,
  EventHubProducerClient,
  earliestEventPosition,
  type ReceivedEventData,
} from '@azure/event-hubs';
import { eventHubs } from '../../src/destinations/azure/event-hubs.ts';
import { parseConnectionString } from '../../src/destinations/azure/event-hubs-connection.ts';
import { sharedAccessSignature } from '../../src/destinations/azure/event-hubs-token.ts';
import { sampleBatch, sampleRecord } from '../../src/destinations/batches.fixture.ts';
import { openBatches, testEnvironment } from '../../src/destinations/vendor.fixture.ts';
import { startHubAmqp } from '../support/event-hubs-amqp.ts';
import { TestHub } from '../support/event-hubs-hub.ts';
import { TestHubRest } from '../support/event-hubs-rest.ts';

/**
 * What Azure's own client says to the same things: how a token is signed, how a connection string is read, and what is in
 * the hub after the connector has sent.
 */
const KEY = 'a2V5LW9mLXRoZS1wb2xpY3ktYWxs/+==';
const POLICY = { name: 'all rights', keys: [KEY], rights: ['Send', 'Listen'] as const };

async function start(t: TestContext) {
  const hub = new TestHub('usage', [POLICY], () => Date.now());
  const rest = await TestHubRest.start(t, hub);
  const port = await startHubAmqp(t, hub);
  return { hub, rest, connectionString: rest.connectionString().replace(rest.host, `localhost:${port}`) };
}

test('a token is signed as Azure’s client signs it', async () => {
  const resource = 'https://ns.servicebus.windows.net/usage';
  const provider = createSasTokenProvider({ sharedAccessKeyName: POLICY.name, sharedAccessKey: KEY });
  const { token, expiresOnTimestamp } = await provider.getToken(resource);
  assert.equal(sharedAccessSignature(resource, POLICY.name, KEY, expiresOnTimestamp), token);
});

test('a connection string is read as Azure’s client reads it', () => {
  const text = `Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=${POLICY.name};SharedAccessKey=${KEY};EntityPath=usage`;
  const theirs = parseOfAzure<Record<string, string>>(text);
  const ours = parseConnectionString(text);
  assert.ok(typeof ours !== 'string' && ours.access.type === 'key');
  assert.equal(`sb://${ours.host}/`, theirs.Endpoint);
  assert.equal(ours.hub, theirs.EntityPath);
  assert.deepEqual([ours.access.name, ours.access.key], [theirs.SharedAccessKeyName, theirs.SharedAccessKey]);
});

test('Azure’s consumer reads the records that the connector sent, in order per key', async (t) => {
  const { hub, rest, connectionString } = await start(t);
  const environment = testEnvironment(t, {}, Date.now());
  const credentials = { connection_string: rest.connectionString(), partition_key: 'endpoint_id' };
  const destination = await openBatches(eventHubs, credentials, environment);
  const outcome = await destination.send(sampleBatch({ to: 50, blocks: 3 }), new AbortController().signal);
  assert.deepEqual(outcome, { type: 'delivered' });

  const events = await readAll(connectionString, 50);
  assert.equal(hub.events.length, 50);
  const byKey = new Map<string, string[]>();
  for (const event of events) {
    assert.equal(event.contentType, 'application/json');
    const key = event.partitionKey ?? '';
    byKey.set(key, [...(byKey.get(key) ?? []), String(event.body)]);
  }
  const wanted = Array.from({ length: 50 }, (_, n) => sampleRecord('usage', n));
  assert.equal(byKey.size, 5);
  for (const [key, bodies] of byKey) {
    assert.deepEqual(
      bodies,
      wanted.filter((record) => record.includes(`"endpoint":{"id":${key}`)),
    );
  }
});

test('what Azure’s producer sends is in the hub as what the connector sends is', async (t) => {
  const { hub, rest, connectionString } = await start(t);
  const record = sampleRecord('usage', 0);
  const producer = new EventHubProducerClient(connectionString);
  const batch = await producer.createBatch({ partitionKey: '41806233' });
  assert.ok(batch.tryAdd({ body: Buffer.from(record), contentType: 'application/json' }));
  await producer.sendBatch(batch);
  await producer.close();
  const credentials = { connection_string: rest.connectionString(), partition_key: 'endpoint_id' };
  const destination = await openBatches(eventHubs, credentials, testEnvironment(t, {}, Date.now()));
  await destination.send(sampleBatch({ to: 1 }), new AbortController().signal);
  const [theirs, ours] = hub.events;
  assert.ok(theirs && ours);
  assert.deepEqual(ours, theirs);
});

test('a wrong key is refused to Azure’s client too', async (t) => {
  const { connectionString } = await start(t);
  const producer = new EventHubProducerClient(connectionString.replace(KEY, 'd3Jvbmc='), {
    retryOptions: { maxRetries: 0 },
  });
  await assert.rejects(producer.sendBatch([{ body: 'x' }]), { code: 'UnauthorizedError' });
  await producer.close();
});

async function readAll(connectionString: string, count: number): Promise<ReceivedEventData[]> {
  const consumer = new EventHubConsumerClient('$Default', connectionString);
  const events: ReceivedEventData[] = [];
  const done = Promise.withResolvers<void>();
  const subscription = consumer.subscribe(
    {
      processEvents: async (received) => {
        events.push(...received);
        if (events.length >= count) done.resolve();
      },
      processError: async (error) => done.reject(error),
    },
    { startPosition: earliestEventPosition, maxWaitTimeInSeconds: 1, skipParsingBodyAsJson: true },
  );
  await done.promise;
  await subscription.close();
  await consumer.close();
  return events;
}
