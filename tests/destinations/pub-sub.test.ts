import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, type TestContext, test } from 'node:test';
import { batchOfTexts, sampleBatch, sampleRecord } from '../../src/destinations/batches.fixture.ts';
import type { Outcome } from '../../src/destinations/contract.ts';
import { createEgress } from '../../src/destinations/egress.ts';
import { pubSub } from '../../src/destinations/google/pub-sub.ts';
import { openBatches, testEnvironment } from '../../src/destinations/vendor.fixture.ts';
import type { Misbehaviour } from '../support/aws-front.ts';
import { temporaryDirectory } from '../support/owned.ts';
import { googleError, json, newServiceAccount, TestPubSub } from '../support/pub-sub-rest.ts';

const NOW = Date.UTC(2026, 5, 1);
const EMAIL = 'streamer@sim-operator.iam.gserviceaccount.com';
const TOPIC = 'projects/iot-records/topics/usage';
const account = newServiceAccount(EMAIL);
/** Google's library reads the process's own environment. No test looks for a metadata server. */
process.env.METADATA_SERVER_DETECTION = 'none';
process.env.GOOGLE_APPLICATION_CREDENTIALS = account.keyFile;
afterEach(() => {
  process.env.GOOGLE_APPLICATION_CREDENTIALS = account.keyFile;
});

