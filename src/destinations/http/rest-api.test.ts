import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { anyCharacter } from '../../lib/any-character.fixture.ts';
import { ManualClock, seededRandom } from '../../lib/manual-clock.fixture.ts';
import { fc } from '../../lib/property.fixture.ts';
import { VERSION } from '../../version.ts';
import { batchOfTexts, sampleBatch, sampleRecord } from '../batches.fixture.ts';
import { configureDestination } from '../configure.ts';
import type { BatchDestination } from '../contract.ts';
import { createEgress } from '../egress.ts';
import { type HttpPeer, startHttpPeer } from './peer.fixture.ts';
import { restApi } from './rest-api.ts';

const AT = '/destination/credentials';

function configure(credentials: Record<string, unknown>) {
  const result = configureDestination(restApi, { url: 'https://example.com/in', ...credentials });
  assert.ok(result.type === 'configured', JSON.stringify(result));
  return result.configured;
}

function faults(credentials: Record<string, unknown>): (readonly [string, string])[] {
  const result = configureDestination(restApi, { url: 'https://example.com/in', ...credentials });
  return result.type === 'invalid' ? result.faults.map(({ token, path }) => [token, path] as const) : [];
}

describe('the configuration of a webhook', () => {
  test('defaults, target and identity', () => {
    const configured = configure({ url: 'https://example.com:8443/a/b?token=abc#part' });
    assert.equal(configured.target, 'https://example.com:8443/a/b');
    assert.equal(configured.identity, 'https://example.com:8443');
    assert.deepEqual(configured.gathering, { by: 'batch', records: 3000, bytes: 5 * 2 ** 20 - 3001 });
    assert.equal(configure({ url: 'HTTP://EXAMPLE.com:80/' }).identity, 'http://example.com');
  });

  test('URLs that cannot be used', () => {
    const urls = [
      'example.com',
      '//example.com',
      'ftp://example.com',
      'https://',
      'https://a b/',
      'https://u:p@a.b/',
    ];
    for (const url of [
      ...urls,
      'https://u@a.b/',
      'javascript:alert(1)',
      'file:///etc/passwd',
      'http://[::1',
      'x',
    ]) {
      assert.deepEqual(faults({ url }), [['InvalidFormat', `${AT}/url`]], url);
    }
    assert.deepEqual(faults({ url: null }), [['Required', `${AT}/url`]]);
    assert.deepEqual(faults({ url: '' }), [['OutOfRange', `${AT}/url`]]);
  });

  test('every other field out of its range', () => {
    assert.deepEqual(faults({ method: 'GET' }), [['OutOfRange', `${AT}/method`]]);
    assert.deepEqual(faults({ size: 0 }), [['OutOfRange', `${AT}/size`]]);
    assert.deepEqual(faults({ size: 10_001 }), [['OutOfRange', `${AT}/size`]]);
    assert.deepEqual(faults({ headers: 'A:b' }), [['InvalidFormat', `${AT}/headers`]]);
    assert.deepEqual(faults({ headers: ['A:b', 'Host:x', 'C:d', 'bad'] }), [
      ['InvalidFormat', `${AT}/headers/1`],
      ['InvalidFormat', `${AT}/headers/3`],
    ]);
    assert.deepEqual(faults({ signing_secret: 'short' }), [['OutOfRange', `${AT}/signing_secret`]]);
    assert.deepEqual(faults({ signing_secret: 'whsec_not base64!' }), [
      ['InvalidFormat', `${AT}/signing_secret`],
    ]);
    assert.deepEqual(faults({ signing_secret: 'with blanks in it' }), [
      ['InvalidFormat', `${AT}/signing_secret`],
    ]);
    assert.deepEqual(
      faults({ url: 'x', headers: ['bad'], size: 1 }).map(([, path]) => path),
      [`${AT}/url`, `${AT}/headers/0`],
    );
  });

  test('no Parquet, and masks are kept only for the same host', () => {
    const parquet = configureDestination(restApi, { url: 'https://a.b' }, 'Parquet');
    assert.ok(parquet.type === 'invalid' && parquet.faults[0]?.path === '/destination/format');
    assert.match(parquet.faults[0].message, /Json, NdJson, Csv, CloudEvents and not Parquet/);
    const stored = {
      credentials: { url: 'https://a.b/', headers: ['K:v'] },
      identity: 'https://a.b',
      format: 'Json' as const,
    };
    const given = (url: string) => configureDestination(restApi, { url, headers: ['K:***'] }, 'Json', stored);
    assert.equal(given('https://a.b/').type, 'configured');
    assert.equal(given('https://a.b/other').type, 'invalid');
    assert.equal(given('https://a.c/').type, 'invalid');
    assert.equal(given('http://a.b/').type, 'invalid');
  });

  test('any URL text is configured or a fault, and only http and https pass', () => {
    const segment = fc.string({ unit: anyCharacter }).map(encodeURIComponent);
    const url = fc
      .tuple(fc.constantFrom('http', 'https'), fc.webAuthority(), fc.array(segment))
      .map(([scheme, authority, path]) => [`${scheme}://${authority}`, ...path].join('/'));
    fc.assert(
      fc.property(
        fc.oneof(
          url,
          fc.string(),
          url.map((text) => ` ${text}`),
        ),
        (text) => {
          const result = configureDestination(restApi, { url: text });
          if (result.type === 'configured') assert.match(result.configured.identity, /^https?:\/\/[^/@]+$/);
        },
      ),
    );
  });
});

