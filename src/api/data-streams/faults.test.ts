import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Registry } from '../../registry/registry.ts';
import { type ApiFixture, LETTERBOX, STREAM, setUpApi } from '../api.fixture.ts';

const PATH = '/api/v2/data_stream';

/** Body (over a valid one), then status, code and the path of each fault. */
type Fault = readonly [body: unknown, status: number, code: number, ...paths: string[]];

const letterbox = (credentials: unknown, rest: object = {}) => ({
  ...STREAM,
  destination: { ...LETTERBOX, credentials, ...rest },
});
const url = 'https://box.example/in';

const BOTH: readonly Fault[] = [
  ['', 400, 1000],
  ['{', 400, 1000],
  ['nonsense', 400, 1000],
  ['[]', 422, 1403, ''],
  ['"text"', 422, 1403, ''],
  [{ name: 5 }, 422, 1403, '/name'],
  [{ name: 'x'.repeat(501) }, 422, 1404, '/name'],
  [{ data_stream_type: 2 }, 422, 1403, '/data_stream_type'],
  [{ data_stream_type: {} }, 422, 1402, '/data_stream_type/id'],
  [{ data_stream_type: { id: 3 } }, 422, 1404, '/data_stream_type/id'],
  [{ data_stream_type: { id: 'two' } }, 422, 1403, '/data_stream_type/id'],
  [{ data_stream_type: { id: 1.5 } }, 422, 1403, '/data_stream_type/id'],
  [{ data_stream_type: { id: true } }, 422, 1403, '/data_stream_type/id'],
  [{ relation_resolution: { id: 0 } }, 422, 1404, '/relation_resolution/id'],
  [{ relation_resolution: { id: 4 } }, 422, 1404, '/relation_resolution/id'],
  [{ relation_resolution: { id: [] } }, 422, 1403, '/relation_resolution/id'],
  [{ status: { id: 3 } }, 422, 1404, '/status/id'],
  [{ status: { id: 4 } }, 422, 1404, '/status/id'],
  [{ status: { id: '' } }, 422, 1403, '/status/id'],
  [{ status: 'paused' }, 422, 1403, '/status'],
  [{ destination: 'https://box.example' }, 422, 1403, '/destination'],
  [{ destination: { connection_type: 'Letterbox' } }, 422, 1402, '/destination/credentials'],
  [{ destination: { ...LETTERBOX, connection_type: 'Pigeon' } }, 422, 1404, '/destination/connection_type'],
  [{ destination: { ...LETTERBOX, connection_type: 'toString' } }, 422, 1404, '/destination/connection_type'],
  [letterbox(5), 422, 1403, '/destination/credentials'],
  [letterbox({}), 422, 1402, '/destination/credentials/url'],
  [letterbox({ url: '' }), 422, 1404, '/destination/credentials/url'],
  [letterbox({ url: 'no url' }), 422, 1403, '/destination/credentials/url'],
  [letterbox({ url, size: 0 }), 422, 1404, '/destination/credentials/size'],
  [letterbox({ url, size: 10_001 }), 422, 1404, '/destination/credentials/size'],
  [letterbox({ url, size: 'many' }), 422, 1403, '/destination/credentials/size'],
  [letterbox({ url, key: '***' }), 422, 1402, '/destination/credentials/key'],
  [letterbox({ url }, { format: 'Csv' }), 422, 1404, '/destination/format'],
  [letterbox({ url }, { format: 'Xml' }), 422, 1404, '/destination/format'],
  [letterbox({ url }, { format: 1 }), 422, 1403, '/destination/format'],
  [{ filters: 'all' }, 422, 1403, '/filters'],
  [{ filters: [{ field: 'severity..id', value: 1 }] }, 422, 1403, '/filters/0/field'],
  [{ filters: [{ field: 'alert' }] }, 422, 1402, '/filters/0/value'],
  [{ filters: [{ field: 'event_type_id', value: ['x'] }] }, 422, 1403, '/filters/0/value/0'],
  [{ filters: [{ field: 'event_type_id', value: [] }] }, 422, 1404, '/filters/0/value'],
  [
    { data_stream_type: { id: 1 }, filters: [{ field: 'alert', value: true }] },
    422,
    1406,
    '/filters/0/field',
  ],
  [
    { status: { id: 9 }, relation_resolution: { id: 9 }, filters: 7 },
    422,
    1400,
    '/relation_resolution/id',
    '/status/id',
    '/filters',
  ],
];

