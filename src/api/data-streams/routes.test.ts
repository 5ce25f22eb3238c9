import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type ApiFixture, DAY, LETTERBOX, STREAM, setUpApi } from '../api.fixture.ts';

const PATH = '/api/v2/data_stream';
const BUCKET = { connection_type: 'Bucket', credentials: { name: 'meters' } };
let api: ApiFixture;

beforeEach(async () => {
  api = await setUpApi();
});
afterEach(() => api.close());

const read = async (id: string) => (await api.call('GET', `${PATH}/${id}`)).body;
const patch = (id: string, body: object, token = 'ada') =>
  api.call('PATCH', `${PATH}/${id}`, { body, token });
const statusOf = async (id: string) => (await read(id)).status.id as number;
/** Paths of the faults of an answer. */
const pathsOf = ({ body }: { body: { errors: { path: string }[] } }) => body.errors.map(({ path }) => path);
const at = (field: string) => `/destination/credentials/${field}`;
const codes = ({ status, body }: { status: number; body: { error_code: number } }) => [
  status,
  body.error_code,
];

describe('create', () => {
  test('answers 201 without a body, with a relative Location', async () => {
    const answer = await api.call('POST', PATH, { body: STREAM });
    assert.deepEqual([answer.status, answer.text, answer.headers['content-length']], [201, '', '0']);
    assert.match(String(answer.headers.location), /^\/api\/v2\/data_stream\/[0-9a-f]{8}$/);
    assert.deepEqual(api.verification.asked, ['1 8 https://box.example/in']);
  });

  test('what was created can be read, secrets masked, defaults filled in', async () => {
    const id = await api.create();
    assert.deepEqual(await read(id), {
      id,
      name: 'First',
      destination: {
        connection_type: 'Letterbox',
        credentials: {
          url: 'https://box.example/in',
          key: '***',
          headers: ['Authorization:***'],
          size: 3000,
        },
        format: 'Json',
        target: 'https://box.example/in',
      },
      filters: [],
      data_stream_type: { id: 2, description: 'Events' },
      relation_resolution: { id: 1, description: 'Own' },
      status: {
        id: 4,
        description: 'Pending',
        message: 'The stream is being started.',
        since: '2026-01-01T00:00:00.000Z',
      },
      auto_restart: true,
      created: '2026-01-01T00:00:00.000Z',
      modified: '2026-01-01T00:00:00.000Z',
      etag: '"mjuohs00"',
      last_error: null,
      retrying: null,
      progress: {
        delivered: 0,
        filtered: 0,
        quarantined: 0,
        expired: 0,
        pending: 0,
        oldest_pending_at: null,
        last_delivered_at: null,
      },
      expired_hours: [],
    });
    const { start, partition, generation } = (await api.document(id)) ?? {};
    assert.deepEqual(
      { start, partition, generation },
      { start: { sequence: 42, index: 0 }, partition: 3, generation: 1 },
    );
    assert.doesNotMatch(await api.everything(), /top secret|hush/);
  });

  test('takes ids as integers, as doubles, as digits, and nulls as not given', async () => {
    for (const two of ['2', '2.0', '"2"', '"2.0"']) {
      const body = `{"data_stream_type": {"id": ${two}, "description": null}, "relation_resolution": {"id": ${two}},
        "status": {"id": ${two}}, "name": null, "filters": null, "start_from": null, "unknown": {"x": 1},
        "destination": ${JSON.stringify({ ...BUCKET, format: null, credentials: { name: 'a', other: null } })}}`;
      const answer = await api.call('POST', PATH, { body });
      assert.equal(answer.status, 201, answer.text);
      const stream = await read(String(answer.headers.location).slice(-8));
      assert.deepEqual(
        [stream.data_stream_type.id, stream.relation_resolution, stream.status.id, stream.name],
        [2, { id: 2, description: 'Children' }, 2, undefined],
      );
      assert.deepEqual(stream.destination, {
        connection_type: 'Bucket',
        credentials: { name: 'a' },
        format: 'Csv',
        target: 'https://a.bucket.example/',
      });
    }
  });

  test('status 2 creates it paused; it keeps what comes from now on', async () => {
    const id = await api.create({ ...STREAM, status: { id: 2 } });
    assert.equal(await statusOf(id), 2);
    assert.equal((await api.document(id))?.start.sequence, 42);
  });

  test('start_from goes back within the retention', async () => {
    const at = (ago: number) => new Date(api.clock.now() - ago).toISOString();
    const create = (start_from: string) => api.call('POST', PATH, { body: { ...STREAM, start_from } });
    const past = await create(at(6 * DAY));
    assert.equal((await api.document(String(past.headers.location).slice(-8)))?.start.sequence, 17);
    for (const time of ['2025-12-31 23:00:00+01:00', '2025-12-31T10:00:00'])
      assert.equal((await create(time)).status, 201, time);
    // Clocks of callers differ a little.
    for (const time of [at(-60_000), at(7 * DAY + 60_000)])
      assert.equal((await create(time)).status, 201, time);
    for (const time of [at(-60_001), at(7 * DAY + 60_001)])
      assert.deepEqual(codes(await create(time)), [422, 1404]);
    for (const time of ['yesterday', '', '2025-12-32T00:00:00Z', '2025-02-30T00:00:00Z', '1767225600']) {
      assert.deepEqual(codes(await create(time)), [422, 1403], time);
    }
  });

  test('gives filters back in the form in which they were sent', async () => {
    for (const filters of [
      [{ field: 'alert', value: ['true'] }],
      [{ field: 'event_type_id', value: ['1', '2'] }],
      [{ field: 'event_type_id', value: 7, op: 'in' }],
      [{ field: 'event_type_id', value: ['1', 2, 3] }, { or: { field: 'alert', value: 'true' } }],
    ]) {
      const id = await api.create({ ...STREAM, filters });
      assert.deepEqual((await read(id)).filters, filters);
      assert.equal((await patch(id, { filters })).status, 202);
      assert.deepEqual((await read(id)).filters, filters);
    }
  });

  test('tells why a destination cannot be used, and stores nothing', async () => {
    const message = 'Connection to box.example refused. Is the server running?';
    api.verification.verdict = { type: 'failed', cause: { code: 'connection_refused', message } };
    const before = await api.everything();
    const answer = await api.call('POST', PATH, { body: STREAM });
    assert.deepEqual(codes(answer), [422, 1002]);
    assert.match(answer.body.message, /Connection to box\.example refused/);
    assert.deepEqual(answer.body.errors, [
      { error_code: 1002, error_token: 'Failed', message, path: '/destination', cause: 'connection_refused' },
    ]);
    assert.equal(await api.everything(), before);
  });

  test('a destination that never answers is given up', async () => {
    let asked = () => {};
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    api.verification.verdict = { type: 'failed', cause: { code: 'cancelled', message: 'Cancelled.' } };
    const answered = new Promise<void>((resolve) => {
      api.verification.before = () => {
        asked();
        return new Promise<void>((go) => api.clock.after(20_000, () => go(resolve())));
      };
    });
    const creation = api.call('POST', PATH, { body: STREAM });
    await isAsked;
    await api.clock.advance(20_000);
    await answered;
    assert.match((await creation).body.message, /did not answer within 20 s/);
  });

  test('is recorded in the history', async () => {
    const id = await api.create(STREAM, 'uwe');
    const { body } = await api.call('GET', `${PATH}/${id}/history`);
    assert.deepEqual(body, [
      {
        at: '2026-01-01T00:00:00.000Z',
        status: { id: 4, description: 'Pending' },
        message: 'Created.',
        actor: 'user:uwe',
      },
    ]);
  });
});

