import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc } from '../../lib/property.fixture.ts';
import type { ProgressDocument } from '../../registry/data-stream.ts';
import { type ApiFixture, STREAM, setUpApi } from '../api.fixture.ts';

const PATH = '/api/v2/data_stream';

const status = (state: ProgressDocument['status']['state']) => ({
  status: { state, message: `Is ${state}.`, since: 0 },
});
/** How a stream comes into a state: what a person did, and what the engine wrote; in the order of the list. */
const STATES: Readonly<Record<string, (api: ApiFixture, id: string) => Promise<unknown>>> = {
  'just created': async () => {},
  running: (api, id) => api.progress(id, status('running')),
  'in Error': (api, id) =>
    api.progress(id, {
      ...status('error'),
      lastError: { code: 'http_401', message: 'Refused.', at: 0 },
      counters: { delivered: 5, filtered: 1, quarantined: 2, expired: 3 },
    }),
  retrying: (api, id) =>
    api.progress(id, { ...status('running'), retrying: { since: 0, tries: 3, cause: 'Busy.' } }),
  'being started': (api, id) => api.progress(id, status('pending')),
  'being restarted': async (api, id) => {
    await api.progress(id, status('error'));
    await api.call('POST', `${PATH}/${id}/restart`);
  },
  'paused, not yet by the engine': async (api, id) => {
    await api.progress(id, status('running'));
    await api.call('PATCH', `${PATH}/${id}`, { body: { status: { id: 2 } } });
  },
  paused: async (api, id) => {
    await api.call('PATCH', `${PATH}/${id}`, { body: { status: { id: 2 } } });
    await api.progress(id, status('paused'));
  },
  'being resumed': async (api, id) => {
    await api.call('PATCH', `${PATH}/${id}`, { body: { status: { id: 2 } } });
    await api.progress(id, status('paused'));
    await api.call('PATCH', `${PATH}/${id}`, { body: { status: { id: 1 } } });
  },
  'paused in Error': async (api, id) => {
    await api.progress(id, status('error'));
    await api.call('PATCH', `${PATH}/${id}`, { body: { status: { id: 2 } } });
  },
};

const eventType = fc.nat({ max: 2 ** 32 - 1 });
const typeValue = fc.oneof(eventType, eventType.map(String));
const alertValue = fc.constantFrom<unknown>(true, false, 'true', 'false');
const oneOrMore = (value: fc.Arbitrary<unknown>) =>
  fc.oneof(value, fc.array(value, { minLength: 1, maxLength: 4 }));
const op = fc.constantFrom({}, { op: 'in' }, { op: 'not_in' });
const plain = fc.oneof(
  fc.tuple(oneOrMore(typeValue), op).map(([value, more]) => ({ field: 'event_type_id', value, ...more })),
  fc.tuple(oneOrMore(alertValue), op).map(([value, more]) => ({ field: 'alert', value, ...more })),
);
const element = fc.letrec((tie) => ({
  element: fc.oneof(
    { maxDepth: 3 },
    plain,
    fc.record({ all: fc.oneof(plain, fc.array(tie('element'), { minLength: 1, maxLength: 3 })) }),
    fc.record({ any: fc.oneof(plain, fc.array(tie('element'), { minLength: 1, maxLength: 3 })) }),
    fc.record({ not: tie('element') }),
  ),
})).element;
const filters = fc.array(
  fc.oneof(element, fc.record({ or: fc.oneof(plain, fc.array(plain, { minLength: 1 })) })),
  {
    maxLength: 3,
  },
);

const destination = fc.oneof(
  fc.record({
    connection_type: fc.constant('Letterbox'),
    credentials: fc.record(
      {
        url: fc.constantFrom('https://box.example/in', 'http://box.example:81/?a=b#c', 'https://BOX.example'),
        key: fc.constantFrom('top secret', '****'),
        headers: fc.array(fc.constantFrom('A:b', 'a: c', 'X-Empty:', 'no colon'), { maxLength: 4 }),
        size: fc.constantFrom(1, 77, '77', 10_000),
      },
      { requiredKeys: ['url'] },
    ),
  }),
  fc.record({
    connection_type: fc.constant('Bucket'),
    credentials: fc.record(
      { name: fc.constant('meters'), key: fc.constant('k') },
      { requiredKeys: ['name'] },
    ),
    format: fc.constantFrom('Csv', 'Json'),
  }),
);
const streams = fc.oneof(
  fc.record(
    {
      name: fc.constantFrom('', 'First', ' with blanks '),
      data_stream_type: fc.constant({ id: 2 }),
      relation_resolution: fc.constantFrom({ id: 1 }, { id: 2 }, { id: '3' }),
      filters,
      destination,
    },
    { requiredKeys: ['data_stream_type', 'destination'] },
  ),
  fc.record({ data_stream_type: fc.constant({ id: 1 }), filters: fc.constant([]), destination }),
);