const CREATE_ONLY: readonly Fault[] = [
  ['{}', 422, 1400, '/data_stream_type', '/destination'],
  ['{"data_stream_type": null, "destination": null}', 422, 1400, '/data_stream_type', '/destination'],
  [{ start_from: 5 }, 422, 1403, '/start_from'],
];

async function checkFault(
  api: ApiFixture,
  method: 'POST' | 'PATCH',
  path: string,
  fault: Fault,
): Promise<void> {
  const [given, status, code, ...paths] = fault;
  const whole = method === 'POST' && typeof given === 'object' ? { ...STREAM, ...given } : given;
  const answer = await api.call(method, path, { body: whole });
  const shown = `${JSON.stringify(whole).slice(0, 200)}: ${answer.text}`;
  assert.deepEqual([answer.status, answer.body.error_code], [status, code], shown);
  if (status !== 422) return;
  const found = answer.body.errors.map((each: { path: string }) => each.path).sort();
  assert.deepEqual(found, [...paths].sort(), shown);
}

describe('what is wrong with a body is told, and nothing is stored', () => {
  test('on creation and on a dry run', async () => {
    const api = await setUpApi();
    const before = await api.everything();
    const paths = ['/destination/connection_type', '/destination/credentials'];
    await checkFault(api, 'POST', PATH, [{ destination: {} }, 422, 1400, ...paths]);
    for (const fault of [...BOTH, ...CREATE_ONLY]) {
      await checkFault(api, 'POST', PATH, fault);
      await checkFault(api, 'POST', `${PATH}/test`, fault);
    }
    assert.equal(await api.everything(), before);
    assert.deepEqual(api.verification.asked, []);
    await api.close();
  });

  test('on a change', async () => {
    const api = await setUpApi();
    const destination = { connection_type: 'Bucket', credentials: { name: 'meters' } };
    const id = await api.create({ ...STREAM, destination });
    // An id that says the present state counts as not given: so it is neither Error nor Pending.
    await api.progress(id);
    const before = await api.everything();
    await checkFault(api, 'PATCH', `${PATH}/${id}`, [
      { destination: {} },
      422,
      1402,
      '/destination/connection_type',
    ]);
    for (const fault of BOTH) await checkFault(api, 'PATCH', `${PATH}/${id}`, fault);
    assert.equal(await api.everything(), before);
    assert.equal(api.verification.asked.length, 1);
    await api.close();
  });

  test('no answer repeats a secret', async () => {
    const api = await setUpApi();
    const secret = 'very-secret-value';
    for (const credentials of [
      { url, key: secret, size: 0 },
      { url, headers: `Authorization:${secret}` },
      { url: 5, key: [secret] },
    ]) {
      const { text, status } = await api.call('POST', PATH, { body: letterbox(credentials) });
      assert.equal(status, 422);
      assert.ok(!text.includes(secret), text);
    }
    const { text } = await api.call('POST', PATH, { body: `{"key": "${secret}" oops` });
    assert.ok(!text.includes(secret), text);
    await api.close();
  });
});