describe('list', () => {
  test('is an array, newest first, with the progress of each', async () => {
    const ids: string[] = [];
    for (let number = 0; number < 3; number++) {
      ids.unshift(await api.create({ ...STREAM, name: `Stream ${number}` }));
      await api.clock.advance(1);
    }
    await api.progress(ids[1] as string, { pending: 5, oldestPendingAt: api.clock.now() });
    const { body, headers } = await api.call('GET', PATH);
    assert.deepEqual(
      body.map(({ id }: { id: string }) => id),
      ids,
    );
    assert.deepEqual(
      body.map(({ progress }: { progress: { pending: number } }) => progress.pending),
      [0, 5, 0],
    );
    assert.deepEqual(
      [headers['x-total-count'], headers['x-total-pages'], headers['x-current-page'], headers.link],
      ['3', '1', '1', undefined],
    );
  });

  test('comes in pages if asked', async () => {
    for (let number = 0; number < 5; number++) {
      await api.create({ ...STREAM, name: String(number) });
      await api.clock.advance(1);
    }
    const page = async (query: string) => {
      const { body, headers } = await api.call('GET', `${PATH}?${query}`);
      return { names: body.map(({ name }: { name: string }) => name).join(''), headers };
    };
    const second = await page('page=2&per_page=2');
    assert.equal(second.names, '21');
    assert.deepEqual(
      ['x-total-count', 'x-total-pages', 'x-current-page', 'x-count-per-page'].map(
        (name) => second.headers[name],
      ),
      ['5', '3', '2', '2'],
    );
    assert.equal(
      second.headers.link,
      ['first', 'prev', 'next', 'last']
        .map((rel, at) => `<${PATH}?page=${[1, 1, 3, 3][at]}&per_page=2>; rel="${rel}"`)
        .join(', '),
    );
    assert.equal((await page('per_page=2')).names, '43');
    assert.equal((await page('page=1')).names, '43210');
    assert.equal((await page('page=9&per_page=2')).names, '');
    for (const query of ['page=0', 'per_page=0', 'per_page=1001']) {
      assert.deepEqual(codes(await api.call('GET', `${PATH}?${query}`)), [422, 1404], query);
    }
    for (const query of ['page=x', 'page=1.5', 'page=1&page=2']) {
      assert.deepEqual(codes(await api.call('GET', `${PATH}?${query}`)), [422, 1403], query);
    }
  });
});

