import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { type ProgressDocument, progressKey } from '../../registry/data-stream.ts';
import type { Json } from '../../registry/registry.ts';
import { type ApiFixture, DAY, STREAM, setUpApi } from '../api.fixture.ts';
import { MOST_REPLAYS, REPLAYS_KEPT } from './replay.ts';

let api: ApiFixture;
let id: string;
beforeEach(async () => {
  api = await setUpApi();
  id = await api.create();
});
afterEach(() => api.close());

const path = (replay = '') => `/api/v2/data_stream/${id}/replay${replay && `/${replay}`}`;
const post = (body: object) => api.call('POST', path(), { body });
const time = (ms: number) => new Date(ms).toISOString();

async function create(body: object = { from: 'earliest' }): Promise<string> {
  const { status, headers, text } = await post(body);
  assert.equal(status, 201, text);
  return String(headers.location).split('/').at(-1) as string;
}

/** Plays the engine. */
async function progress(replay: string, change: Partial<ProgressDocument> = {}): Promise<void> {
  await api.progress(id);
  const stream = await api.document(id);
  assert.ok(stream);
  const live = await api.registry.get(progressKey(stream));
  const document = { ...(live?.value as object), generation: 2, pending: 5, ...change } as unknown as Json;
  await api.registry.put(progressKey({ ...stream, job: { name: replay } }), document);
}

/** Where the fixture's log ends. */
const END = { sequence: 42, index: 0 };
const finish = (replay: string) => progress(replay, { cursor: END, pending: 0 });

test('what was created can be read; its status follows the engine', async () => {
  const now = api.clock.now();
  const replay = await create({ from: time(now - DAY), filters: [{ field: 'alert', value: true }] });
  const read = async () => (await api.call('GET', path(replay))).body;
  const { from, until, filters, max_records_per_second, status } = await read();
  assert.deepEqual([from, until], [time(now - DAY), time(now)]);
  assert.deepEqual([filters, max_records_per_second], [[{ field: 'alert', value: true }], null]);
  assert.equal(status.id, 4);
  await progress(replay);
  assert.equal((await read()).status.id, 1);
  await api.call('PATCH', path(replay), { body: { status: { id: 2 }, max_records_per_second: 7 } });
  assert.deepEqual([(await read()).status.id, (await read()).max_records_per_second], [2, 7]);
  await api.call('PATCH', path(replay), { body: { status: { id: 1 } } });
  assert.equal((await read()).status.id, 4, 'until the engine follows');
  assert.equal((await read()).max_records_per_second, 7, 'a pace that is not given stays');
  const asRead = await api.call('PATCH', path(replay), { body: { ...(await read()), status: { id: 1 } } });
  assert.deepEqual([asRead.status, (await read()).max_records_per_second], [202, 7]);
  await api.call('PATCH', path(replay), { body: { max_records_per_second: null } });
  assert.equal((await read()).max_records_per_second, null, 'null takes it away');
  await finish(replay);
  assert.deepEqual((await read()).status.description, 'Finished');
  assert.equal((await api.call('PATCH', path(replay), { body: { status: { id: 1 } } })).status, 409);
  assert.equal((await api.call('GET', path())).body.length, 1);
  assert.equal((await api.call('DELETE', path(replay))).status, 202);
  assert.equal((await api.call('GET', path(replay))).status, 404);
  assert.doesNotMatch(await api.everything(), new RegExp(replay));
});

test('what is read of a replay in any state can be written back, and changes nothing', async () => {
  const replay = await create({ from: 'earliest', max_records_per_second: 5 });
  const call = (method: 'GET' | 'PATCH', url: string, body?: object) =>
    api.call(method, url, body ? { body } : {});
  const stored = async () => JSON.stringify((await api.document(id))?.replays);
  const writeBack = async (state: string) => {
    const before = await stored();
    const { body } = await call('GET', path(replay));
    assert.equal(body.status.description, state);
    const answer = await call('PATCH', path(replay), body);
    assert.deepEqual([answer.status, await stored()], [202, before], `${state}: ${answer.text}`);
    return body;
  };
  const pending = await writeBack('Pending');
  await progress(replay);
  await writeBack('Running');
  assert.equal((await call('PATCH', path(replay), pending)).status, 202, 'an older answer is not a wish');
  await progress(replay, { status: { state: 'error', message: 'Refused.', since: 0 } });
  await writeBack('Error');
  assert.equal((await call('PATCH', path(replay), { status: { id: 4 } })).status, 422);
  await call('PATCH', `/api/v2/data_stream/${id}`, { status: { id: 2 } });
  await writeBack('Paused');
  await call('PATCH', `/api/v2/data_stream/${id}`, { status: { id: 1 } });
  await call('PATCH', path(replay), { status: { id: 2 } });
  await writeBack('Paused');
  await finish(replay);
  const finished = await writeBack('Finished');
  const faster = await call('PATCH', path(replay), { ...finished, max_records_per_second: 9 });
  assert.equal(faster.status, 409);
});

