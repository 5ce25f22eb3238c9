import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { batchOfTexts } from '../batches.fixture.ts';
import type { Batch, Outcome, RecordFailure } from '../contract.ts';
import { createEgress } from '../egress.ts';
import {
  openBatches,
  startVendor,
  testEnvironment,
  type VendorAnswer,
  type VendorRequest,
} from '../vendor.fixture.ts';
import { datadog } from './datadog.ts';

const KEY = '0123456789abcdef0123456789abcdef';
const NOW = Date.UTC(2025, 2, 17, 6, 30);

interface Series {
  readonly metric: string;
  readonly type: number;
  readonly interval: number;
  readonly unit?: string;
  readonly tags: readonly string[];
  readonly points: readonly { timestamp: number; value: number }[];
}

/** Datadog as its API reference describes it: key, JSON forms, limits of size and count, and the answers to each. */
function intake(request: VendorRequest): VendorAnswer {
  if (request.headers['dd-api-key'] !== KEY) return { status: 403, body: { errors: ['Forbidden'] } };
  if (request.method === 'GET' && request.path === '/api/v1/validate')
    return { status: 200, body: { valid: true } };
  if (request.headers['content-type'] !== 'application/json')
    return { status: 415, body: { errors: ['media type'] } };
  if (request.headers['content-encoding'] !== 'gzip')
    return { status: 400, body: { errors: ['not compressed'] } };
  let body: unknown;
  try {
    body = JSON.parse(request.text);
  } catch {
    return { status: 400, body: { errors: ['Unable to parse JSON'] } };
  }
  const length = Buffer.byteLength(request.text);
  if (request.path === '/api/v2/series') {
    if (request.wireLength > 512_000 || length > 5_242_880)
      return { status: 413, body: { errors: ['Payload too big'] } };
    const { series } = body as { series: Series[] };
    const good = series.every(
      (one) =>
        /^[A-Za-z][A-Za-z0-9_.]{0,199}$/.test(one.metric) &&
        one.type === 1 &&
        Number.isInteger(one.interval) &&
        one.interval > 0 &&
        one.tags.every((tag) => typeof tag === 'string' && tag.length <= 200) &&
        one.points.every((point) => Number.isInteger(point.timestamp) && typeof point.value === 'number'),
    );
    return good ? { status: 202, body: { errors: [] } } : { status: 400, body: { errors: ['bad series'] } };
  }
  if (request.path === '/api/v2/logs') {
    if (length > 5_000_000)
      return { status: 413, body: { errors: [{ status: '413', title: 'Payload Too Large' }] } };
    const entries = body as Record<string, unknown>[];
    const good =
      Array.isArray(entries) &&
      entries.length <= 1000 &&
      entries.every((one) => typeof one.message === 'string');
    return good ? { status: 202, body: {} } : { status: 400, body: { errors: [{ title: 'Bad Request' }] } };
  }
  return { status: 404, body: { errors: ['Not found'] } };
}

const defaults = { api_key: KEY, region: 'US', include_sms: false, historical_metrics: false };

async function start(t: TestContext, options: Record<string, unknown> = {}) {
  const peer = await startVendor(t, intake);
  const environment = testEnvironment(t, { DD_URL: peer.url }, NOW);
  const destination = await openBatches(datadog, { ...defaults, ...options }, environment);
  const signal = new AbortController().signal;
  return {
    peer,
    environment,
    destination,
    send: (kind: 'usage' | 'event', records: readonly string[]) =>
      destination.send(batchOfTexts(kind, records, 2), signal),
  };
}

function usage(id: number, more = ''): string {
  return `{"id":${id},"traffic_type":{"id":5,"description":"Data"},"start_timestamp":"2025-03-17T06:02:48Z",
    "end_timestamp":"2025-03-17T06:03:33.118Z","organisation":{"id":70412,"name":"N"},"endpoint":{"id":41806233},
    "sim":{"iccid":"8999942310000004410"},"operator":{"name":"Lusocel Móvel","country":{"name":"Portugal"}},
    "volume":{"total":0.134358,"rx":0.10124,"tx":0.033118},"cost":1.34358e-3,"currency":{"code":"EUR"}${more}}`;
}