describe('status', () => {
  test('follows the engine, and the wish to pause at once', async () => {
    const id = await api.create();
    assert.equal(await statusOf(id), 4);
    await api.progress(id);
    assert.equal(await statusOf(id), 1);
    assert.equal((await patch(id, { status: { id: 2 } })).status, 202);
    assert.equal(await statusOf(id), 2);
    const paused = { state: 'paused', message: 'Paused.', since: api.clock.now() } as const;
    await api.progress(id, { status: paused });
    await patch(id, { status: { id: 1 } });
    const resuming = await read(id);
    assert.deepEqual([resuming.status.id, resuming.status.message], [4, 'The stream is being resumed.']);
    await api.progress(id);
    assert.equal(await statusOf(id), 1);
  });

  test('shows an error, its cause, and what came of the records', async () => {
    const id = await api.create();
    const now = api.clock.now();
    await api.progress(id, {
      status: { state: 'error', message: 'Error state: refused', since: now },
      counters: { delivered: 1, filtered: 2, quarantined: 3, expired: 4 },
      pending: 5,
      oldestPendingAt: now,
      lastDeliveredAt: now + 1,
      lastError: { code: 'http_401', message: 'refused', at: now },
      retrying: { since: now, tries: 6, cause: 'refused', nextAt: now },
      expiredHours: [{ hour: now, records: 4 }],
    });
    const stream = await read(id);
    const at = '2026-01-01T00:00:00.000Z';
    assert.deepEqual(stream.status, {
      id: 3,
      description: 'Error',
      message: 'Error state: refused',
      since: at,
    });
    assert.deepEqual(stream.last_error, { code: 'http_401', message: 'refused', at });
    assert.deepEqual(stream.retrying, { since: at, tries: 6, message: 'refused', next_at: at });
    assert.deepEqual(stream.expired_hours, [{ hour: at, records: 4 }]);
    assert.deepEqual(stream.progress, {
      delivered: 1,
      filtered: 2,
      quarantined: 3,
      expired: 4,
      pending: 5,
      oldest_pending_at: at,
      last_delivered_at: '2026-01-01T00:00:00.001Z',
    });
  });
});

