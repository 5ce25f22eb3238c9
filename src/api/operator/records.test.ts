import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { createAuthorizeOperator } from '../../auth/identity.ts';
import { WAIT_MS } from '../../ingest/admission.ts';
import { LARGEST_BODY } from '../../ingest/body.ts';
import { takeRecords } from '../../ingest/http.ts';
import { storedRecords, testIngest } from '../../ingest/ingest.fixture.ts';
import type { Ingest } from '../../ingest/ingest.ts';
import { IDLE_MS } from '../../ingest/upload.ts';
import { type ManualClock, seededRandom, settle } from '../../lib/manual-clock.fixture.ts';
import type { RecordLog } from '../../log/log.ts';
import { eventText, usageText } from '../../records/records.fixture.ts';
import { createApp } from '../app.ts';
import { defineRoute } from '../route.ts';
import { recordsRoutes } from './records.ts';

interface Served {
  readonly app: FastifyInstance;
  readonly ingest: Ingest;
  readonly log: RecordLog;
  readonly clock: ManualClock;
  readonly port: number;
  readonly refused: unknown[];
}

/** The real routes for records, beside one that takes JSON, in the real application. */
async function serve(options: Parameters<typeof testIngest>[0] = {}): Promise<Served> {
  const { ingest, log, clock } = testIngest(options);
  const refused: unknown[] = [];
  const telemetry = { ingestRefused: (event: unknown) => refused.push(event) };
  const echo = defineRoute({
    method: 'POST',
    path: '/json',
    operationId: 'Echo',
    tags: ['Test'],
    summary: 'Answers with the body',
    access: 'public',
    body: Type.Object({ a: Type.Integer() }),
    responses: { 200: { description: 'The body.', schema: Type.Object({ got: Type.Unknown() }) } },
    handler: async ({ body }) => ({ status: 200, body: { got: body } }),
  });
  const app = await createApp({
    routes: [...recordsRoutes({ takeRecords: (call) => takeRecords({ ingest, telemetry }, call) }), echo],
    authorize: () => assert.fail('only the operator may call these routes'),
    authorizeOperator: createAuthorizeOperator('operator'),
    admit: () => undefined,
    admitRequest: () => undefined,
    random: seededRandom(1),
    clock,
    version: '0',
    answered: () => undefined,
    readiness: async () => [],
    metrics: async () => '',
    metricsContentType: 'text/plain',
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return { app, ingest, log, clock, port: (app.server.address() as AddressInfo).port, refused };
}

type Call = { kind?: 'usage' | 'events'; query?: string; headers?: Record<string, string>; token?: string };

async function post(
  { port }: Served,
  body: string | Uint8Array | ReadableStream | undefined,
  call: Call = {},
) {
  const { kind = 'usage', query = '', headers = {}, token = 'operator' } = call;
  const answer = await fetch(`http://127.0.0.1:${port}/operator/v1/records/${kind}${query}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body, duplex: 'half' }),
  } as RequestInit);
  // biome-ignore lint/suspicious/noExplicitAny: what the answer is, is what the tests are about
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as any };
}

/** A body of as many records as megabytes: white space makes them long, as that takes the least time to read. */
const bodyOf = (records: number) =>
  `[${Array(records)
    .fill(usageText().padEnd(2 ** 20))
    .join()}]`;

const LINES = { 'content-type': 'application/x-ndjson' };

describe('posting records', () => {
  let served: Served;
  before(async () => {
    served = await serve();
  });
  after(() => served.app.close());

  test('takes arrays and lines of both kinds, and one record alone', async () => {
    assert.deepEqual((await post(served, `[${usageText()},${usageText()}]`)).body, { accepted: 2 });
    assert.deepEqual((await post(served, `${eventText()}\n`, { kind: 'events', headers: LINES })).body, {
      accepted: 1,
    });
    for (const type of ['application/ndjson', 'application/jsonl', 'Application/X-NDJSON; charset=UTF-8'])
      assert.equal((await post(served, usageText(), { headers: { 'content-type': type } })).status, 202);
    assert.deepEqual((await post(served, usageText())).body, { accepted: 1 });
    assert.deepEqual((await post(served, '[]')).body, { accepted: 0 });
    const stored = await storedRecords(served.log);
    assert.equal(stored.length, 7);
    assert.equal(stored.filter(({ text }) => text === eventText()).length, 1);
  });

  test('takes bodies beyond the limits of other routes, with and without a length', async () => {
    const { ingest, log } = served;
    const already = (await storedRecords(log)).length;
    const record = usageText({ x: `"${'x'.repeat(100_000)}"` });
    const text = `[${Array.from({ length: 60 }, () => record).join()}]`;
    assert.equal((await post(served, text)).body.accepted, 60);
    const pieces = new ReadableStream({
      start: (controller) => {
        for (let at = 0; at < text.length; at += 1_000_000)
          controller.enqueue(Buffer.from(text.slice(at, at + 1_000_000)));
        controller.close();
      },
    });
    assert.equal((await post(served, pieces)).body.accepted, 60);
    const stored = await storedRecords(log);
    assert.equal(stored.length - already, 120);
    assert.ok(stored.slice(already).every((one) => one.text === record));
    assert.equal(ingest.admission.held, 0);
  });

  test('unpacks gzip and zstd', async () => {
    const text = `[${Array.from({ length: 500 }, (_, i) => usageText({ id: `${i}` })).join()}]`;
    for (const [encoding, body] of [
      ['gzip', gzipSync(text)],
      ['zstd', zstdCompressSync(text)],
      ['gzip', Buffer.concat([gzipSync(text.slice(0, 50_000)), gzipSync(text.slice(50_000))])],
      ['identity', Buffer.from(text)],
    ] as const) {
      const { status, body: answer } = await post(served, new Uint8Array(body), {
        headers: { 'content-encoding': encoding },
      });
      assert.deepEqual([status, answer], [202, { accepted: 500 }], encoding);
    }
    assert.equal(served.ingest.admission.held, 0);
  });

  test('names what is wrong and stores nothing', async () => {
    const already = (await storedRecords(served.log)).length;
    const { status, body } = await post(served, `[${usageText()},{},${usageText({ cost: '"1"' })}]`);
    assert.equal(status, 422);
    assert.equal(body.error_token, 'InputValidationFailed');
    assert.equal(body.message, '2 of 3 records are invalid; nothing was stored.');
    assert.deepEqual(body.errors[1], {
      index: 2,
      path: '/cost',
      message: 'must be a number, or null, not "1"',
    });
    assert.equal(body.errors[0].index, 1);
    const cut = await post(served, '[{"id":1');
    assert.equal(cut.status, 422);
    assert.match(cut.body.message, /cannot be read/);
    assert.deepEqual(
      cut.body.errors.map((error: { index: number }) => error.index),
      [0],
    );
    assert.equal((await storedRecords(served.log)).length, already);
  });

  test('lists at most 20 faults', async () => {
    const { body } = await post(served, `[${Array(50).fill('{}').join()}]`);
    assert.equal(body.errors.length, 20);
    assert.match(body.message, /^50 of 50 records/);
  });

  test('skips invalid records where asked to', async () => {
    const { status, body } = await post(served, `[1,${usageText()}]`, { query: '?invalid=skip' });
    assert.equal(status, 202);
    assert.deepEqual(body, {
      accepted: 1,
      rejected: 1,
      rejected_indexes: [0],
      errors: [{ index: 0, path: '', message: 'must be a JSON object' }],
    });
    assert.deepEqual((await post(served, '[]', { query: '?invalid=skip' })).body, {
      accepted: 0,
      rejected: 0,
      rejected_indexes: [],
      errors: [],
    });
    const half = Array.from({ length: 100 }, (_, at) => (at % 2 ? '{}' : usageText({ id: `${at}` })));
    const { body: mixed } = await post(served, `[${half.join()}]`, { query: '?invalid=skip' });
    assert.deepEqual([mixed.accepted, mixed.rejected, mixed.errors.length], [50, 50, 20]);
    assert.deepEqual(
      mixed.rejected_indexes,
      half.flatMap((text, at) => (text === '{}' ? [at] : [])),
    );
    const flood = await post(served, `${'1\n'.repeat(100_001)}`, {
      query: '?invalid=skip',
      headers: { 'content-type': 'application/x-ndjson' },
    });
    assert.deepEqual([flood.status, flood.body.error_code], [422, 1400]);
    assert.match(flood.body.message, /at most 100000 can be skipped/);
    for (const query of ['?invalid=', '?invalid=no', '?invalid=skip&invalid=skip'])
      assert.equal((await post(served, '[]', { query })).body.error_token, 'InvalidQueryCriteria');
  });

  test('asks who it is before it reads anything', async () => {
    const { status, body } = await post(served, 'not even JSON', {
      token: 'other',
      headers: { 'content-type': 'text/x' },
    });
    assert.deepEqual([status, body.error_token], [401, 'InvalidToken']);
  });

  test('knows content types and encodings, and says which', async () => {
    for (const type of ['text/plain', 'application/xml', 'application/json; charset=latin1']) {
      const { status, body } = await post(served, '[]', { headers: { 'content-type': type } });
      assert.deepEqual([status, body.error_token], [415, 'UnsupportedMediaType'], type);
    }
    const missing = await served.app.inject({
      method: 'POST',
      url: '/operator/v1/records/usage',
      headers: { authorization: 'Bearer operator' },
      payload: Buffer.from('[]'),
    });
    assert.equal(missing.statusCode, 415);
    assert.match(missing.json().message, /content type is missing; send application\/json/);
    assert.equal((await post(served, '[]', { headers: { 'content-encoding': 'br' } })).status, 415);
    assert.equal((await post(served, undefined)).status, 422);
    assert.equal((await post(served, undefined, { headers: LINES })).status, 202);
  });

  test('says when a compressed body is damaged', async () => {
    const whole = gzipSync(`[${usageText()}]`);
    for (const [encoding, body] of [
      ['gzip', '[]'],
      ['gzip', ''],
      ['gzip', whole.subarray(0, -9)],
      ['zstd', zstdCompressSync('[]').subarray(0, 8)],
      ['zstd', 'zstd'],
    ] as const) {
      const { status, body: answer } = await post(served, Uint8Array.from(Buffer.from(body)), {
        headers: { 'content-encoding': encoding },
      });
      assert.deepEqual([status, answer.error_token], [400, 'BadRequest'], `${encoding} ${body}`);
      assert.match(answer.message, new RegExp(`not valid ${encoding}`));
    }
  });

  test('refuses what is too large, as soon as it is known, and does not unpack a bomb', async () => {
    const { port, ingest } = served;
    const announced = httpRequest({
      port,
      host: '127.0.0.1',
      method: 'POST',
      path: '/operator/v1/records/usage',
      headers: {
        authorization: 'Bearer operator',
        'content-type': 'application/json',
        'content-length': LARGEST_BODY + 1,
      },
    });
    announced.flushHeaders();
    const [answer] = await once(announced, 'response');
    assert.equal(answer.statusCode, 413);
    announced.on('error', () => undefined);
    announced.destroy();

    const bomb = Buffer.alloc(LARGEST_BODY + 1, ' ');
    const packed: [string, Uint8Array][] = [
      ['gzip', gzipSync(bomb, { level: 1 })],
      ['zstd', zstdCompressSync(bomb)],
    ];
    // One whose last part says that it is small.
    const parts = Buffer.concat([packed[0]?.[1] as Uint8Array, gzipSync('x')]);
    for (const [encoding, body] of [...packed, ['gzip', parts] as const]) {
      const { status, body: error } = await post(served, new Uint8Array(body), {
        headers: { 'content-encoding': encoding },
      });
      assert.deepEqual([status, error.error_token], [413, 'PayloadTooLarge']);
    }
    const largest = bodyOf(Math.floor(LARGEST_BODY / 2 ** 20) - 1).padEnd(LARGEST_BODY);
    assert.equal((await post(served, largest)).status, 202);
    const endless = new ReadableStream(
      { pull: (controller) => controller.enqueue(Buffer.alloc(2 ** 20, ' ')) },
      { highWaterMark: 0 },
    );
    const refused = await post(served, endless).catch((error: Error) => error);
    if (!(refused instanceof Error)) assert.equal(refused.status, 413);
    assert.equal(ingest.admission.held, 0);
  });

  test('forgets a body whose sender went away', async () => {
    const { port, ingest, log, refused } = served;
    const already = (await storedRecords(log)).length;
    const seen = refused.length;
    const socket = connect(port, '127.0.0.1');
    const head = [
      'POST /operator/v1/records/usage HTTP/1.1',
      'Host: x',
      'Authorization: Bearer operator',
      'Content-Type: application/json',
      'Content-Length: 1000',
      '',
      `[${usageText()}]`,
    ];
    socket.write(head.join('\r\n'));
    while (ingest.admission.held === 0) await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    while (ingest.admission.held > 0 || refused.length === seen)
      await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(refused.slice(seen), [{ kind: 'usage', reason: 'BadRequest' }]);
    assert.equal((await storedRecords(log)).length, already);
  });

  test('honours idempotency keys', async () => {
    const already = (await storedRecords(served.log)).length;
    const headers = { 'idempotency-key': 'import 7/2025 ~' };
    for (const replayed of [undefined, 'true', 'true']) {
      const answer = await post(served, `[${usageText()}]`, { headers });
      assert.deepEqual(answer.body, { accepted: 1 });
      assert.equal(answer.headers.get('idempotent-replayed') ?? undefined, replayed);
    }
    assert.equal((await storedRecords(served.log)).length, already + 1);
    const other = await post(served, `[${usageText({ id: '7' })}]`, { headers });
    assert.deepEqual([other.status, other.body.error_token], [422, 'NotAllowed']);
    for (const key of ['', 'x'.repeat(256), 'naïve']) {
      const { status, body } = await post(served, '[]', { headers: { 'idempotency-key': key } });
      assert.deepEqual([status, body.error_token], [422, 'InvalidFormat'], key);
    }
  });

  test('leaves the parsers of other routes alone', async () => {
    const answer = await served.app.inject({ method: 'POST', url: '/json', payload: { a: 1 } });
    assert.deepEqual(answer.json(), { got: { a: 1 } });
  });
});

/** Begins an upload that announces 32 MiB, and sends no more than the given text. */
async function beginUpload({ port, ingest }: Served, text: string) {
  const before = ingest.admission.held;
  const socket = connect(port, '127.0.0.1');
  const answered = once(socket, 'data').then(([data]) => String(data));
  socket.on('error', () => {});
  const head = [
    'POST /operator/v1/records/usage HTTP/1.1',
    'Host: x',
    'Authorization: Bearer operator',
    'Content-Type: application/json',
    `Content-Length: ${LARGEST_BODY}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${text}`);
  while (ingest.admission.held === before) await new Promise((resolve) => setImmediate(resolve));
  return { socket, answered };
}

describe('uploads that stall', () => {
  test('hold what they have sent, and nobody else', async () => {
    const served = await serve({ bytesInFlight: 4 * 2 ** 20 });
    const stalled = await Promise.all(Array.from({ length: 300 }, () => beginUpload(served, '[')));
    assert.ok(served.ingest.admission.held < 300 * 1024, String(served.ingest.admission.held));
    const text = `[${usageText({ x: `"${'x'.repeat(100_000)}"` })}]`;
    for (let n = 0; n < 10; n++) assert.equal((await post(served, text)).status, 202);
    for (const { socket } of stalled) socket.destroy();
    await served.app.close();
  });

  test('are given up after 10 s without a byte, or below 8 KiB/s', async () => {
    const served = await serve();
    const { clock, ingest } = served;
    const idle = await beginUpload(served, '[');
    const slow = await beginUpload(served, '[');
    const fast = await beginUpload(served, '['.padEnd(60_000));
    for (let second = 0; second < 8; second += 2) {
      await clock.advance(2_000);
      for (const { socket } of [slow, fast]) {
        const held = ingest.admission.held;
        socket.write(' '.repeat(socket === slow.socket ? 10 : 20_000));
        while (ingest.admission.held === held) await settle();
      }
    }
    await clock.advance(4_000);
    for (const { answered } of [idle, slow]) {
      const answer = await answered;
      assert.match(answer, /^HTTP\/1.1 408 /);
      assert.match(answer, /"error_token":"BadRequest"/);
    }
    assert.ok(ingest.admission.held > 60_000, 'the fast one goes on');
    for (const { socket } of [idle, slow, fast]) socket.destroy();
    while (ingest.admission.held > 0) await settle();
    await served.app.close();
  });
});

describe('posting records to a node that cannot keep up', () => {
  test('takes large bodies in turn, where all at the same time have no room', async () => {
    const served = await serve({ bytesInFlight: 8 * 2 ** 20 });
    const text = bodyOf(4);
    const bodies = [text, text, text, text, new Blob([text]).stream()];
    const answers = await Promise.all(bodies.map((body) => post(served, body)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      bodies.map(() => 202),
    );
    assert.deepEqual([served.ingest.admission.held, served.ingest.admission.waiting], [0, 0]);
    assert.equal((await storedRecords(served.log)).length, 4 * bodies.length);
    await served.app.close();
  });

  test('lets a large body wait no longer than its sender, and charges it nothing', async () => {
    const gate = Promise.withResolvers<void>();
    const served = await serve({ bytesInFlight: 5 * 2 ** 20, sync: () => gate.promise });
    const { clock, ingest } = served;
    const text = bodyOf(3);
    const first = post(served, text);
    while (ingest.admission.held < text.length) await settle();
    const second = post(served, text);
    while (ingest.admission.waiting === 0) await settle();
    // Longer than an upload may pause by itself.
    await clock.advance(IDLE_MS + 2_000);
    assert.equal(ingest.admission.waiting, 1);
    await clock.advance(WAIT_MS);
    assert.equal((await second).status, 503);
    gate.resolve();
    assert.equal((await first).status, 202);
    assert.equal(ingest.admission.held, 0);
    await served.app.close();
  });

  test('is answered 503 with Retry-After before the body is read', async () => {
    const gate = Promise.withResolvers<void>();
    const text = `[${usageText()}]`;
    const served = await serve({ bytesInFlight: text.length + 100, sync: () => gate.promise });
    try {
      const first = post(served, text);
      while (served.ingest.admission.held === 0) await new Promise((resolve) => setImmediate(resolve));
      const second = await post(served, text);
      assert.deepEqual([second.status, second.body.error_token], [503, 'Busy']);
      assert.ok(Number(second.headers.get('retry-after')) >= 1);
      const packed = await post(served, new Uint8Array(gzipSync(text)), {
        headers: { 'content-encoding': 'gzip' },
      });
      assert.equal(packed.status, 503);
      const ofUnknownLength = new Blob([text]).stream();
      assert.equal((await post(served, ofUnknownLength)).status, 503);
      gate.resolve();
      assert.equal((await first).status, 202);
      assert.equal((await post(served, text)).status, 202);
      assert.equal(served.ingest.admission.held, 0);
      assert.deepEqual(served.refused, Array(3).fill({ kind: 'usage', reason: 'Busy' }));
    } finally {
      await served.app.close();
    }
  });

  test('is answered 503 when the log does not take them', async () => {
    const served = await serve({ sync: () => Promise.reject(new Error('disk full')) });
    try {
      const { status, headers } = await post(served, `[${usageText()}]`);
      assert.equal(status, 503);
      assert.ok(Number(headers.get('retry-after')) >= 1);
    } finally {
      await served.app.close();
    }
  });
});