function event(id: number | string, more = ''): string {
  return `{"id":${id},"timestamp":"2025-03-17T06:02:48Z","event_type":{"id":3,"description":"Create PDP Context"},
    "event_severity":{"id":1,"description":"WARN"},"alert":true,"description":"refused","organisation":{"id":70412},
    "endpoint":{"id":41806233},"sim":{"iccid":"8999942310000004410"}${more}}`;
}

function seriesOf(request: VendorRequest | undefined): Series[] {
  return (JSON.parse(request?.text ?? '') as { series: Series[] }).series;
}

/** What Datadog holds after these requests: its intake of counts keeps the last value of a metric, its tags and a second. */
function held(requests: readonly VendorRequest[]): Record<string, number> {
  const points = new Map<string, number>();
  for (const request of requests) {
    for (const { metric, tags, points: some } of seriesOf(request)) {
      for (const { timestamp, value } of some) {
        points.set(JSON.stringify([metric.replace(/endpoint\.(volume_)?/, ''), tags, timestamp]), value);
      }
    }
  }
  const sums: Record<string, number> = {};
  for (const [key, value] of points) {
    const [metric] = JSON.parse(key) as [string];
    sums[metric] = Number(((sums[metric] ?? 0) + value).toFixed(10));
  }
  return sums;
}

function failuresOf(outcome: Outcome): readonly RecordFailure[] {
  assert.equal(outcome.type, 'partial', JSON.stringify(outcome));
  return outcome.type === 'partial' ? outcome.failures : [];
}