describe('patch', () => {
  test('changes what is given, and nothing else', async () => {
    const id = await api.create({ ...STREAM, filters: [{ field: 'alert', value: true }] });
    const before = await api.document(id);
    await api.clock.advance(1000);
    const answer = await patch(id, { name: 'Second' });
    assert.deepEqual([answer.status, answer.text], [202, '']);
    assert.deepEqual(await api.document(id), {
      ...before,
      name: 'Second',
      modified: '2026-01-01T00:00:01.000Z',
    });
    await patch(id, { name: '' });
    assert.equal((await read(id)).name, undefined);
    await patch(id, { filters: [], relation_resolution: { id: '3' } });
    const { filters, relation_resolution } = await read(id);
    assert.deepEqual([filters, relation_resolution], [[], { id: 3, description: 'Both' }]);
  });

  test('stores nothing when nothing changes', async () => {
    const id = await api.create();
    await api.progress(id);
    const before = await api.everything();
    await api.clock.advance(1000);
    for (const body of [
      {},
      { unknown: 1 },
      { name: 'First', status: { id: 1 } },
      { data_stream_type: { id: 2 } },
    ]) {
      assert.equal((await patch(id, body)).status, 202);
    }
    assert.equal(await api.everything(), before);
  });

  test('the documented call pauses and drops all filters', async () => {
    const id = await api.create({ ...STREAM, filters: [{ field: 'alert', value: true }] });
    await patch(id, { status: { id: 2 }, filters: [] });
    const { status, filters } = await read(id);
    assert.deepEqual([status.id, filters], [2, []]);
  });

  test('a new destination is verified and starts a new generation; its type may change', async () => {
    const id = await api.create();
    await patch(id, { destination: BUCKET });
    const { connectionType, generation, format } = (await api.document(id)) ?? {};
    assert.deepEqual(
      { connectionType, generation, format },
      { connectionType: 'Bucket', generation: 2, format: 'Csv' },
    );
    assert.equal(api.verification.asked.length, 2);
    const changedAt = new Date(api.clock.now()).toISOString();
    await api.clock.advance(1000);
    await patch(id, { name: 'Renamed', status: { id: 2 } });
    assert.equal((await api.document(id))?.wayChanged, changedAt, 'its records go the same way as before');
    await patch(id, { filters: [{ field: 'alert', value: true }] });
    assert.notEqual((await api.document(id))?.wayChanged, changedAt);
    api.verification.verdict = { type: 'failed', cause: { code: 'dns_error', message: 'No such host.' } };
    const before = await api.everything();
    assert.deepEqual(codes(await patch(id, { name: 'x', destination: LETTERBOX })), [422, 1002]);
    assert.equal(await api.everything(), before);
  });

  test('a masked secret that is sent back keeps the stored one while the destination is the same', async () => {
    const id = await api.create();
    const { destination } = await read(id);
    const sealed = (await api.document(id))?.sealedCredentials;
    assert.equal((await patch(id, { name: 'Renamed', destination })).status, 202);
    assert.equal((await api.document(id))?.sealedCredentials, sealed);
    assert.equal(api.verification.asked.length, 1, 'what is the same is not verified again');

    const credentials = { ...destination.credentials, size: 5 };
    assert.equal((await patch(id, { destination: { ...destination, credentials } })).status, 202);
    assert.deepEqual((await read(id)).destination.credentials, { ...credentials });

    const before = await api.everything();
    for (const url of ['https://thief.example/in', 'http://box.example/in', 'https://box.example:8443/in']) {
      const stolen = { ...destination, credentials: { ...credentials, url } };
      const answer = await patch(id, { destination: stolen });
      assert.deepEqual(codes(answer), [422, 1400]);
      assert.deepEqual(pathsOf(answer), ['key', 'headers/0'].map(at));
      assert.match(answer.body.errors[0].message, /destination has changed.*in full/);
    }
    assert.equal(await api.everything(), before);
    await patch(id, { destination: { ...destination, credentials: { key: '' } } });
    assert.ok(!('key' in (await read(id)).destination.credentials), 'an empty text removes it');
    const masked = { ...destination, credentials: { key: '***' } };
    assert.deepEqual(codes(await patch(id, { destination: masked })), [422, 1402]);
  });

  test('at another path of the same origin a mask is refused, and what is left out stays', async () => {
    const id = await api.create();
    const { destination } = await read(id);
    for (const url of ['https://box.example/other', 'https://box.example/in?tenant=8']) {
      const { headers, key } = LETTERBOX.credentials;
      const half = { ...destination, credentials: { ...destination.credentials, url, headers } };
      const answer = await patch(id, { destination: half });
      assert.deepEqual([codes(answer), pathsOf(answer)], [[422, 1402], [at('key')]]);
      assert.match(answer.body.errors[0].message, /leave key out/);
      assert.equal((await patch(id, { destination: { ...destination, credentials: { url } } })).status, 202);
      assert.deepEqual(await api.credentials(id), { url, headers, key, size: 3000 });
    }
  });

  test('of a destination that moves to another origin the secrets are asked for, even if left out', async () => {
    const id = await api.create();
    const moveTo = (credentials: object) =>
      patch(id, { destination: { connection_type: 'Letterbox', credentials } });
    const url = 'https://other.example/in';
    const answer = await moveTo({ url });
    assert.deepEqual([codes(answer), pathsOf(answer)], [[422, 1400], ['key', 'headers'].map(at)]);
    assert.equal((await moveTo({ url, key: '', headers: [] })).status, 202);
    assert.deepEqual(await api.credentials(id), { url, headers: [], size: 3000 });
    assert.equal((await moveTo({ url: 'https://third.example/', size: 7 })).status, 202, 'no secret is left');
  });

  test('a change of the type of connection needs the full credentials, even at the same place', async () => {
    const credentials = { name: 'meters', key: 'of the bucket' };
    const id = await api.create({ ...STREAM, destination: { ...BUCKET, credentials } });
    const masked = { ...LETTERBOX, credentials: { url: 'https://meters.bucket.example/', key: '***' } };
    assert.deepEqual(codes(await patch(id, { destination: masked })), [422, 1402]);
  });

  test('what is not given of a destination stays while its type does; another type is replaced as a whole', async () => {
    const id = await api.create();
    const before = await api.document(id);
    for (const destination of [
      { connection_type: 'Letterbox', credentials: { url: 'https://box.example/in' } },
      { connection_type: 'Letterbox', credentials: {} },
      { connection_type: 'Letterbox' },
      { connection_type: 'Letterbox', credentials: { key: null, size: null } },
    ]) {
      assert.equal((await patch(id, { destination })).status, 202);
      assert.deepEqual(await api.document(id), before);
    }
    assert.deepEqual(codes(await patch(id, { destination: { credentials: {} } })), [422, 1402]);
    assert.deepEqual(codes(await patch(id, { destination: { connection_type: 'Bucket' } })), [422, 1402]);
    await patch(id, { destination: { ...BUCKET, format: 'Json' } });
    await patch(id, { destination: { connection_type: 'Bucket', credentials: { key: 'k' } } });
    assert.equal((await read(id)).destination.format, 'Json', 'the format stays too');
  });

  test('the type of records may change; filters go with it', async () => {
    const id = await api.create({ ...STREAM, filters: [{ field: 'alert', value: true }] });
    assert.deepEqual(codes(await patch(id, { data_stream_type: { id: 1 } })), [422, 1406]);
    assert.equal((await patch(id, { data_stream_type: { id: 1 }, filters: [] })).status, 202);
    assert.deepEqual((await read(id)).data_stream_type, { id: 1, description: 'Usage' });
  });

  test('out of Error by status 1, or by another destination', async () => {
    const id = await api.create();
    const fail = () => api.progress(id, { status: { state: 'error', message: 'Error state: x', since: 0 } });
    await fail();
    await patch(id, { name: 'Still broken' });
    assert.equal(await statusOf(id), 3);
    await patch(id, { status: { id: 1 } });
    assert.equal(await statusOf(id), 4);
    await fail();
    await patch(id, { destination: (await read(id)).destination });
    assert.equal(await statusOf(id), 3, 'what is the same changes nothing');
    await patch(id, { destination: { connection_type: 'Letterbox', credentials: { size: 7 } } });
    assert.equal(await statusOf(id), 4);
    await fail();
    await patch(id, { status: { id: 2 } });
    assert.equal(await statusOf(id), 2);
    await patch(id, { status: { id: 1 } });
    assert.equal(await statusOf(id), 4);
    assert.equal((await api.document(id))?.generation, 4);
    const { body } = await api.call('GET', `${PATH}/${id}/history`);
    assert.deepEqual(
      body.map(({ message }: { message: string }) => message),
      [
        'Resumed.',
        'Paused.',
        'The destination was changed: https://box.example/in.',
        'Restarted.',
        'Created.',
      ],
    );
  });

  test('of two at the same time none is lost', async () => {
    const id = await api.create();
    await Promise.all([
      patch(id, { name: 'Both' }),
      patch(id, { status: { id: 2 } }),
      patch(id, { relation_resolution: { id: 3 } }),
    ]);
    const { name, status, relation_resolution } = await read(id);
    assert.deepEqual([name, status.id, relation_resolution.id], ['Both', 2, 3]);
  });

  test('a stream that is deleted meanwhile is not brought back', async () => {
    const id = await api.create();
    api.verification.before = async () => {
      await api.call('DELETE', `${PATH}/${id}`);
    };
    assert.deepEqual(codes(await patch(id, { destination: BUCKET })), [404, 1201]);
    assert.equal(await api.document(id), undefined);
  });
});

