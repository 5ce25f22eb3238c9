import assert from 'node:assert/strict';
import { once } from 'node:events';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { Registry } from 'prom-client';
import { createLogger } from '../cli/logger.ts';
import type { LogLevel } from '../config/config.ts';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { createTelemetry } from './create-telemetry.ts';
import { createMetrics, KNOWN_CAUSES } from './metrics.ts';
import type { DeliveryAttempt } from './telemetry.ts';

const ATTEMPT: DeliveryAttempt = {
  streamId: '5f3a9c1e',
  organisationId: 70412,
  connectionType: 'RestAPI',
  records: 12,
  bytes: 10_500,
  durationMs: 40,
  latencyMs: 55,
  outcome: 'delivered',
  remoteStatus: 200,
  attempt: 1,
};

function start(level: LogLevel = 'info', clock = new ManualClock()) {
  const lines: string[] = [];
  const logger = createLogger({
    level,
    readable: false,
    destination: { write: (line) => void lines.push(line) },
  });
  const telemetry = createTelemetry({ logger, version: '1.2.3', processMetrics: false, clock });
  return { telemetry, logger, lines, logged: () => lines.map((line) => JSON.parse(line)) };
}

describe('metrics', () => {
  test('count what happened', async () => {
    const { telemetry } = start();
    telemetry.recordsIngested({ kind: 'usage', records: 1000, bytes: 878_000, durationMs: 3 });
    telemetry.deliveryAttempted(ATTEMPT);
    telemetry.deliveryAttempted({ ...ATTEMPT, outcome: 'partial', taken: 10, causeCode: 'http_429' });
    telemetry.httpRequest({
      method: 'GET',
      route: '/api/v2/data_stream/:id',
      status: 404,
      durationMs: 1,
      organisationId: 70412,
    });
    const text = await telemetry.metrics();
    assert.match(text, /simstream_records_ingested_total\{kind="usage"\} 1000\n/);
    assert.match(text, /simstream_records_delivered_total\{connection_type="RestAPI"\} 22\n/);
    assert.match(text, /delivery_failures_total\{connection_type="RestAPI",cause="http_429"\} 1\n/);
    assert.match(text, /requests_total\{method="GET",route="\/api\/v2\/data_stream\/:id",status="4xx"\} 1\n/);
  });

  test('have no label that grows with customers', async () => {
    const { telemetry } = start('silent');
    for (let index = 0; index < 1000; index++) {
      const stream = { streamId: `stream${index}`, organisationId: 700_000 + index };
      telemetry.deliveryAttempted({ ...ATTEMPT, ...stream, outcome: 'retry', causeCode: `code${index}` });
      telemetry.streamStateChanged({ ...stream, state: 'error', message: 'gone' });
      telemetry.recordsExpired({ ...stream, records: 1 });
      telemetry.concurrencyLowered({ reason: 'slow' });
      telemetry.recordsQuarantined({ ...stream, records: 1, causeCode: `code${index}`, message: 'bad' });
    }
    const text = await telemetry.metrics();
    assert.doesNotMatch(text, /stream\d|7000\d\d/);
    assert.match(text, /cause="other"/);
    assert.ok(text.split('\n').length < 600, `${text.split('\n').length} lines`);
  });

  test('keep the causes of one customer apart from the many answers of another', async () => {
    const { telemetry } = start();
    const fail = (causeCode: string) =>
      telemetry.deliveryAttempted({ ...ATTEMPT, outcome: 'retry', causeCode });
    for (let status = 400; status < 600; status++) fail(`http_${status}`);
    for (let index = 0; index < 200; index++) fail(`Invented${index}`);
    for (const cause of KNOWN_CAUSES) fail(cause);
    const text = await telemetry.metrics();
    for (const cause of [...KNOWN_CAUSES, 'http_4xx', 'http_5xx'])
      assert.match(text, new RegExp(`failures_total\\{.*cause="${cause}"\\} [1-9]`), cause);
    assert.doesNotMatch(text, /cause="http_418"/);
  });

  test('have a place for every cause that simstream names', () => {
    const sources = globSync(['src/destinations/**/*.ts', 'src/delivery/**/*.ts']).filter(
      (file) => !/\.(test|fixture|contract)\.ts$/.test(file),
    );
    const named = sources.flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/(?:code: |meaning\('\w+', )'([a-z_]+)'/g)].map(
        ([, code]) => code as string,
      ),
    );
    assert.ok(named.length > 20);
    assert.deepEqual(
      [...new Set(named)].filter((code) => !KNOWN_CAUSES.has(code)),
      [],
    );
  });

  test('can be observed, with and without a label, and leave out what cannot be read', async () => {
    const { telemetry } = start();
    telemetry.observe({ name: 'simstream_test_one', help: 'One', read: () => 7 });
    telemetry.observe({
      name: 'simstream_test_many',
      help: 'Many',
      label: 'state',
      read: () => ({ running: 2, paused: 0 }),
    });
    telemetry.observe({
      name: 'simstream_test_broken',
      help: 'Broken',
      read: () => {
        throw new Error('gone');
      },
    });
    const text = await telemetry.metrics();
    assert.match(text, /simstream_test_one 7\n/);
    assert.match(text, /simstream_test_many\{state="running"\} 2\n/);
  });
});

