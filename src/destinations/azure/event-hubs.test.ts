import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { Misbehaviour } from '../../../tests/support/aws-front.ts';
import { type Policy, TestHub } from '../../../tests/support/event-hubs-hub.ts';
import { hubError, TestHubRest, throttled } from '../../../tests/support/event-hubs-rest.ts';
import { fc } from '../../lib/property.fixture.ts';
import { batchOfTexts } from '../batches.fixture.ts';
import type { Outcome } from '../contract.ts';
import { openBatches, testEnvironment } from '../vendor.fixture.ts';
import { eventHubs } from './event-hubs.ts';
import { sharedAccessSignature } from './event-hubs-token.ts';

const NOW = Date.UTC(2026, 5, 1);
const KEY = 'c2VuZC1rZXktdGhhdC1ub2JvZHktbWF5LXNlZQ==';
const SEND = { name: 'send only', keys: [KEY, 'c2Vjb25kLWtleQ=='], rights: ['Send'] } satisfies Policy;
const LISTEN = { name: 'listen', keys: ['bGlzdGVuLWtleQ=='], rights: ['Listen'] } satisfies Policy;

interface Options {
  readonly partition_key?: 'none' | 'endpoint_id';
  /** What becomes of the connection string. */
  readonly connect?: (text: string) => string;
}

async function start(t: TestContext, { partition_key = 'none', connect = (text) => text }: Options = {}) {
  const environment = testEnvironment(t, {}, NOW);
  const hub = new TestHub('usage', [SEND, LISTEN], () => environment.clock.now());
  const rest = await TestHubRest.start(t, hub);
  const credentials = { connection_string: connect(rest.connectionString()), partition_key };
  const destination = await openBatches(eventHubs, credentials, environment);
  const { signal } = new AbortController();
  return {
    hub,
    rest,
    clock: environment.clock,
    verify: () => destination.verify(signal),
    send: (records: readonly string[]) => destination.send(batchOfTexts('usage', records, 2), signal),
  };
}

const usage = (id: number | string, endpoint = 7, more = '') =>
  `{"id":${id},"endpoint":{"id":${endpoint}},"cost":0.0013435800${more}}`;
const many = (count: number, record: (n: number) => string) =>
  Array.from({ length: count }, (_, n) => record(n));

function causeOf(outcome: Outcome | { type: string; cause?: unknown }): { code: string; message: string } {
  assert.ok('cause' in outcome, JSON.stringify(outcome));
  return outcome.cause as { code: string; message: string };
}

describe('EventHubs: what is sent', () => {
  test('each record is an event with its own bytes, in one request, signed for the hub', async (t) => {
    const { hub, rest, send } = await start(t);
    const records = [usage('9223372036854775807'), ' { "id" : 2, "name":"Tür \\ud800 \\"x\\"" } ', usage(3)];
    assert.deepEqual(await send(records), { type: 'delivered' });
    assert.deepEqual(
      hub.events.map(({ body }) => body),
      records,
    );
    assert.equal(rest.requests.length, 1);
    const [event] = hub.events;
    assert.deepEqual([event?.contentType, event?.partitionKey], ['application/json', undefined]);
  });

  test('any text arrives as it is', async (t) => {
    const { hub, send } = await start(t);
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), async (text) => {
        const record = JSON.stringify({ id: 1, text });
        await send([record]);
        assert.equal(hub.events.at(-1)?.body, record);
      }),
      { numRuns: 50 },
    );
  });

  test('a request stays within 1 MiB, whatever the records are made of', async (t) => {
    const { hub, rest, send } = await start(t);
    rest.largest = 2 ** 20;
    // Quotes double, and of ü a byte becomes two: what counts is what is sent.
    const records = many(60, (n) => usage(n, 7, `,"text":"${'"ü'.repeat(8_000).replaceAll('"', '\\"')}"`));
    assert.deepEqual(await send(records), { type: 'delivered' });
    assert.equal(hub.events.length, 60);
    assert.ok(rest.requests.length > 2 && rest.requests.length < 7, String(rest.requests.length));
    for (const { body } of rest.requests.slice(0, -1)) {
      assert.ok(body.length <= 2 ** 20 && body.length > 900_000, String(body.length));
    }
  });

  test('usage of common size: a batch as large as can be is one request', async (t) => {
    const { rest, send } = await start(t);
    const record = usage(1, 7, many(60, (n) => `,"field_${n}":"value"`).join(''));
    const configured = eventHubs.configure(
      { connection_string: rest.connectionString(), partition_key: 'none' },
      'Json',
    );
    assert.ok(!Array.isArray(configured) && configured.gathering.by === 'batch');
    await send(many(Math.floor(configured.gathering.bytes / record.length), () => record));
    assert.equal(rest.requests.length, 1);
  });

  test('a record that no request can hold is set aside, the others are sent', async (t) => {
    const { hub, send } = await start(t);
    const outcome = await send([usage(1), usage(2, 7, `,"x":"${'y'.repeat(2 ** 20)}"`), usage(3)]);
    assert.ok(outcome.type === 'partial', JSON.stringify(outcome));
    assert.deepEqual(
      outcome.failures.map(({ index, verdict, cause, expected }) => [index, verdict, cause.code, expected]),
      [[1, 'reject', 'EVENTHUB_PAYLOAD_TOO_LARGE', true]],
    );
    assert.equal(hub.events.length, 2);
  });
});