describe('Datadog: usage as metrics', () => {
  test('volume in its three parts and cost, counted over the slice, at its end', async (t) => {
    const { peer, send } = await start(t);
    assert.deepEqual(await send('usage', [usage(1)]), { type: 'delivered' });
    const tags = [
      'org:70412',
      'endpoint:41806233',
      'iccid:8999942310000004410',
      'operator:Lusocel Móvel',
      'country:Portugal',
      'traffic_type:Data',
    ];
    const timestamp = Date.UTC(2025, 2, 17, 6, 3, 33) / 1000;
    const shared = { type: 1, interval: 45, unit: 'megabyte', tags };
    assert.deepEqual(seriesOf(peer.requests[0]), [
      { metric: 'endpoint.volume', ...shared, points: [{ timestamp, value: 0.134358 }] },
      { metric: 'endpoint.volume_tx', ...shared, points: [{ timestamp, value: 0.033118 }] },
      { metric: 'endpoint.volume_rx', ...shared, points: [{ timestamp, value: 0.10124 }] },
      {
        metric: 'endpoint.cost',
        type: 1,
        interval: 45,
        tags: [...tags, 'currency:EUR'],
        points: [{ timestamp, value: 0.00134358 }],
      },
    ]);
    assert.match(peer.requests[0]?.text ?? '', /"value":0\.00134358\}/);
  });

  test('points that the intake would take for one are added up, exactly', async (t) => {
    const { peer, send } = await start(t);
    const other = usage(3).replace('06:03:33.118Z', '06:03:34Z').replace('06:02:48Z', '06:02:49Z');
    await send('usage', [
      usage(1).replace('06:02:48Z', '06:02:38Z'),
      usage(2).replace('0.134358', '0.2'),
      other,
    ]);
    const volumes = seriesOf(peer.requests[0]).filter((one) => one.metric === 'endpoint.volume');
    const timestamp = Date.UTC(2025, 2, 17, 6, 3, 33) / 1000;
    assert.deepEqual(
      volumes.map(({ interval, points }) => ({ interval, points })),
      [
        { interval: 55, points: [{ timestamp, value: 0.334358 }] },
        { interval: 45, points: [{ timestamp: timestamp + 1, value: 0.134358 }] },
      ],
    );
  });

  test('a record that comes twice counts once, as Datadog would have it from two requests', async (t) => {
    const { peer, send } = await start(t);
    const long = '18446744073709551615';
    const outcome = await send('usage', [
      usage(1),
      usage(2),
      usage(1),
      usage(1).replace('"id":1,', `"id":${long},`),
      usage(1).replace('"id":1,', `"id":${long.replace(/5$/, '4')},`),
    ]);
    assert.deepEqual(outcome, { type: 'delivered' });
    const values = seriesOf(peer.requests[0]).map(({ metric, points }) => [metric, points[0]?.value]);
    assert.deepEqual(values, [
      ['endpoint.volume', 0.537432],
      ['endpoint.volume_tx', 0.132472],
      ['endpoint.volume_rx', 0.40496],
      ['endpoint.cost', 0.00537432],
    ]);
  });

  test('what Datadog holds is the sum of all records, however they are spread over requests', async (t) => {
    const { peer, send, environment } = await start(t);
    const second = (id: number) =>
      usage(id).replace('06:03:33.118Z', '06:03:33.3Z').replace('0.134358', '2.5');
    await send('usage', [usage(1)]);
    await send('usage', [second(2)]);
    assert.deepEqual(held(peer.requests), { volume: 2.634358, tx: 0.066236, rx: 0.20248, cost: 0.00268716 });

    // An answer that is lost, and a record that was delivered before: nothing counts twice.
    peer.next.push('close');
    assert.equal((await send('usage', [second(3)])).type, 'retry');
    await send('usage', [second(3), usage(1)]);
    assert.deepEqual(held(peer.requests).volume, 5.134358);

    // A request that was refused is part of no later sum, and a stream that is opened again knows what it sent.
    peer.next.push({ status: 400, body: { errors: ['bad'] } });
    assert.equal((await send('usage', [second(4)])).type, 'rejected');
    const again = await openBatches(datadog, defaults, environment);
    await again.send(batchOfTexts('usage', [second(5)]), AbortSignal.timeout(5000));
    assert.deepEqual(held(peer.requests).volume, 7.634358);
  });

  test('the sums go on in another process, with what the stream delivered before', async (t) => {
    const { peer, send } = await start(t);
    const first = [usage(1), usage(2)];
    await send('usage', first);
    // After a crash nobody knows what became of the last request: it is sent again.
    const elsewhere = testEnvironment(t, { DD_URL: peer.url }, NOW);
    const destination = await openBatches(datadog, defaults, elsewhere);
    const asked: number[] = [];
    const batch = (...records: string[]): Batch => ({
      ...batchOfTexts('usage', records),
      earlier: async function* (since) {
        asked.push(since);
        yield* batchOfTexts('usage', [usage(0)]).segments;
        yield* batchOfTexts('usage', first).segments;
      },
    });
    const signal = AbortSignal.timeout(5000);
    peer.next.push('close');
    assert.equal((await destination.send(batch(usage(2), usage(3)), signal)).type, 'retry');
    await destination.send(batch(usage(2), usage(3)), signal);
    await destination.send(batch(usage(4)), signal);
    const { volume } = held(peer.requests);
    assert.equal(volume, 0.67179, 'each of five records once');
    assert.equal(asked.length, 1, 'it is read once');
    assert.equal(asked[0], batch(usage(4)).firstArrivedAt - 15 * 60_000);
  });

  test('a record log that cannot be read is asked again, and nothing is sent before', async (t) => {
    const { peer, send, destination } = await start(t);
    await send('usage', [usage(1)]);
    const requests = peer.requests.length;
    const batch = batchOfTexts('usage', [usage(2)]);
    const signal = AbortSignal.timeout(5000);
    let tries = 0;
    const earlier: Batch['earlier'] = async function* () {
      if (++tries === 1) throw new Error('the record log cannot be read');
      yield* batchOfTexts('usage', [usage(1)]).segments;
    };
    await assert.rejects(destination.send({ ...batch, earlier }, signal), /cannot be read/);
    assert.equal(peer.requests.length, requests);
    await destination.send({ ...batch, earlier }, signal);
    assert.equal(held(peer.requests).volume, 0.268716);
  });

  test('500 devices with two sessions that are cut on the hour: no megabyte and no cent is missing', async (t) => {
    const { peer, send } = await start(t);
    const session = (id: number) =>
      usage(id)
        .replace('"id":41806233', `"id":${id % 500}`)
        .replace('0.134358', '1');
    for (let from = 0; from < 1000; from += 250) {
      const outcome = await send(
        'usage',
        Array.from({ length: 250 }, (_, n) => session(from + n)),
      );
      assert.deepEqual(outcome, { type: 'delivered' });
    }
    const { volume, cost } = held(peer.requests);
    assert.deepEqual([volume, Math.round((cost ?? 0) * 1e8)], [1000, 134_358_000]);
  });

  test('messages are left out unless asked for', async (t) => {
    const sms = usage(2)
      .replace('{"id":5,"description":"Data"}', '{"id":6,"description":"SMS"}')
      .replace('0.134358', '1');
    const without = await start(t);
    assert.deepEqual(await without.send('usage', [sms]), { type: 'delivered' });
    assert.equal(without.peer.requests.length, 0);
    const included = await start(t, { include_sms: true });
    await included.send('usage', [sms]);
    const names = seriesOf(included.peer.requests[0]).map(({ metric, unit }) => `${metric} ${unit}`);
    assert.deepEqual(names, [
      'endpoint.sms message',
      'endpoint.sms_tx message',
      'endpoint.sms_rx message',
      'endpoint.cost undefined',
    ]);
  });

  test('points that the intake would drop are set aside with the reason, and the others sent', async (t) => {
    const { peer, send } = await start(t);
    const old = usage(1).replaceAll('2025-03-17T06:0', '2025-03-17T05:0');
    const ahead = usage(2).replaceAll('2025-03-17T06:0', '2025-03-17T07:0');
    const timeless = usage(3).replace(/"start_timestamp".*\s+"end_timestamp":"[^"]*",/, '');
    const empty = usage(4).replace(/"volume".*"cost":1.34358e-3/, '"volume":null,"cost":"x"');
    const failures = failuresOf(await send('usage', [old, usage(5), ahead, timeless, empty]));
    assert.deepEqual(
      failures.map(({ index, verdict, cause, expected }) => [index, verdict, cause.code, expected]),
      [
        [0, 'reject', 'point_too_old', true],
        [2, 'reject', 'point_in_future', true],
        [3, 'reject', 'no_timestamp', true],
        [4, 'reject', 'no_values', true],
      ],
    );
    assert.equal(peer.requests.length, 1);
    assert.equal(seriesOf(peer.requests[0]).length, 4);
    const historical = await start(t, { historical_metrics: true });
    assert.deepEqual(await historical.send('usage', [old]), { type: 'delivered' });
  });

  test('an open session counts at its start, and without a price only its volume does', async (t) => {
    const { peer, send } = await start(t);
    const open = usage(1)
      .replace('"2025-03-17T06:03:33.118Z"', 'null')
      .replace('"cost":1.34358e-3', '"cost":null');
    assert.deepEqual(await send('usage', [open]), { type: 'delivered' });
    const series = seriesOf(peer.requests[0]);
    assert.ok(series.length > 0);
    assert.ok(series.every(({ metric }) => metric !== 'endpoint.cost'));
    const started = Date.UTC(2025, 2, 17, 6, 2, 48) / 1000;
    assert.ok(series.every(({ points }) => points[0]?.timestamp === started));
  });

  test('nothing is sent when nothing can be taken', async (t) => {
    const { peer, send } = await start(t);
    assert.equal(
      failuresOf(await send('usage', [usage(1).replaceAll('2025-03-17', '2025-03-16')])).length,
      1,
    );
    assert.equal(peer.requests.length, 0);
  });

  test('a batch with long tags is cut at the limit of a request', async (t) => {
    const { peer, send } = await start(t);
    const records = Array.from({ length: 1500 }, (_, id) =>
      usage(id)
        .replace('Lusocel Móvel', 'é'.repeat(190))
        .replace('Portugal', `${'€'.repeat(180)}${id}`)
        .replace('41806233', String(41806233 + id)),
    );
    assert.deepEqual(await send('usage', records), { type: 'delivered' });
    assert.ok(peer.requests.length > 1);
    const series = peer.requests.flatMap(seriesOf).filter(({ metric }) => metric === 'endpoint.volume');
    const endpoints = series.map(({ tags }) => tags.find((tag) => tag.startsWith('endpoint:')));
    assert.deepEqual(
      endpoints,
      records.map((_, id) => `endpoint:${41806233 + id}`),
    );
  });

  test('after a failure in the middle only what was not taken is sent again', async (t) => {
    const { peer, send } = await start(t);
    const records = Array.from({ length: 1500 }, (_, id) =>
      usage(id)
        .replace('Portugal', '€'.repeat(180))
        .replace('Lusocel Móvel', 'é'.repeat(190))
        .replace('41806233', String(id)),
    );
    peer.next.push({ status: 202, body: { errors: [] } }, { status: 503 });
    const failures = failuresOf(await send('usage', records));
    const taken = seriesOf(peer.requests[0]).filter(({ metric }) => metric === 'endpoint.volume').length;
    assert.deepEqual(
      failures.map(({ index }) => index),
      records.map((_, id) => id).slice(taken),
    );
    assert.ok(failures.every(({ verdict, cause }) => verdict === 'retry' && cause.code === 'http_503'));
  });
});