async function start(t: TestContext, options: Record<string, string> = {}) {
  const service = await TestPubSub.start(t, account, [TOPIC]);
  const variables = { CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB: service.url };
  const environment = testEnvironment(t, variables, NOW);
  const credentials = { cps_project: 'iot-records', cps_topic: 'usage', ordering_key: 'none', ...options };
  const destination = await openBatches(pubSub, credentials, environment);
  const { signal } = new AbortController();
  return {
    service,
    environment,
    clock: environment.clock,
    messages: () => service.messages(TOPIC),
    published: () => service.requests.filter(({ path }) => path.endsWith(':publish')),
    verify: () => destination.verify(signal),
    send: (records: readonly string[], kind: 'usage' | 'event' = 'usage') =>
      destination.send(batchOfTexts(kind, records, 2), signal),
    sendBatch: (batch: ReturnType<typeof sampleBatch>) => destination.send(batch, signal),
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

describe('PubSub: what is sent', () => {
  test('each record is a message with its own bytes and attributes, in one request', async (t) => {
    const { service, messages, sendBatch } = await start(t);
    assert.deepEqual(await sendBatch(sampleBatch({ to: 3, blocks: 2 })), { type: 'delivered' });
    assert.equal(service.requests.length, 1);
    assert.deepEqual(
      messages(),
      [0, 1, 2].map((n) => ({
        data: sampleRecord('usage', n),
        attributes: {
          record_type: 'usage',
          record_id: `900719925474099${3 + n}`,
          organisation_id: '70412',
        },
        orderingKey: '',
      })),
    );
  });

  test('events have their type as an attribute', async (t) => {
    const { messages, sendBatch } = await start(t);
    await sendBatch(sampleBatch({ kind: 'event', to: 1 }));
    assert.deepEqual(messages()[0]?.attributes, {
      record_type: 'event',
      record_id: '9007199254740993',
      organisation_id: '70412',
      event_type_id: '3',
    });
  });

  test('no more than 1,000 messages a request', async (t) => {
    const { messages, published, send } = await start(t);
    assert.deepEqual(await send(many(2_300, (n) => usage(n))), { type: 'delivered' });
    assert.equal(published().length, 3);
    assert.deepEqual(
      messages().map(({ data }) => data),
      many(2_300, (n) => usage(n)),
    );
  });

  test('no more than 10 MB a request, in base64; a batch as large as can be is one', async (t) => {
    const { published, send } = await start(t);
    const configured = pubSub.configure({ cps_project: 'iot-records', cps_topic: 'usage' }, 'Json');
    assert.ok(!Array.isArray(configured) && configured.gathering.by === 'batch');
    const { bytes } = configured.gathering;
    const record = (size: number) => usage(1, 7, `,"x":"${'y'.repeat(size)}"`);
    await send(many(1000, () => record(bytes / 1000 - 60)));
    assert.equal(published().length, 1);
    assert.deepEqual(await send(many(90, () => record(250_000))), { type: 'delivered' });
    assert.equal(published().length, 1 + 4);
    for (const { body } of published()) assert.ok(body.length <= 10_000_000, String(body.length));
  });

  test('a topic with characters that mean something in a URL is reached', async (t) => {
    const topic = 'projects/iot-records/topics/a%2Fb+c~d';
    const { service, verify, send } = await start(t, { cps_topic: 'a%2Fb+c~d' });
    service.topics.set(topic, []);
    assert.deepEqual(await verify(), { type: 'reachable' });
    assert.deepEqual(await send([usage(1)]), { type: 'delivered' });
    assert.equal(service.messages(topic).length, 1);
  });
});

describe('PubSub: ordering key', () => {
  test('a request has messages of one endpoint, in order', async (t) => {
    const { messages, published, send } = await start(t, { ordering_key: 'endpoint_id' });
    const records = [...many(40, (n) => usage(n, 100 + (n % 4))), '{"id":99,"user":{"id":1}}'];
    assert.deepEqual(await send(records), { type: 'delivered' });
    assert.equal(published().length, 5);
    for (const endpoint of [100, 101, 102, 103]) {
      assert.deepEqual(
        messages()
          .filter(({ orderingKey }) => orderingKey === String(endpoint))
          .map(({ data }) => data),
        records.filter((record) => record.includes(`"endpoint":{"id":${endpoint}}`)),
      );
    }
    assert.equal(messages().filter(({ orderingKey }) => orderingKey === '').length, 1);
  });

  test('what was taken of some endpoints is not sent again, and of a failed one nothing behind it is sent', async (t) => {
    const { service, messages, send } = await start(t, { ordering_key: 'endpoint_id' });
    let failed = 0;
    service.throttles = ({ body }) => body.includes('"orderingKey":"101"') && ++failed === 2;
    // 2,500 messages of an endpoint are three requests, of which the second fails.
    const records = many(5_000, (n) => usage(n, 100 + (n % 2)));
    const outcome = await send(records);
    assert.ok(outcome.type === 'partial', JSON.stringify(outcome).slice(0, 300));
    const left = outcome.failures.map(({ index }) => index);
    assert.deepEqual(
      left,
      many(1_500, String).map((_, n) => 2_001 + 2 * n),
    );
    service.throttles = () => false;
    await send(left.map((index) => records[index] as string));
    assert.equal(messages().length, 5_000);
    assert.deepEqual(
      messages()
        .filter(({ orderingKey }) => orderingKey === '101')
        .map(({ data }) => data),
      records.filter((_, n) => n % 2 === 1),
    );
  });
});

describe('PubSub: what Google answers', () => {
  const retryInfo = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '3.500000000s' };
  const disabled = { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'SERVICE_DISABLED' };
  const after = { ...googleError(503, 'UNAVAILABLE', 'x'), headers: { 'retry-after': '7' } };
  const html: Misbehaviour = { status: 502, headers: {}, body: Buffer.from('<html>Bad gateway</html>') };
  const cases: [string, Misbehaviour, Outcome['type'], string, number?][] = [
    ['RESOURCE_EXHAUSTED', googleError(429, 'RESOURCE_EXHAUSTED', 'Quota'), 'retry', 'RESOURCE_EXHAUSTED'],
    [
      'with RetryInfo',
      googleError(429, 'RESOURCE_EXHAUSTED', 'Quota', [retryInfo]),
      'retry',
      'RESOURCE_EXHAUSTED',
      3_500,
    ],
    ['UNAVAILABLE with Retry-After', after, 'retry', 'UNAVAILABLE', 7_000],
    ['INTERNAL', googleError(500, 'INTERNAL', 'oops'), 'retry', 'INTERNAL'],
    ['DEADLINE_EXCEEDED', googleError(504, 'DEADLINE_EXCEEDED', 'late'), 'retry', 'DEADLINE_EXCEEDED'],
    ['ABORTED', googleError(409, 'ABORTED', 'again'), 'retry', 'ABORTED'],
    ['CANCELLED', googleError(499, 'CANCELLED', 'gone'), 'retry', 'CANCELLED'],
    ['a gateway’s page', html, 'retry', 'http_502'],
    ['INVALID_ARGUMENT', googleError(400, 'INVALID_ARGUMENT', 'schema'), 'rejected', 'INVALID_ARGUMENT'],
    [
      'a payload that is too large',
      googleError(400, 'INVALID_ARGUMENT', 'Request payload size exceeds the limit: 10485760 bytes.'),
      'too_large',
      'INVALID_ARGUMENT',
    ],
    ['413', { status: 413, headers: {}, body: Buffer.from('<html>') }, 'too_large', 'http_413'],
    ['NOT_FOUND', googleError(404, 'NOT_FOUND', 'no'), 'refused', 'NOT_FOUND'],
    [
      'FAILED_PRECONDITION',
      googleError(400, 'FAILED_PRECONDITION', 'key disabled'),
      'refused',
      'FAILED_PRECONDITION',
    ],
    [
      'an API that is off',
      googleError(403, 'PERMISSION_DENIED', 'off', [disabled]),
      'refused',
      'PERMISSION_DENIED',
    ],
    ['somebody else’s 200', json(200, { hello: 'from the hotel' }), 'retry', 'invalid_answer'],
    [
      'a redirect',
      { status: 302, headers: { location: 'https://x/' }, body: Buffer.alloc(0) },
      'refused',
      'http_302',
    ],
    ['a connection that closes', 'drop', 'retry', 'connection_reset'],
    ['one that closes after the request was taken', 'drop_after', 'retry', 'connection_reset'],
  ];
  for (const [name, answer, type, code, afterMs] of cases) {
    test(`${name} is ${type}: ${code}`, async (t) => {
      const { service, send } = await start(t);
      service.next.push(answer);
      const outcome = await send([usage(1)]);
      assert.equal(outcome.type, type, JSON.stringify(outcome));
      assert.equal(causeOf(outcome).code, code);
      assert.equal(outcome.type === 'retry' ? outcome.afterMs : undefined, afterMs);
      assert.deepEqual(await send([usage(2)]), { type: 'delivered' });
    });
  }

  test('without the role: the role and simstream’s own e-mail are named', async (t) => {
    const { service, send, verify } = await start(t);
    service.publishers.clear();
    const wanted = new RegExp(`roles/pubsub.publisher on the topic to the service account ${EMAIL}`);
    const outcome = await send([usage(1)]);
    assert.equal(outcome.type, 'refused');
    assert.match(causeOf(outcome).message, wanted);
    assert.match(causeOf(await verify()).message, wanted);
  });

  test('an API that is off is named, not a role', async (t) => {
    const { service, send } = await start(t);
    service.next.push(googleError(403, 'PERMISSION_DENIED', 'off', [disabled]));
    assert.match(causeOf(await send([usage(1)])).message, /Enable pubsub.googleapis.com/);
  });

  test('no such topic: it is named', async (t) => {
    const { send, verify } = await start(t, { cps_topic: 'other' });
    assert.match(
      causeOf(await send([usage(1)])).message,
      /topic projects\/iot-records\/topics\/other does not exist/,
    );
    assert.match(
      causeOf(await verify()).message,
      /topic projects\/iot-records\/topics\/other does not exist/,
    );
  });

  test('no answer: given up after 30 s', async (t) => {
    const { service, clock, send } = await start(t);
    service.next.push('hang');
    const reached = service.reached();
    const sending = send([usage(1)]);
    await reached;
    await clock.advance(30_000);
    assert.equal(causeOf(await sending).code, 'timeout');
  });
});

describe('PubSub: verification', () => {
  test('asks for the permission to publish, and publishes nothing', async (t) => {
    const { service, messages, verify } = await start(t);
    assert.deepEqual(await verify(), { type: 'reachable' });
    assert.equal(messages().length, 0);
    assert.deepEqual(
      service.requests.map(({ path }) => path),
      ['/v1/projects/iot-records/topics/usage:testIamPermissions'],
    );
  });

  test('a service that is not well is not proof', async (t) => {
    const { service, verify } = await start(t);
    service.publishers.clear();
    service.next.push(googleError(503, 'UNAVAILABLE', 'later'));
    assert.equal(causeOf(await verify()).code, 'UNAVAILABLE');
  });
});

describe('PubSub: sign-in', () => {
  test('a key signs by itself, and the token is used again', async (t) => {
    const { service, send } = await start(t);
    await send([usage(1)]);
    await send([usage(2)]);
    const tokens = service.requests.map(({ headers }) => headers.authorization);
    assert.equal(tokens.length, 2);
    assert.equal(new Set(tokens).size, 1);
  });

  test('a token that an answer repeats is not shown', async (t) => {
    const { service, send } = await start(t);
    await send([usage(1)]);
    const token = String(service.requests[0]?.headers.authorization);
    service.next.push(googleError(400, 'INVALID_ARGUMENT', `bad: ${token} and ${token.slice(7)}`));
    const text = JSON.stringify(await send([usage(2)]));
    assert.match(text, /bad: \*\*\* and \*\*\*/);
    assert.ok(!text.includes(token.slice(-20)));
  });

  test('credentials that Google refuses are tried anew once, and are the operator’s to mend', async (t) => {
    const { service, send, verify } = await start(t);
    service.now = () => Date.now() + 2 * 3_600_000;
    const outcome = await send([usage(1)]);
    assert.equal(outcome.type, 'platform', JSON.stringify(outcome));
    assert.equal(causeOf(outcome).code, 'UNAUTHENTICATED');
    assert.equal(service.read, 2);
    assert.equal(causeOf(await verify()).code, 'UNAUTHENTICATED');
  });

  test('a key that was replaced in its file is taken once Google refuses the old one', async (t) => {
    const { service, environment, send } = await start(t);
    await send([usage(1)]);
    // The old one is revoked: the service knows the new one only.
    const renewed = newServiceAccount(EMAIL);
    const { url } = await TestPubSub.start(t, renewed, [TOPIC]);
    Object.assign(environment.variables, { CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB: url });
    const credentials = { cps_project: 'iot-records', cps_topic: 'usage', ordering_key: 'none' };
    const destination = await openBatches(pubSub, credentials, environment);
    process.env.GOOGLE_APPLICATION_CREDENTIALS = renewed.keyFile;
    const outcome = await destination.send(batchOfTexts('usage', [usage(2)]), new AbortController().signal);
    assert.deepEqual(outcome, { type: 'delivered' });
    assert.equal(service.messages(TOPIC).length, 1);
  });

  const broken: [string, () => string][] = [
    ['no file', () => '/nonexistent/key.json'],
    ['a file that is none', () => fileOf('{"type":"service_account"')],
    ['a file of another kind', () => fileOf('{"type":"something_else"}')],
  ];
  for (const [name, file] of broken) {
    test(`${name}: simstream’s own fault, with words for its operator`, async (t) => {
      process.env.GOOGLE_APPLICATION_CREDENTIALS = file();
      const { service, send, verify } = await start(t);
      const outcome = await send([usage(1)]);
      assert.equal(outcome.type, 'platform', JSON.stringify(outcome));
      assert.match(causeOf(outcome).message, /GOOGLE_APPLICATION_CREDENTIALS/);
      assert.equal((await verify()).type, 'failed');
      assert.equal(service.requests.length, 0);
    });
  }

  test('a token that must be fetched is fetched by the address rules, and never shown', async (t) => {
    const refresh_token = '1//refresh-token-that-nobody-may-see';
    process.env.GOOGLE_APPLICATION_CREDENTIALS = fileOf(
      JSON.stringify({
        type: 'authorized_user',
        client_id: 'c',
        client_secret: 's3cret-of-client',
        refresh_token,
      }),
    );
    const names: string[] = [];
    const egress = createEgress({
      allow: '',
      resolve: async (name) => {
        names.push(name);
        return [{ address: '127.0.0.1', family: 4 }];
      },
    });
    t.after(() => egress.close());
    const environment = { ...testEnvironment(t, {}, NOW), egress };
    const credentials = { cps_project: 'iot-records', cps_topic: 'usage', ordering_key: 'none' };
    const destination = await openBatches(pubSub, credentials, environment);
    const outcome = await destination.send(batchOfTexts('usage', [usage(1)]), new AbortController().signal);
    assert.equal(outcome.type, 'platform', JSON.stringify(outcome));
    assert.ok(names.length > 0 && names.every((name) => name === 'oauth2.googleapis.com'), names.join());
    assert.doesNotMatch(JSON.stringify(outcome), /refresh-token|s3cret/);
  });
});

function fileOf(text: string): string {
  const file = join(temporaryDirectory(), 'credentials.json');
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

describe('PubSub: whose topic it is', () => {
  const record = [usage(1)];

  test('a topic of another organisation, or of none, is refused, and nothing is published', async (t) => {
    for (const label of ['org-7041', 'org-704120', 'org-1', 'ORG-70412', '70412', undefined]) {
      const { service, send, verify, messages } = await start(t);
      service.labels.set(TOPIC, label === undefined ? {} : { simstream_organisation: label });
      for (const outcome of [await send(record), await verify()]) {
        const { code, message } = causeOf(outcome);
        assert.equal(code, 'not_bound');
        assert.match(message, /Add the label simstream_organisation=org-70412 to the topic/);
      }
      assert.deepEqual(messages(), []);
    }
  });

  test('a topic may name several organisations; what its label says is asked again after an hour', async (t) => {
    const { service, send, verify, clock, messages } = await start(t);
    service.labels.set(TOPIC, { simstream_organisation: 'org-1_org-70412' });
    assert.equal((await verify()).type, 'reachable');
    for (let n = 0; n < 3; n++) assert.equal((await send(record)).type, 'delivered');
    assert.equal(service.read, 1);
    service.labels.set(TOPIC, { simstream_organisation: 'org-1' });
    await clock.advance(3_600_000);
    assert.equal((await send(record)).type, 'refused');
    assert.equal(messages().length, 3);
    service.labels.delete(TOPIC);
    assert.equal((await send(record)).type, 'delivered');
  });

  test('labels that may not be read are a refusal that names the role', async (t) => {
    const { service, send, verify } = await start(t);
    service.viewers.clear();
    for (const outcome of [await send(record), await verify()]) {
      const { code, message } = causeOf(outcome);
      assert.equal(code, 'PERMISSION_DENIED');
      assert.match(
        message,
        /Grant the role roles\/pubsub\.viewer on the topic to the service account streamer@/,
      );
    }
  });

  test('what the operator has granted needs no label', async (t) => {
    for (const granted of [['projects/iot-records'], [TOPIC]]) {
      const { service, environment } = await start(t);
      service.viewers.clear();
      const open = (given: readonly string[]) =>
        openBatches(
          pubSub,
          { cps_project: 'iot-records', cps_topic: 'usage', ordering_key: 'none' },
          { ...environment, granted: given },
        );
      const { signal } = new AbortController();
      const batch = batchOfTexts('usage', record, 1);
      assert.equal((await (await open(granted)).send(batch, signal)).type, 'delivered');
      assert.equal(service.read, 0);
      for (const other of ['projects/iot-record', 'projects/iot-records/topics/usag', `${TOPIC}-2`])
        assert.equal((await (await open([other])).send(batch, signal)).type, 'refused', other);
    }
  });
});