describe('EventHubs: partition key', () => {
  test('a request holds events of one endpoint, in order; those without an endpoint have no key', async (t) => {
    const { hub, rest, send } = await start(t, { partition_key: 'endpoint_id' });
    const records = [...many(40, (n) => usage(n, 100 + (n % 4))), '{"id":99,"user":{"id":1}}'];
    assert.deepEqual(await send(records), { type: 'delivered' });
    assert.equal(rest.requests.length, 5);
    for (const endpoint of [100, 101, 102, 103]) {
      const own = hub.events.filter(({ partitionKey }) => partitionKey === String(endpoint));
      assert.deepEqual(
        own.map(({ body }) => body),
        records.filter((record) => record.includes(`"endpoint":{"id":${endpoint}}`)),
      );
      assert.equal(new Set(own.map(({ partition }) => partition)).size, 1);
    }
    assert.equal(hub.events.find(({ body }) => body.includes('"user"'))?.partitionKey, undefined);
  });

  test('what was taken of some endpoints is not sent again', async (t) => {
    const { hub, rest, send } = await start(t, { partition_key: 'endpoint_id' });
    rest.throttles = ({ body }) => body.includes('"PartitionKey":"101"');
    const records = many(12, (n) => usage(n, 100 + (n % 2)));
    const outcome = await send(records);
    assert.ok(outcome.type === 'partial', JSON.stringify(outcome));
    assert.deepEqual(
      outcome.failures.map(({ index, verdict, cause }) => [index, verdict, cause.code]),
      [1, 3, 5, 7, 9, 11].map((index) => [index, 'retry', 'EVENTHUB_SERVER_BUSY']),
    );
    rest.throttles = () => false;
    await send(outcome.failures.map(({ index }) => records[index] as string));
    assert.equal(hub.events.length, 12);
  });

  test('once the hub takes nothing, no more requests are made', async (t) => {
    const { rest, send } = await start(t, { partition_key: 'endpoint_id' });
    rest.throttles = () => true;
    const outcome = await send(many(500, (n) => usage(n, n)));
    assert.equal(outcome.type, 'retry');
    assert.ok(rest.requests.length <= 16, String(rest.requests.length));
  });
});