describe('Datadog: events as logs', () => {
  test('carry severity, time, tags, and the record byte for byte', async (t) => {
    const { peer, send } = await start(t);
    const record = event('9223372036854775807', ',"detail":{"cost":0.10}');
    assert.deepEqual(await send('event', [record, event(2)]), { type: 'delivered' });
    const [request] = peer.requests;
    assert.equal(request?.path, '/api/v2/logs');
    assert.ok(request?.text.includes(`"event":${record}}`));
    const [entry, second] = JSON.parse(request?.text ?? '') as Record<string, unknown>[];
    const { event: _, ...attributes } = entry ?? {};
    assert.deepEqual(attributes, {
      ddsource: 'simstream',
      service: 'simstream',
      status: 'warning',
      timestamp: '2025-03-17T06:02:48.000Z',
      ddtags: 'org:70412,event_type:3,alert:true,endpoint:41806233,iccid:8999942310000004410',
      message: 'refused',
      record_id: '9223372036854775807',
      aggregation_key: 'event_type:3',
    });
    assert.equal(second?.record_id, '2');
  });

  test('severities of both forms, and what is missing', async (t) => {
    const { peer, send } = await start(t);
    await send('event', [
      event(1).replace('{"id":1,"description":"WARN"}', '{"id":0}'),
      event(2).replace('{"id":1,"description":"WARN"}', '{"id":2}'),
      event(3).replace('{"id":1,"description":"WARN"}', '{"description":"CRITICAL"}'),
      event(4)
        .replace('{"id":1,"description":"WARN"}', 'null')
        .replace('"description":"refused"', '"alert":0'),
    ]);
    const entries = JSON.parse(peer.requests[0]?.text ?? '') as { status: string; message: string }[];
    assert.deepEqual(
      entries.map(({ status }) => status),
      ['info', 'error', 'error', 'info'],
    );
    assert.equal(entries[3]?.message, 'Create PDP Context');
  });

  test('older than 18 hours: set aside', async (t) => {
    const { send } = await start(t);
    const old = event(1).replace('2025-03-17T06:02:48Z', '2025-03-16 11:02:48');
    const failures = failuresOf(await send('event', [event(2), old, '{"id":3}']));
    assert.deepEqual(
      failures.map(({ index, cause }) => [index, cause.code]),
      [
        [1, 'entry_too_old'],
        [2, 'no_timestamp'],
      ],
    );
  });

  test('cut at the limits of a request: bytes, and 1000 entries', async (t) => {
    const { peer, send } = await start(t);
    const large = Array.from({ length: 30 }, (_, id) => event(id, `,"detail":"${'x'.repeat(200_000)}"`));
    assert.deepEqual(await send('event', large), { type: 'delivered' });
    assert.equal(peer.requests.length, 2);
    const many = Array.from({ length: 1500 }, (_, id) => event(id));
    assert.deepEqual(await send('event', many), { type: 'delivered' });
    const ids = peer.requests.flatMap(({ text }) =>
      (JSON.parse(text) as { event: { id: number } }[]).map((one) => one.event.id),
    );
    assert.deepEqual(ids, [...large.keys(), ...many.keys()]);
  });
});

