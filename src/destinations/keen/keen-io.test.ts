import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { fc } from '../../lib/property.fixture.ts';
import { batchOfTexts } from '../batches.fixture.ts';
import type { Outcome } from '../contract.ts';
import {
  openBatches,
  startVendor,
  testEnvironment,
  type VendorAnswer,
  type VendorRequest,
} from '../vendor.fixture.ts';
import { keenIo, withTimestamp } from './keen-io.ts';

const PROJECT = '5f2a9c81d0e34b7796ab12cd';
const KEY = 'A1B2C3D4E5F60718293A4B5C6D7E8F90';
const NOW = Date.UTC(2025, 2, 17, 6, 30);
const defaults = { project_id: PROJECT, write_key: KEY, collection_name: 'usage', size: 3000 };

/** Keen as its API reference describes it: project, key, the form of a batch, and a result for each event of it. */
function keen(request: VendorRequest): VendorAnswer {
  const project = /^\/3\.0\/projects\/([^/]+)\/events$/.exec(request.path)?.[1];
  if (request.method !== 'POST' || !project)
    return { status: 404, body: { error_code: 'ResourceNotFoundError', message: 'none' } };
  if (project !== PROJECT)
    return { status: 404, body: { error_code: 'ResourceNotFoundError', message: 'no such project' } };
  if (request.headers.authorization !== KEY) {
    return {
      status: 401,
      body: { error_code: 'InvalidApiKeyError', message: `bad key ${request.headers.authorization}` },
    };
  }
  if (request.wireLength > 10_000_000)
    return { status: 413, body: { error_code: 'RequestTooLarge', message: 'too large' } };
  let body: Record<string, unknown>;
  try {
    body = JSON.parse(request.text) as Record<string, unknown>;
  } catch {
    return { status: 400, body: { error_code: 'InvalidJSONError', message: 'not JSON' } };
  }
  const results = Object.entries(body).map(([collection, events]) => [
    collection,
    (events as unknown[]).map((event) => resultOf(collection, event as Record<string, unknown>)),
  ]);
  return { status: 200, body: Object.fromEntries(results) };
}

function resultOf(collection: string, event: Record<string, unknown>) {
  const failed = (name: string) => ({ success: false, error: { name, description: 'because' } });
  if (collection.startsWith('$') || collection.length > 64) return failed('InvalidCollectionNameError');
  if (JSON.stringify(event).length > 900_000) return failed('EventTooLargeError');
  if (Object.keys(event).some((name) => name.includes('.') || name.startsWith('$')))
    return failed('InvalidPropertyNameError');
  const { timestamp } = (event.keen ?? {}) as { timestamp?: unknown };
  const good =
    timestamp === undefined || (typeof timestamp === 'string' && !Number.isNaN(Date.parse(timestamp)));
  return good ? { success: true } : failed('InvalidPropertyValueError');
}

async function start(t: TestContext, options: Record<string, unknown> = {}) {
  const peer = await startVendor(t, keen);
  const environment = testEnvironment(t, { KEEN_API_URL: `${peer.url}/` }, NOW);
  const destination = await openBatches(keenIo, { ...defaults, ...options }, environment);
  const { signal } = new AbortController();
  return {
    peer,
    environment,
    destination,
    verify: () => destination.verify(signal),
    send: (kind: 'usage' | 'event', records: readonly string[]) =>
      destination.send(batchOfTexts(kind, records, 3), signal),
  };
}

const usage = (id: number | string) =>
  `{"id":${id},"end_timestamp":"2025-03-17T06:03:33.118Z","cost":0.0013435800}`;