describe('EventHubs: what the hub answers', () => {
  const said = (status: number, words: string, headers = {}) => hubError(status, words, headers);
  const cases: [string, Misbehaviour, Outcome['type'], string, number?][] = [
    ['a throttled namespace', throttled(), 'retry', 'EVENTHUB_SERVER_BUSY'],
    ['one that says for how long', throttled({ 'retry-after': '4' }), 'retry', 'EVENTHUB_SERVER_BUSY', 4_000],
    ['429', said(429, 'Too many requests', { 'retry-after': '30' }), 'retry', 'EVENTHUB_SERVER_BUSY', 30_000],
    ['a quota as 403', said(403, 'The quota has been exceeded: 50002'), 'retry', 'EVENTHUB_SERVER_BUSY'],
    ['500', said(500, 'An internal error occurred.'), 'retry', 'http_500'],
    ['504', said(504, 'timeout'), 'retry', 'http_504'],
    ['408', said(408, 'timeout'), 'retry', 'http_408'],
    ['too large as 413', said(413, ''), 'too_large', 'EVENTHUB_PAYLOAD_TOO_LARGE'],
    ['too large as 403', said(403, 'message too large'), 'too_large', 'EVENTHUB_PAYLOAD_TOO_LARGE'],
    ['too large as 400', said(400, 'size exceeds the limit'), 'too_large', 'EVENTHUB_PAYLOAD_TOO_LARGE'],
    ['400', said(400, 'bad'), 'rejected', 'EVENTHUB_BAD_REQUEST'],
    ['403', said(403, 'Ip has been prevented to connect.'), 'refused', 'EVENTHUB_NOT_ALLOWED'],
    ['410', said(410, 'gone'), 'refused', 'EVENTHUB_NOT_FOUND'],
    [
      'a revoked publisher',
      said(401, 'The publisher x was revoked.'),
      'refused',
      'EVENTHUB_PUBLISHER_REVOKED',
    ],
    ['a redirect', said(302, '', { location: 'https://x/' }), 'refused', 'http_302'],
    ['a connection that closes', 'drop', 'retry', 'connection_reset'],
    ['one that closes after the request was taken', 'drop_after', 'retry', 'connection_reset'],
  ];
  for (const [name, answer, type, code, afterMs] of cases) {
    test(`${name} is ${type}: ${code}`, async (t) => {
      const { rest, send } = await start(t);
      rest.next.push(answer);
      const outcome = await send([usage(1)]);
      assert.equal(outcome.type, type, JSON.stringify(outcome));
      assert.equal(causeOf(outcome).code, code);
      assert.equal(outcome.type === 'retry' ? outcome.afterMs : undefined, afterMs);
      assert.deepEqual(await send([usage(2)]), { type: 'delivered' });
    });
  }

  test('no answer: given up after 30 s', async (t) => {
    const { rest, clock, send } = await start(t);
    rest.next.push('hang');
    const reached = rest.reached();
    const sending = send([usage(1)]);
    await reached;
    await clock.advance(30_000);
    const outcome = await sending;
    assert.equal(outcome.type, 'retry');
    assert.equal(causeOf(outcome).code, 'timeout');
  });

  const mended: [string, (text: string) => string, string, RegExp][] = [
    [
      'a wrong key',
      (text) => text.replace(KEY, 'd3Jvbmcta2V5'),
      'EVENTHUB_UNAUTHORIZED',
      /SharedAccessKeyName and SharedAccessKey/,
    ],
    [
      'a policy that may not send',
      (text) => text.replace('send only', 'listen').replace(KEY, String(LISTEN.keys[0])),
      'EVENTHUB_UNAUTHORIZED',
      /Send right.*'Send' claim/,
    ],
    [
      'another hub',
      (text) => text.replace('=usage', '=events'),
      'EVENTHUB_NOT_FOUND',
      /event hub events of .* EntityPath/,
    ],
  ];
  for (const [name, connect, code, words] of mended) {
    test(`${name} is refused, and verification says so: ${code}`, async (t) => {
      const { send, verify } = await start(t, { connect });
      const outcome = await send([usage(1)]);
      assert.equal(outcome.type, 'refused', JSON.stringify(outcome));
      assert.equal(causeOf(outcome).code, code);
      assert.match(causeOf(outcome).message, words);
      assert.doesNotMatch(JSON.stringify(outcome), /d3Jvbmcta2V5|c2VuZC1rZXk|bGlzdGVu/);
      const verdict = await verify();
      assert.equal(causeOf(verdict).code, code);
    });
  }

  test('a hub that is disabled', async (t) => {
    const { rest, send, verify } = await start(t);
    rest.disabled = true;
    assert.equal(causeOf(await send([usage(1)])).code, 'EVENTHUB_DISABLED');
    assert.match(causeOf(await verify()).message, /Set its status to Active/);
  });

  test('a host that cannot be found or reached', async (t) => {
    const unknown = await start(t, {
      connect: (text) => text.replace(/127\.0\.0\.1:\d+/, 'no-such-host.invalid'),
    });
    const unheard = await start(t, { connect: (text) => text.replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1') });
    for (const { send, verify } of [unknown, unheard]) {
      const outcome = await send([usage(1)]);
      assert.equal(outcome.type, 'retry');
      assert.equal(causeOf(outcome).code, 'EVENTHUB_UNREACHABLE');
      assert.equal((await verify()).type, 'failed');
    }
  });
});

describe('EventHubs: tokens', () => {
  test('a token is used again, and renewed before it ends', async (t) => {
    const { rest, clock, send } = await start(t);
    const tokens = new Set<unknown>();
    for (let minutes = 0; minutes <= 180; minutes += 10) {
      assert.deepEqual(await send([usage(minutes)]), { type: 'delivered' });
      tokens.add(rest.requests.at(-1)?.headers.authorization);
      await clock.advance(600_000);
    }
    assert.equal(tokens.size, 4);
  });

  test('a token that is refused as expired though it was just made: the clock of the node is wrong', async (t) => {
    const { hub, send } = await start(t);
    hub.now = () => NOW + 2 * 3_600_000;
    const outcome = await send([usage(1)]);
    assert.equal(outcome.type, 'platform', JSON.stringify(outcome));
    assert.match(causeOf(outcome).message, /clock of this simstream node/);
  });

  test('the second key of a policy is as good as the first', async (t) => {
    const { send } = await start(t, { connect: (text) => text.replace(KEY, String(SEND.keys[1])) });
    assert.deepEqual(await send([usage(1)]), { type: 'delivered' });
  });

  test('a SharedAccessSignature takes the place of a key; expired, it must be replaced', async (t) => {
    const connect = (text: string) => {
      const host = /sb:\/\/([^/]+)/.exec(text)?.[1];
      const signature = sharedAccessSignature(`https://${host}/usage`, SEND.name, KEY, NOW / 1000 + 60);
      return text.replace(
        /SharedAccessKeyName=.*?;EntityPath/,
        `SharedAccessSignature=${signature};EntityPath`,
      );
    };
    const { clock, send } = await start(t, { connect });
    assert.deepEqual(await send([usage(1)]), { type: 'delivered' });
    await clock.advance(120_000);
    const outcome = await send([usage(2)]);
    assert.equal(outcome.type, 'refused');
    assert.match(causeOf(outcome).message, /SharedAccessSignature .* may have expired/);
    assert.doesNotMatch(JSON.stringify(outcome), /sig=(?!\*)/);
  });
});

describe('EventHubs: verification', () => {
  test('needs the Send right only, and leaves no event', async (t) => {
    const { hub, rest, verify } = await start(t);
    assert.deepEqual(await verify(), { type: 'reachable' });
    assert.equal(rest.requests[0]?.body.toString(), '[]');
    assert.equal(hub.events.length, 0);
  });

  for (const [name, answer] of [
    ['400', hubError(400, 'The batch is empty.')],
    ['500', hubError(500, 'Sequence contains no elements.')],
    ['throttling', throttled()],
  ] as const) {
    test(`${name} for the empty batch shows that one may send`, async (t) => {
      const { rest, verify } = await start(t);
      rest.next.push(answer);
      assert.deepEqual(await verify(), { type: 'reachable' });
    });
  }

  test('a gateway that fails does not', async (t) => {
    const { rest, verify } = await start(t);
    rest.next.push(hubError(502, 'bad gateway'));
    assert.equal((await verify()).type, 'failed');
  });
});