describe('log lines', () => {
  test('are one per event, on a level that fits it', () => {
    const { telemetry, logged } = start('debug');
    telemetry.deliveryAttempted(ATTEMPT);
    telemetry.deliveryAttempted({ ...ATTEMPT, outcome: 'refused', message: 'The key is wrong.' });
    telemetry.streamStateChanged({ ...ATTEMPT, state: 'error', message: 'The key is wrong.' });
    const [delivered, refused, state] = logged();
    assert.deepEqual(
      [delivered.level, delivered.event, delivered.streamId],
      ['debug', 'delivery.attempted', '5f3a9c1e'],
    );
    assert.deepEqual([refused.level, refused.msg], ['warn', 'refused: The key is wrong.']);
    assert.deepEqual([state.level, state.event], ['warn', 'stream.state']);
  });

  test('are not written above the level', () => {
    const { telemetry, lines } = start('info');
    telemetry.deliveryAttempted(ATTEMPT);
    telemetry.recordsIngested({ kind: 'event', records: 1, bytes: 1, durationMs: 1 });
    assert.deepEqual(lines, []);
  });

  test('that customers and receivers cause are few, whatever they do, and numbers are rounded', async () => {
    const clock = new ManualClock();
    const { telemetry, logged } = start('info', clock);
    const stream = { streamId: '5f3a9c1e', organisationId: 70412 };
    const durationMs = 151.8577360000054;
    for (let second = 0; second < 600; second++) {
      for (let n = 0; n < 8; n++) {
        const cause = { causeCode: 'http_422', message: `no ${n}` };
        telemetry.deliveryAttempted({ ...ATTEMPT, durationMs, outcome: 'rejected', ...cause });
        telemetry.recordsQuarantined({ ...stream, records: 1, ...cause });
        telemetry.streamStateChanged({
          ...stream,
          state: n % 2 ? 'paused' : 'running',
          message: 'by a user',
        });
        telemetry.ingestRefused({ kind: 'event', reason: 'InputValidationFailed' });
        telemetry.cursorsCommitted({ cursors: 1, outcome: 'unavailable', durationMs });
        telemetry.httpRequest({ method: 'GET', route: '/readyz', status: 503, durationMs });
        telemetry.platformFault({ component: 'log', message: 'no space left' });
      }
      await clock.advance(1_000);
    }
    const lines = logged();
    assert.ok(lines.length <= 8 * 11, `${lines.length} lines`);
    const quarantined = lines.filter(({ event }) => event === 'records.quarantined');
    const records = quarantined.reduce((sum, line) => sum + line.records, 0);
    assert.ok(records >= 599 * 8 - 60 * 8, `${records} records are in the log`);
    assert.ok(lines.every((line) => line.durationMs === undefined || line.durationMs === 151.9));
  });

  test('never show a secret', () => {
    const { telemetry, logger, lines } = start('trace');
    const secrets = ['hush1hush', 'eyJhbGciOiJIUzM4NCJ9.eyJlc2MiOnt9fQ.c2lnbmF0dXJl', 'AKIAABCDEFGHIJKLMNOP'];
    for (const secret of secrets) {
      const message = `answered: Authorization: Bearer ${secret} SharedAccessKey=${secret}; https://u:${secret}@h/?token=${secret}`;
      telemetry.deliveryAttempted({ ...ATTEMPT, outcome: 'refused', message });
      telemetry.streamStateChanged({ ...ATTEMPT, state: 'error', message });
      telemetry.recordsQuarantined({ ...ATTEMPT, causeCode: 'x', message });
      telemetry.platformFault({ component: 'log', message, error: new Error(message) });
      logger.info({ headers: { authorization: secret }, body: { user: { password: secret } } }, 'request');
      logger.info({ credentials: { write_key: secret } }, 'stream');
    }
    assert.equal(lines.length, 18);
    for (const secret of secrets) assert.ok(!lines.join('').includes(secret), secret);
  });

  test('say what the node was busy with when it stood still', async () => {
    const { telemetry, logged } = start();
    telemetry.loopBlocked({
      what: 'delivery',
      durationMs: 251.7,
      organisationId: 70412,
      streamId: '5f3a9c1e',
    });
    const [line] = logged();
    assert.deepEqual(
      [line.event, line.what, line.durationMs, line.organisationId, line.streamId],
      ['loop.blocked', 'delivery', 252, 70412, '5f3a9c1e'],
    );
    assert.match(await telemetry.metrics(), /simstream_loop_blocked_total\{what="delivery"\} 1\n/);
  });

  test('are readable on a terminal', async () => {
    const terminal = new PassThrough({ encoding: 'utf8' });
    const logger = createLogger({ level: 'info', readable: true, destination: terminal });
    logger.info({ records: 3 }, 'hello');
    const [line] = await once(terminal, 'data');
    assert.match(line, /^\[?\d\d:\d\d:\d\d\]? INFO: hello \{"records":3\}\n$/);
  });
});

