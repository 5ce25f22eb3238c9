import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Misbehaviour } from '../support/aws-front.ts';
import type { SignedRequest } from '../support/aws-signature.ts';
import { BadDays } from '../support/bad-days.ts';
import {
  checkArrivals,
  distinct,
  type Kind,
  type Scenario,
  startScenario,
} from '../support/connector-scenario.ts';
import { type Policy, TestHub } from '../support/event-hubs-hub.ts';
import { hubError, TestHubRest, throttled } from '../support/event-hubs-rest.ts';

const OLD = 'Zmlyc3Qta2V5LW9mLXRoZS1wb2xpY3k=';
const NEW = 'c2Vjb25kLWtleS1vZi10aGUtcG9saWN5';
/** Requests of different endpoints that are under way at a time: 16 for each of two batches. */
const UNDER_WAY_MOST = 32;
/** So many events of a stream come before its key is changed. */
const BEFORE_CHANGE = 1_000;

test('Event Hubs: samples and 10,000 records, spread and by endpoint, while it misbehaves, another key on the way', {
  timeout: 180_000,
}, async (t) => {
  const scenario = await startScenario(t);
  const [spread, keyed] = await Promise.all([
    stream(t, scenario, { kind: 'usage', partitionKey: 'none', round: 10 }),
    stream(t, scenario, { kind: 'events', partitionKey: 'endpoint_id', round: 400 }),
  ]);
  await scenario.node.stop();
  for (const key of [OLD, NEW]) assert.ok(!scenario.node.output().includes(key));

  const any = spread.hub.events.map(({ body, partitionKey }) => {
    assert.equal(partitionKey, undefined);
    // Without a key one request follows another: their order is that of the ingest.
    return { key: 'any', text: body };
  });
  checkArrivals(any, spread.texts, spread.atRisk);

  const byEndpoint = keyed.hub.events.map(({ body, partition, partitionKey = '' }) => {
    const { endpoint } = JSON.parse(body) as { endpoint: { id: number } | null };
    assert.equal(partitionKey, endpoint ? String(endpoint.id) : '');
    if (endpoint) assert.equal(partition, keyed.hub.partitionOf(partitionKey));
    return { key: partitionKey, text: body };
  });
  checkArrivals(byEndpoint, keyed.texts, keyed.atRisk);
});

interface Wanted {
  readonly kind: Kind;
  readonly partitionKey: 'none' | 'endpoint_id';
  /** Of how many requests there is one of each fault. */
  readonly round: number;
}

/** Streams all records of a kind to a hub whose first key is regenerated meanwhile; returns when all are there. */
async function stream(t: TestContext, scenario: Scenario, { kind, partitionKey, round }: Wanted) {
  const policy: Policy = { name: 'send', keys: [OLD, NEW], rights: ['Send'] };
  const hub = new TestHub(kind, [policy], () => Date.now());
  const rest = await TestHubRest.start(t, hub);
  const credentials = {
    connection_string: rest.connectionString(policy, OLD),
    partition_key: partitionKey,
  };
  const destination = { connection_type: 'EventHubs', format: 'Json', credentials };
  const wrong = { connection_string: rest.connectionString(policy, 'd3Jvbmcta2V5LW9mLW5vYm9keQ==') };
  await assert.rejects(
    scenario.create(kind, { ...destination, credentials: { ...credentials, ...wrong } }),
    (error: Error) => {
      assert.match(error.message, /422 .*SharedAccessKeyName and SharedAccessKey/s);
      return !error.message.includes('d3Jvbmcta2V5');
    },
  );
  const id = await scenario.create(kind, destination);

  const badDays = new BadDays(round);
  let atRisk = 0;
  let refusals = 0;
  let largest = 0;
  rest.meets = (request) => {
    const resource = `sb://${rest.host}/${hub.name}`;
    // It looks at the token before anything else.
    if (hub.tokenFault(String(request.headers.authorization), resource, 'Send')) {
      refusals++;
      return undefined;
    }
    const met = misbehaviour(badDays, request);
    const { length } = JSON.parse(request.body.toString()) as unknown[];
    largest = Math.max(largest, length);
    if (met === 'drop_after') atRisk += length;
    return met;
  };
  // Records keep coming while the stream gets the second key, and while the first is regenerated.
  const rotations: Promise<void>[] = [];
  let before = 0;
  const texts = await scenario.ingest(kind, async (part) => {
    if (part === 3) {
      await scenario.arrived('the first events', () => hub.events.length >= BEFORE_CHANGE || undefined);
      const connection_string = rest.connectionString(policy, NEW);
      rotations.push(scenario.rotate(id, destination, { connection_string }));
    }
    if (part !== 6) return;
    await Promise.all(rotations);
    before = hub.events.length;
    policy.keys.shift();
  });
  const all = distinct(texts);
  await scenario.arrived('all records', () =>
    distinct(hub.events.map(({ body }) => body)) >= all ? true : undefined,
  );
  const settled = await scenario.arrived(
    'all records to be counted',
    async () => {
      const view = await scenario.stream(id);
      return view.progress.delivered >= texts.length ? view : undefined;
    },
    500,
  );
  const shown = await scenario.client.call('GET', `/api/v2/data_stream/${id}`, scenario.token);

  assert.ok(badDays.complete && atRisk > 0, JSON.stringify(badDays.done));
  assert.ok(before < hub.events.length, 'events came after the first key had ended');
  assert.ok(refusals <= UNDER_WAY_MOST, `the first key was sent ${refusals} times after its end`);
  assert.deepEqual(
    [settled.status.description, settled.progress.delivered, settled.progress.quarantined],
    ['Running', texts.length, 0],
  );
  for (const key of [OLD, NEW]) assert.ok(!shown.text.includes(key));
  // The change of the key ends the requests that are under way, and some of those were taken.
  atRisk += largest * (partitionKey === 'none' ? 1 : UNDER_WAY_MOST);
  return { hub, texts, atRisk };
}

/** A bad day as Event Hubs has it. */
function misbehaviour(badDays: BadDays, { body }: SignedRequest): Misbehaviour | undefined {
  // The request that verifies a connection has no events.
  if (body.length <= 2) return undefined;
  const bad = badDays.instead();
  if (bad === undefined) return badDays.taken({ status: 201 }) === 'close' ? 'drop_after' : undefined;
  const { status, headers = {} } = bad as { status: number; headers?: Record<string, string> };
  return status === 429 ? throttled(headers) : hubError(500, 'The server was unable to process the request.');
}