describe('Datadog: what it answers', () => {
  const cases: [answer: VendorAnswer, outcome: Outcome['type'], code: string, afterMs?: number][] = [
    [{ status: 403, body: { errors: ['Forbidden'] } }, 'refused', 'http_403'],
    [{ status: 401 }, 'refused', 'http_401'],
    [{ status: 403, text: '<html><body>Blocked by policy</body></html>' }, 'platform', 'foreign_answer'],
    [{ status: 404 }, 'refused', 'http_404'],
    [{ status: 400, body: { errors: ['bad'] } }, 'rejected', 'http_400'],
    [{ status: 413 }, 'too_large', 'http_413'],
    [{ status: 429, headers: { 'x-ratelimit-reset': '7' } }, 'retry', 'http_429', 7000],
    [{ status: 429, headers: { 'retry-after': '3', 'x-ratelimit-reset': '7' } }, 'retry', 'http_429', 3000],
    [
      { status: 503, headers: { 'retry-after': new Date(NOW + 90_000).toUTCString() } },
      'retry',
      'http_503',
      90_000,
    ],
    [{ status: 408 }, 'retry', 'http_408'],
    [{ status: 307, headers: { location: 'https://elsewhere.example/x' } }, 'refused', 'http_307'],
    [{ status: 202, body: { errors: ['invalid point'] } }, 'rejected', 'partly_refused'],
    ['close', 'retry', 'connection_reset'],
  ];
  for (const [answer, type, code, afterMs] of cases) {
    const name =
      typeof answer === 'string'
        ? answer
        : `${answer.status} ${JSON.stringify(answer.headers ?? answer.body ?? '')}`;
    test(`${name} is ${type}`, async (t) => {
      const { peer, send } = await start(t);
      peer.next.push(answer);
      const outcome = await send('usage', [usage(1)]);
      assert.equal(outcome.type, type);
      assert.ok(outcome.type !== 'delivered' && outcome.type !== 'partial');
      assert.equal(outcome.cause.code, code);
      assert.equal(outcome.type === 'retry' ? outcome.afterMs : undefined, afterMs);
      if (code === 'http_307') assert.match(outcome.cause.message, /elsewhere\.example/);
    });
  }
});