test('no event ever throws, whatever it gets and however the log fails', async () => {
  const logger = createLogger({
    level: 'trace',
    readable: false,
    destination: {
      write: () => {
        throw new Error('disk full');
      },
    },
  });
  const telemetry = createTelemetry({ logger, version: '0', processMetrics: false });
  const { observe: _observe, metrics, metricsContentType: _type, ...events } = telemetry;
  for (const tell of Object.values(events)) (tell as (event: unknown) => void)(undefined);
  for (const tell of Object.values(events)) (tell as (event: unknown) => void)({});
  telemetry.deliveryAttempted({ ...ATTEMPT, records: Number.NaN, bytes: -1 });
  assert.match(await metrics(), /simstream_telemetry_faults_total [1-9]/);
});

/** `UPDATE_DOCS=1 npm run test:unit` writes what this compares. */
test('docs/metrics.md lists the metrics', async () => {
  const registry = new Registry();
  createMetrics(registry, '0');
  const rows = (await registry.getMetricsAsJSON()).map(
    ({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`,
  );
  const table = ['| metric | type | meaning |', '| --- | --- | --- |', ...rows].join('\n');
  const file = new URL('../../docs/metrics.md', import.meta.url);
  const text = readFileSync(file, 'utf8');
  const between = /(<!-- table -->\n)([\s\S]*?)(<!-- \/table -->)/;
  if (process.env.UPDATE_DOCS)
    writeFileSync(
      file,
      text.replace(between, (_, open, _old, close) => `${open}${table}\n${close}`),
    );
  else assert.equal(between.exec(text)?.[2], `${table}\n`, 'run UPDATE_DOCS=1 npm run test:unit');
});