describe('restart', () => {
  const restart = (id: string) => api.call('POST', `${PATH}/${id}/restart`);

  test('from Error and Running; once only while it is under way', async () => {
    const id = await api.create();
    for (const state of ['error', 'running'] as const) {
      await api.progress(id, { status: { state, message: state, since: 0 } });
      const answer = await restart(id);
      assert.deepEqual([answer.status, answer.text], [202, '']);
      assert.equal(await statusOf(id), 4);
      assert.deepEqual(codes(await restart(id)), [409, 1406]);
    }
    assert.equal((await api.document(id))?.generation, 3);
  });

  test('a paused stream is to be resumed instead', async () => {
    const id = await api.create({ ...STREAM, status: { id: 2 } });
    const answer = await restart(id);
    assert.deepEqual(codes(answer), [409, 1406]);
    assert.match(answer.body.message, /PATCH/);
  });

  test('takes any body, or the promise of one', async () => {
    const id = await api.create();
    for (const body of ['', '{}', 'what']) {
      await api.progress(id);
      const headers = { 'content-type': 'application/json' };
      const answer = await api.call('POST', `${PATH}/${id}/restart`, { body, headers });
      assert.equal(answer.status, 202, answer.text);
    }
  });
});

describe('delete', () => {
  test('removes all that is known of the stream, once', async () => {
    const id = await api.create();
    const other = await api.create();
    await api.progress(id);
    await api.progress(other);
    for (const stream of [id, other])
      await api.registry.put(`quarantine.1.${stream}.0001-0001`, { record: 'x' });
    const answer = await api.call('DELETE', `${PATH}/${id}`, {
      headers: { 'content-type': 'application/json' },
    });
    assert.deepEqual([answer.status, answer.text], [202, '']);
    const left = await api.everything();
    assert.ok(!left.includes(id));
    for (const kind of ['stream.1', 'progress.3.1', 'history.1', 'quarantine.1']) {
      assert.ok(left.includes(`${kind}.${other}`), kind);
    }
    assert.deepEqual(codes(await api.call('DELETE', `${PATH}/${id}`)), [404, 1201]);
    assert.deepEqual(api.forgotten, [`1.${id}`]);
    assert.deepEqual((await api.call('GET', PATH)).body.length, 1);
  });

  test('of two at the same time one is told that there is none', async () => {
    const id = await api.create();
    const answers = await Promise.all([1, 2].map(() => api.call('DELETE', `${PATH}/${id}`)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [202, 404]);
  });
});

describe('test', () => {
  const dryRun = (body: object) => api.call('POST', `${PATH}/test`, { body });

  test('says that it would work, or why not, and stores nothing', async () => {
    const before = await api.everything();
    assert.deepEqual((await dryRun(STREAM)).body, {
      reachable: true,
      target: 'https://box.example/in',
      checked: 'access',
      message: 'https://box.example/in accepts these credentials. No record was delivered.',
    });
    api.verification.verdict = { type: 'reachable', checked: 'connection' };
    const { checked, message } = (await dryRun(STREAM)).body;
    assert.equal(checked, 'connection');
    assert.match(message, /the address answers\. No request was sent/);
    api.verification.verdict = { type: 'reachable' };
    assert.deepEqual(codes(await dryRun({ ...STREAM, data_stream_type: { id: 3 } })), [422, 1404]);
    api.verification.verdict = {
      type: 'failed',
      cause: { code: 'http_401', message: 'Refused.', remoteStatus: 401 },
    };
    const answer = await dryRun(STREAM);
    assert.deepEqual([codes(answer), answer.body.errors[0].remote_status], [[422, 1002], 401]);
    assert.equal(await api.everything(), before);
  });

  test('knows the stored secrets of a stream that is named', async () => {
    const id = await api.create();
    const { destination } = await read(id);
    assert.deepEqual(codes(await dryRun({ ...STREAM, destination })), [422, 1400]);
    assert.equal((await dryRun({ ...STREAM, destination, id })).status, 200);
    assert.deepEqual(codes(await dryRun({ ...STREAM, destination, id: '00000000' })), [404, 1201]);
  });
});

describe('lookups', () => {
  const lookup = async (word: string) => (await api.call('GET', `/api/${word}`, { token: 'otto' })).body;

  test('stand where an id would', async () => {
    assert.deepEqual(await lookup('v2/data_stream/status'), [
      { id: 1, description: 'Running' },
      { id: 2, description: 'Paused' },
      { id: 3, description: 'Error' },
      { id: 4, description: 'Pending' },
    ]);
    assert.deepEqual(await lookup('v2/data_stream/type'), [
      { id: 1, description: 'Usage' },
      { id: 2, description: 'Events' },
      { id: 4, description: 'SMS' },
    ]);
    const fields = await lookup('v2/data_stream/filter_field_type');
    assert.deepEqual(
      fields.slice(0, 2).map(({ id }: { id: string }) => id),
      ['event_type_id', 'alert'],
    );
    const typesOf = (field: string) =>
      fields.find(({ id }: { id: string }) => id === field)?.data_stream_types;
    assert.deepEqual(['alert', 'volume.total', 'endpoint.tags'].map(typesOf), [[2], [1], [1, 2, 4]]);
  });

  test('connection types carry what a form needs', async () => {
    const [letterbox, bucket] = await lookup('v2/data_stream/connection_type');
    assert.deepEqual(
      [letterbox.id, letterbox.description, letterbox.formats],
      ['Letterbox', 'Letter box', ['Json']],
    );
    assert.deepEqual(letterbox.schema.required, ['url']);
    assert.equal(letterbox.schema.properties.key['x-secret'], 'all');
    assert.equal(letterbox.schema.properties.size.default, 3000);
    assert.deepEqual([bucket.id, bucket.formats], ['Bucket', ['Csv', 'Json']]);
  });

  test('event types', async () => {
    const types: { id: number; description: string }[] = await lookup('v1/event/type');
    const ids = types.map(({ id }) => id);
    /** Those that simstream itself writes. */
    const OWN = [10_001, 10_002, 10_003, 10_004, 10_005];
    assert.deepEqual(ids, [...Array.from({ length: 66 }, (_, id) => id), 67, 68, 69, ...OWN]);
    assert.equal(types.find(({ id }) => id === 3)?.description, 'Create PDP Context');
  });

  test('a sample of each kind of record has all digits of its ids', async () => {
    const at = '/api/v2/data_stream/sample_record';
    const usage = await api.call('GET', `${at}?data_stream_type=1`, { token: 'otto' });
    assert.match(usage.text, /"id": 7157330712412489021,/);
    const event = await api.call('GET', `${at}?data_stream_type=2&event_type_id=49`);
    assert.match(event.text, /"id": 14314661424824978042,/);
    assert.deepEqual(event.body.event_type, { id: 49, description: 'Device offline' });
    for (const query of ['', '?data_stream_type=3', '?data_stream_type=2&event_type_id=-1'])
      assert.equal((await api.call('GET', `${at}${query}`)).status, 422, query);
  });
});