describe('Datadog: verification and configuration', () => {
  test('a good key is told from a bad one, without the key in the message', async (t) => {
    const good = await start(t);
    assert.deepEqual(await good.destination.verify(AbortSignal.timeout(5000)), { type: 'reachable' });
    assert.equal(good.peer.requests[0]?.path, '/api/v1/validate');
    const bad = await start(t, { api_key: 'wrong-key-wrong-key' });
    bad.peer.next.push({ status: 403, body: { errors: ['API key wrong-key-wrong-key is not valid'] } });
    const verdict = await bad.destination.verify(AbortSignal.timeout(5000));
    assert.equal(verdict.type, 'failed');
    const message = verdict.type === 'failed' ? verdict.cause.message : '';
    assert.match(message, /region US/);
    assert.ok(!message.includes('wrong-key'), message);
  });

  test('each region has its site; a key that cannot be sent is a fault', () => {
    const target = (region: string) => {
      const configured = datadog.configure({ ...defaults, region }, 'Json');
      return Array.isArray(configured) ? '' : configured.target;
    };
    assert.deepEqual(['US', 'US3', 'US5', 'EU', 'AP1', 'AP2', 'US1FED', 'US2FED'].map(target), [
      'datadog://datadoghq.com',
      'datadog://us3.datadoghq.com',
      'datadog://us5.datadoghq.com',
      'datadog://datadoghq.eu',
      'datadog://ap1.datadoghq.com',
      'datadog://ap2.datadoghq.com',
      'datadog://ddog-gov.com',
      'datadog://us2.ddog-gov.com',
    ]);
    const faults = datadog.configure({ ...defaults, api_key: 'a b' }, 'Json');
    assert.ok(Array.isArray(faults) && faults[0]?.path === '/api_key');
  });

  test('the variables of a container that Datadog instruments move no stream to another site', async (t) => {
    const asked: string[] = [];
    const egress = createEgress({
      allow: '',
      resolve: (hostname) => {
        asked.push(hostname);
        return Promise.resolve([]);
      },
    });
    t.after(() => egress.close());
    const environment = { ...testEnvironment(t, { DD_SITE: 'datadoghq.eu' }, NOW), egress };
    for (const region of ['US', 'US3']) {
      const destination = await openBatches(datadog, { ...defaults, region }, environment);
      assert.equal((await destination.verify(AbortSignal.timeout(5000))).type, 'failed');
    }
    assert.deepEqual([...new Set(asked)], ['api.datadoghq.com', 'api.us3.datadoghq.com']);
  });
});