test('an id that nobody gave out is not found, whatever it looks like', async () => {
  const api = await setUpApi();
  const id = await api.create();
  const wrong = [
    '123',
    '0',
    id.toUpperCase() === id ? `${id}0` : id.toUpperCase(),
    `${id}0`,
    '../x',
    '%00',
    'a.b',
    '*',
    '__proto__',
    'x'.repeat(5000),
    '🙂',
  ];
  const calls = [
    ['GET', ''],
    ['PATCH', ''],
    ['DELETE', ''],
    ['POST', '/restart'],
    ['GET', '/history'],
  ] as const;
  for (const unknown of wrong) {
    for (const [method, word] of calls) {
      const path = `${PATH}/${encodeURIComponent(decodeURIComponent(unknown))}${word}`;
      const answer = await api.call(method, path, method === 'PATCH' ? { body: {} } : {});
      assert.deepEqual(
        [answer.status, answer.body.error_code],
        [404, 1201],
        `${method} ${path} ${answer.text}`,
      );
    }
  }
  await api.close();
});

describe('limits', () => {
  test('streams per organisation', async () => {
    const api = await setUpApi({ mostStreams: 2 });
    const create = (token: string) => api.call('POST', PATH, { body: STREAM, token });
    const first = await api.create();
    await api.create();
    const third = await create('ada');
    assert.deepEqual([third.status, third.body.error_code], [422, 1406]);
    assert.equal((await create('bea')).status, 201);
    await api.call('DELETE', `${PATH}/${first}`);
    assert.equal((await create('ada')).status, 201);
    await api.close();
  });

  test('creations at the same time take what room there is, and no more', async () => {
    const api = await setUpApi({ mostStreams: 3 });
    // All of them have found room before the first is stored.
    const all = Promise.withResolvers<void>();
    api.verification.before = () => {
      if (api.verification.asked.length === 8) all.resolve();
      return all.promise;
    };
    const creations = Array.from({ length: 8 }, () => api.call('POST', PATH, { body: STREAM }));
    const statuses = (await Promise.all(creations)).map(({ status }) => status).sort();
    assert.deepEqual(statuses, [201, 201, 201, 422, 422, 422, 422, 422]);
    assert.equal((await api.call('GET', PATH)).body.length, 3);
    await api.close();
  });

  test('a creation on another node at the same moment counts', async () => {
    let theirs = 0;
    const beforePut = async (key: string, registry: Registry) => {
      if (!key.startsWith('stream.1.') || theirs > 0) return;
      theirs++;
      await registry.put('stream.1.00000001', { id: '00000001', organisationId: 1 });
    };
    const api = await setUpApi({ mostStreams: 1, beforePut });
    const answer = await api.call('POST', PATH, { body: STREAM });
    assert.deepEqual([answer.status, answer.body.error_code], [422, 1406]);
    assert.equal(await api.everything(), '[["stream.1.00000001",{"id":"00000001","organisationId":1}]]');
    await api.close();
  });

  test('calls per second of an organisation’s programs, which leave its people alone', async () => {
    const api = await setUpApi({ limited: true });
    const program = { token: 'bea' };
    const statuses: number[] = [];
    for (let call = 0; call < 21; call++) {
      const answer = await api.call('GET', call % 2 === 0 ? PATH : `${PATH}/status`, program);
      statuses.push(answer.status);
      if (call === 20) {
        assert.deepEqual([answer.body.error_code, answer.headers['retry-after']], [1105, '1']);
      }
    }
    assert.deepEqual(statuses, [...Array.from({ length: 20 }, () => 200), 429]);
    assert.equal((await api.call('GET', PATH, { token: 'ada' })).status, 200);
    await api.clock.advance(100);
    assert.equal((await api.call('GET', PATH, program)).status, 200);
    await api.close();
  });
});

test('without verification a destination is not reached, but for a dry run', async () => {
  const api = await setUpApi({ verifyDestinations: false });
  const id = await api.create();
  const destination = { connection_type: 'Bucket', credentials: { name: 'meters' } };
  assert.equal((await api.call('PATCH', `${PATH}/${id}`, { body: { destination } })).status, 202);
  assert.deepEqual(api.verification.asked, []);
  await api.call('POST', `${PATH}/test`, { body: STREAM });
  assert.equal(api.verification.asked.length, 1);
  await api.close();
});