test('a count delivers nothing', async () => {
  const { status, body } = await post({ from: 'earliest', dry_run: true });
  assert.deepEqual([status, body], [200, { records: 12, filtered: 3, complete: true }]);
  assert.deepEqual((await api.call('GET', path())).body, []);
});

test('what is wrong is named', async () => {
  const now = api.clock.now();
  for (const [body, message] of [
    [{}, /from/],
    [{ from: 'yesterday' }, /\/from.*ISO 8601/],
    [{ from: time(now - 8 * DAY) }, /\/from.*records are kept since/],
    [{ from: time(now - DAY), until: time(now - 2 * DAY) }, /\/until.*after from/],
    [{ from: 'earliest', until: time(now + DAY) }, /\/until.*future/],
    [{ from: 'earliest', filters: [{ field: 'color..hue', value: 1 }] }, /\/filters/],
    [{ from: 'earliest', max_records_per_second: 0 }, /max_records_per_second/],
  ] as const) {
    const answer = await post(body);
    assert.equal(answer.status, 422, answer.text);
    assert.match(answer.body.message, message);
  }
});

test('a stream that was taken over delivers no replay, and says where to create one', async () => {
  const before = await create();
  const next = await api.create({ ...STREAM, continue_from: id });
  const { status, body } = await post({ from: 'earliest' });
  assert.equal(status, 409);
  assert.match(body.message, new RegExp(`${next} has taken over .* create a replay of ${next}`));
  assert.equal((await post({ from: 'earliest', dry_run: true })).status, 200);
  const view = (await api.call('GET', path(before))).body;
  assert.deepEqual([view.status.id, view.status.message], [2, body.message]);
  const restarted = await api.call('POST', `/api/v2/data_stream/${id}/restart`);
  assert.match(restarted.body.message, new RegExp(`Delete ${next} first`));
});

test('a stream becomes one of another kind only if the filters of its replays mean something there', async () => {
  const usage = { body: { data_stream_type: { id: 1 }, filters: [] } };
  const change = () => api.call('PATCH', `/api/v2/data_stream/${id}`, usage);
  const replay = await create({ from: 'earliest', filters: [{ field: 'event_type_id', value: [1] }] });
  const refused = await change();
  assert.equal(refused.status, 409);
  assert.match(refused.body.message, new RegExp(`filters of replay ${replay} mean nothing in usage`));
  await finish(replay);
  assert.equal((await change()).status, 202);
});

test('unfinished ones are bounded for a stream and an organisation; finished ones make room', async () => {
  const replays: string[] = [];
  for (let count = 0; count < MOST_REPLAYS.stream; count++) replays.push(await create());
  assert.match((await post({ from: 'earliest' })).body.message, /stream has 3 unfinished replays/);
  await finish(replays[0] as string);
  await create();
  for (let streams = 0; streams < 2; streams++) {
    id = await api.create(STREAM);
    for (let count = 0; count < MOST_REPLAYS.stream; count++) await create();
  }
  id = await api.create(STREAM);
  await create();
  assert.match((await post({ from: 'earliest' })).body.message, /organisation has 10 unfinished replays/);
});

test('the oldest finished ones are forgotten', async () => {
  for (let count = 0; count < REPLAYS_KEPT + 2; count++) await finish(await create());
  assert.equal((await api.call('GET', path())).body.length, REPLAYS_KEPT);
});

test('observers read, and change nothing', async () => {
  const replay = await create();
  const token = 'otto';
  assert.equal((await api.call('GET', path(), { token })).status, 200);
  assert.equal((await api.call('POST', path(), { token, body: { from: 'earliest' } })).status, 403);
  assert.equal((await api.call('DELETE', path(replay), { token })).status, 403);
});