async function start(t: TestContext, credentials: Record<string, unknown> = {}, now = Date.UTC(2026, 0, 1)) {
  const peer = await startHttpPeer();
  const egress = createEgress({ allow: '127.0.0.0/8' });
  const clock = new ManualClock(now);
  const configured = configure({ url: `http://127.0.0.1:${peer.port}/in?q=1`, ...credentials });
  const environment = {
    organisationId: 1,
    streamId: 's',
    random: seededRandom(1),
    variables: {},
    scratchDirectory: '',
  };
  const destination = await configured.open({ ...environment, egress, clock });
  t.after(async () => {
    await destination.close();
    await egress.close();
    await peer.stop();
  });
  assert.ok(destination.takes === 'batches');
  return { peer, clock, destination };
}

const signal = new AbortController().signal;

async function sendOne(destination: BatchDestination, peer: HttpPeer, batch = sampleBatch({ to: 2 })) {
  assert.deepEqual(await destination.send(batch, signal), { type: 'delivered', remoteStatus: 200 });
  const request = peer.requests.at(-1);
  assert.ok(request);
  return request;
}

describe('the requests of a webhook', () => {
  test('carry the records’ own bytes as an array, and what a receiver needs to drop a duplicate', async (t) => {
    const { destination, peer } = await start(t);
    const request = await sendOne(destination, peer, sampleBatch({ to: 5, blocks: 2 }));
    const texts = [0, 1, 2, 3, 4].map((n) => sampleRecord('usage', n));
    assert.equal(request.body.toString(), `[${texts.join(',')}]`);
    assert.equal(`${request.method} ${request.url}`, 'POST /in?q=1');
    const { headers } = request;
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['content-length'], String(request.body.length));
    assert.equal(headers['user-agent'], `simstream/${VERSION}`);
    assert.equal(headers['webhook-id'], 'sample-0-5');
    assert.equal(headers['webhook-timestamp'], String(Date.UTC(2026, 0, 1) / 1000));
    assert.equal(headers['webhook-signature'], undefined);
  });

  test('size 1 is a bare object', async (t) => {
    const { destination, peer } = await start(t, { size: '1', method: 'PUT' });
    const request = await sendOne(destination, peer, sampleBatch({ from: 3, to: 4 }));
    assert.equal(request.body.toString(), sampleRecord('usage', 3));
    assert.equal(request.method, 'PUT');
  });

  test('size 2 is an array, also of one', async (t) => {
    const { destination, peer } = await start(t, { size: 2, method: 'PATCH' });
    const request = await sendOne(destination, peer, sampleBatch({ to: 1 }));
    assert.equal(request.body.toString(), `[${sampleRecord('usage', 0)}]`);
    assert.equal(request.method, 'PATCH');
  });

  test('headers of one’s own are sent, and may take the place of simstream’s', async (t) => {
    const headers = ['Authorization: Basic YTpi', 'X-Unknown: x', 'CONTENT-TYPE:application/vnd.x+json'];
    const { destination, peer } = await start(t, {
      headers: [...headers, 'User-Agent: mine', 'X-Latin:Tür'],
    });
    const request = await sendOne(destination, peer);
    assert.equal(request.headers.authorization, 'Basic YTpi');
    assert.equal(request.headers['x-unknown'], 'x');
    assert.equal(request.headers['content-type'], 'application/vnd.x+json');
    assert.equal(request.headers['user-agent'], 'mine');
    assert.equal(request.headers['x-latin'], 'Tür');
  });

  test('the largest batch that the engine gathers makes a body of 5 MiB at most', async (t) => {
    const { destination, peer } = await start(t, { size: 40 });
    const { gathering } = configure({ size: 40 });
    assert.ok(gathering.by === 'batch');
    const shell = '{"id":1,"pad":""}'.length;
    const share = Math.floor(gathering.bytes / 40);
    const texts = Array.from({ length: 40 }, () => `{"id":1,"pad":"${'x'.repeat(share - shell)}"}`);
    const request = await sendOne(destination, peer, batchOfTexts('usage', texts, 40));
    assert.ok(request.body.length <= 5 * 2 ** 20 && request.body.length > 5 * 2 ** 20 - 100);
    assert.equal((JSON.parse(request.body.toString()) as unknown[]).length, 40);
  });

  for (const [name, secret, options] of [
    ['whsec_ and base64', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', undefined],
    ['a text of one’s own', 'correct-horse-battery', { format: 'raw' }],
  ] as const) {
    test(`a signing secret (${name}) signs as Standard Webhooks verifies`, async (t) => {
      const { destination, peer } = await start(t, { signing_secret: secret }, Date.now());
      const { body, headers } = await sendOne(destination, peer, sampleBatch({ to: 3, kind: 'event' }));
      const webhook = new Webhook(secret, options);
      const signed = headers as Record<string, string>;
      webhook.verify(body, signed, { jsonParse: false });
      assert.throws(() => webhook.verify(Buffer.from(`${body} `), signed, { jsonParse: false }));
      assert.throws(() => webhook.verify(body, { ...signed, 'webhook-id': 'other' }, { jsonParse: false }));
    });
  }

  test('a repeated delivery has the same id and body, and its own time and signature', async (t) => {
    const { destination, peer, clock } = await start(t, { signing_secret: 'correct-horse-battery' });
    const first = await sendOne(destination, peer);
    await clock.advance(5_000);
    const second = await sendOne(destination, peer);
    assert.deepEqual(second.body, first.body);
    assert.equal(second.headers['webhook-id'], first.headers['webhook-id']);
    assert.notEqual(second.headers['webhook-timestamp'], first.headers['webhook-timestamp']);
    assert.notEqual(second.headers['webhook-signature'], first.headers['webhook-signature']);
  });

  test('one connection serves them all, whatever is answered', async (t) => {
    const { destination, peer } = await start(t);
    await sendOne(destination, peer);
    peer.answer((_, response) => response.writeHead(503).end('busy'.repeat(5000)));
    assert.equal((await destination.send(sampleBatch({ to: 1 }), signal)).type, 'retry');
    peer.answer((_, response) => response.writeHead(204).end());
    const outcome = await destination.send(sampleBatch({ to: 1 }), signal);
    assert.deepEqual(outcome, { type: 'delivered', remoteStatus: 204 });
    assert.equal(peer.accepted, 1);
  });
});