describe('Keen: what is sent', () => {
  test('one request a batch, to one collection, with the time of each record and its own bytes', async (t) => {
    const { peer, send } = await start(t);
    const records = [usage('9223372036854775807'), usage(2), usage(3), usage(4)];
    assert.deepEqual(await send('usage', records), { type: 'delivered', remoteStatus: 200 });
    assert.equal(peer.requests.length, 1);
    const timestamp = '"keen":{"timestamp":"2025-03-17T06:03:33.118Z"},';
    assert.equal(
      peer.requests[0]?.text,
      `{"usage":[${records.map((one) => `{${timestamp}${one.slice(1)}`).join(',')}]}`,
    );
    assert.equal(peer.requests[0]?.headers['content-type'], 'application/json');
  });

  test('a batch can have as many records as the setting says, and its bytes fit a request', () => {
    const configured = keenIo.configure({ ...defaults, size: 10_000 }, 'Json');
    assert.ok(!Array.isArray(configured) && configured.gathering.by === 'batch');
    assert.equal(configured.gathering.records, 10_000);
    const around = Buffer.byteLength('{"keen":{"timestamp":"2025-03-17T06:03:33.118Z"},,');
    assert.ok(configured.gathering.bytes + 10_000 * around < 10_000_000);
  });

  test('keen.timestamp takes the place of a keen object that is there', () => {
    const record = Buffer.from(
      '{"id":1, "keen": {"id":"x","timestamp":"1999-01-01"} , "timestamp":"2025-03-17 06:02:48"}',
    );
    const spliced = Buffer.concat(withTimestamp(record, 'event')).toString();
    assert.equal(
      spliced,
      '{"id":1, "keen": {"timestamp":"2025-03-17T06:02:48.000Z"} , "timestamp":"2025-03-17 06:02:48"}',
    );
  });

  test('a slice of an open session has the time of its start', () => {
    const text = '{"id":1,"start_timestamp":"2025-03-17T08:02:48+02:00","end_timestamp":null}';
    assert.match(
      Buffer.concat(withTimestamp(Buffer.from(text), 'usage')).toString(),
      /^\{"keen":\{"timestamp":"2025-03-17T06:02:48.000Z"\},"id":1,/,
    );
  });

  test('without a time that can be read the record stays as it is', () => {
    for (const text of ['{"id":1}', '{"timestamp":"yesterday"}', '{"timestamp":null}', '{}']) {
      assert.equal(Buffer.concat(withTimestamp(Buffer.from(text), 'event')).toString(), text);
    }
  });

  test('every other field of any record stays byte for byte', () => {
    const field = fc.tuple(fc.constantFrom('a', 'keen2', 'é"', ' keen'), fc.jsonValue());
    const splice = (text: string) => Buffer.concat(withTimestamp(Buffer.from(text), 'event')).toString();
    fc.assert(
      fc.property(fc.array(field), fc.option(fc.jsonValue()), fc.nat(3), (fields, own, at) => {
        const members = fields.map(([name, value]) => `${JSON.stringify(name)} : ${JSON.stringify(value)}`);
        members.splice(at, 0, '"timestamp": "2025-03-17T06:02:48Z"');
        const keenText = '{"timestamp":"2025-03-17T06:02:48.000Z"}';
        if (own === null) {
          assert.equal(splice(` {${members.join(', ')}}`), `{"keen":${keenText},${members.join(', ')}}`);
        } else {
          const withKeen = (value: string) =>
            `{${[...members.slice(0, at), `"keen" :${value}`, ...members.slice(at)].join(', ')}}`;
          assert.equal(splice(withKeen(JSON.stringify(own))), withKeen(keenText));
        }
      }),
    );
  });
});

describe('Keen: what it answers', () => {
  test('records that it did not take are set aside or sent again, by the name of the error', async (t) => {
    const { peer, send } = await start(t);
    const failed = (name: string) => ({ success: false, error: { name, description: 'because' } });
    const outcome = await send('usage', [usage(1), '{"a.b":1}', usage(3)]);
    assert.equal(outcome.type, 'partial');
    assert.deepEqual(
      outcome.type === 'partial' &&
        outcome.failures.map(({ index, verdict, cause }) => [index, verdict, cause.code]),
      [[1, 'reject', 'InvalidPropertyNameError']],
    );
    peer.next.push({
      status: 200,
      body: {
        usage: [
          failed('ServerError'),
          { success: true },
          failed('InvalidPropertyValueError'),
          { success: false },
        ],
      },
    });
    const second = await send('usage', [usage(1), usage(2), usage(3), usage(4)]);
    assert.deepEqual(
      second.type === 'partial' &&
        second.failures.map(({ index, verdict, cause }) => [index, verdict, cause.code]),
      [
        [0, 'retry', 'ServerError'],
        [2, 'reject', 'InvalidPropertyValueError'],
        [3, 'retry', 'UnknownError'],
      ],
    );
  });

  test('a collection whose name it does not take must be mended by a person', async (t) => {
    const { peer, send } = await start(t);
    const error = { name: 'InvalidCollectionNameError', description: 'no' };
    peer.next.push({ status: 200, body: { usage: [{ success: false, error }] } });
    const outcome = await send('usage', [usage(1)]);
    assert.match(outcome.type === 'refused' ? outcome.cause.message : '', /change collection_name/);
    peer.next.push({ status: 400, body: { error_code: 'InvalidCollectionNameError', message: 'no' } });
    assert.equal((await send('usage', [usage(1)])).type, 'refused');
  });

  const cases: [answer: VendorAnswer, outcome: Outcome['type'], code: string, afterMs?: number][] = [
    [{ status: 401, body: { error_code: 'InvalidApiKeyError', message: 'no' } }, 'refused', 'http_401'],
    [{ status: 403 }, 'refused', 'http_403'],
    [{ status: 404 }, 'refused', 'http_404'],
    [{ status: 400, body: { error_code: 'InvalidJSONError', message: 'no' } }, 'rejected', 'http_400'],
    [{ status: 200, body: { usage: [] } }, 'retry', 'invalid_answer'],
    [{ status: 200 }, 'retry', 'invalid_answer'],
    [{ status: 413 }, 'too_large', 'http_413'],
    [{ status: 429, headers: { 'retry-after': '60' } }, 'retry', 'http_429', 60_000],
    [{ status: 500 }, 'retry', 'http_500'],
    [{ status: 302, headers: { location: '/login' } }, 'refused', 'http_302'],
    ['close', 'retry', 'connection_reset'],
  ];
  for (const [answer, type, code, afterMs] of cases) {
    test(`${typeof answer === 'string' ? answer : `${answer.status} ${JSON.stringify(answer.body ?? '')}`} is ${type}`, async (t) => {
      const { peer, send } = await start(t);
      peer.next.push(answer);
      const outcome = await send('usage', [usage(1)]);
      assert.equal(outcome.type, type);
      assert.ok(outcome.type !== 'delivered' && outcome.type !== 'partial');
      assert.equal(outcome.cause.code, code);
      assert.equal(outcome.type === 'retry' ? outcome.afterMs : undefined, afterMs);
    });
  }
});

describe('Keen: verification and configuration', () => {
  test('key and project are checked without leaving a record', async (t) => {
    const { peer, verify } = await start(t);
    assert.deepEqual(await verify(), { type: 'reachable' });
    assert.equal(peer.requests[0]?.text, '{"usage":[]}');
    peer.next.push({ status: 400, body: { error_code: 'EmptyBatch', message: 'empty' } });
    assert.deepEqual(await verify(), { type: 'reachable' });
  });

  test('a wrong key is named, and not shown', async (t) => {
    const { verify } = await start(t, { write_key: 'wrong-key-wrong-key' });
    const verdict = await verify();
    const message = verdict.type === 'failed' ? verdict.cause.message : '';
    assert.match(message, /write_key is a key of project 5f2a9c81d0e34b7796ab12cd/);
    assert.ok(!message.includes('wrong-key'), message);
  });

  test('a wrong project', async (t) => {
    const { verify } = await start(t, { project_id: 'other' });
    const verdict = await verify();
    assert.match(verdict.type === 'failed' ? verdict.cause.message : '', /The project other does not exist/);
  });

  test('what a schema cannot say', () => {
    const paths = (more: Record<string, unknown>) => {
      const configured = keenIo.configure({ ...defaults, ...more }, 'Json');
      return Array.isArray(configured) ? configured.map(({ path }) => path) : [];
    };
    assert.deepEqual(paths({}), []);
    assert.deepEqual(paths({ write_key: 'a\nb', project_id: '../x' }), ['/project_id', '/write_key']);
    assert.deepEqual(paths({ collection_name: '$x' }), ['/collection_name']);
    assert.deepEqual(paths({ collection_name: 'é' }), ['/collection_name']);
  });
});