/** What generated clients make of a model before they send it. */
const CLIENTS: Readonly<Record<string, (read: Record<string, unknown>) => unknown>> = {
  'as it was read': (read) => read,
  'with nulls for what it does not know': (read) => ({ ...read, q: null, name: read.name ?? null }),
  'with ids as texts': (read) => ({
    ...read,
    status: { ...(read.status as object), id: String((read.status as { id: number }).id) },
    relation_resolution: { id: `${(read.relation_resolution as { id: number }).id}.0` },
  }),
};

test('what is read of a stream in any state can be written back, and changes nothing', async () => {
  const api = await setUpApi({ mostStreams: 10_000 });
  const property = fc.asyncProperty(
    streams,
    fc.constantFrom(...Object.keys(STATES)),
    fc.constantFrom(...Object.keys(CLIENTS)),
    async (body, state, client) => {
      const id = await api.create(body);
      await STATES[state]?.(api, id);
      const before = await api.everything();
      const asked = api.verification.asked.length;
      await api.clock.advance(1000);
      const { body: read } = await api.call('GET', `${PATH}/${id}`);
      const sent = 'filters' in body ? JSON.parse(JSON.stringify(body.filters)) : [];
      assert.deepEqual(read.filters, sent);
      const answer = await api.call('PATCH', `${PATH}/${id}`, { body: CLIENTS[client]?.(read) });
      assert.deepEqual([answer.status, answer.text], [202, ''], state);
      assert.equal(await api.everything(), before, state);
      assert.equal(api.verification.asked.length, asked, 'nothing is verified anew');
      await api.call('DELETE', `${PATH}/${id}`);
    },
  );
  await fc.assert(property, { numRuns: 150 });
  await api.close();
});

test('in each state, whatever else the stream is', async () => {
  const api = await setUpApi({ mostStreams: 10_000 });
  for (const [state, reach] of Object.entries(STATES)) {
    const id = await api.create(STREAM);
    await reach(api, id);
    const before = await api.everything();
    await api.clock.advance(1000);
    const { body: read } = await api.call('GET', `${PATH}/${id}`);
    assert.equal((await api.call('PATCH', `${PATH}/${id}`, { body: read })).status, 202, state);
    assert.equal(await api.everything(), before, state);
    const renamed = await api.call('PATCH', `${PATH}/${id}`, { body: { ...read, name: 'Renamed' } });
    assert.equal(renamed.status, 202, state);
    assert.deepEqual((await api.call('GET', `${PATH}/${id}`)).body.status.id, read.status.id, state);
  }
  await api.close();
});

test('an answer that is older than the present state is not a wish', async () => {
  const api = await setUpApi();
  const id = await api.create();
  const { body: pending } = await api.call('GET', `${PATH}/${id}`);
  assert.equal(pending.status.id, 4);
  await api.progress(id);
  const before = await api.document(id);
  assert.equal((await api.call('PATCH', `${PATH}/${id}`, { body: pending })).status, 202);
  assert.deepEqual(await api.document(id), before);
  for (const wish of [{ id: 3 }, { id: 4 }, { id: 4, description: 'Running' }]) {
    const { status: answered, body } = await api.call('PATCH', `${PATH}/${id}`, { body: { status: wish } });
    assert.deepEqual([answered, body.error_code], [422, 1404]);
  }
  await api.close();
});

test('secrets that cannot be opened any more do not stand in the way of a change beside them', async () => {
  const api = await setUpApi();
  const id = await api.create();
  const { body: read } = await api.call('GET', `${PATH}/${id}`);
  const document = await api.document(id);
  await api.registry.put(`stream.1.${id}`, { ...document, sealedCredentials: 'v1.lost' } as never);
  const answer = await api.call('PATCH', `${PATH}/${id}`, { body: { ...read, name: 'Renamed' } });
  assert.deepEqual([answer.status, (await api.document(id))?.name], [202, 'Renamed']);
  await api.close();
});
