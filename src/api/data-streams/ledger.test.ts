import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { storeHours } from '../../delivery/ledger/store.ts';
import type { HourRow } from '../../registry/data-stream.ts';
import { type ApiFixture, DAY, STREAM, setUpApi } from '../api.fixture.ts';

let api: ApiFixture;
let id: string;
beforeEach(async () => {
  api = await setUpApi();
  id = await api.create({ ...STREAM, data_stream_type: { id: 1 }, filters: [] });
});
afterEach(() => api.close());

const HOUR = 3_600_000;
const PATH = '/api/v2/data_stream';
const NOTHING = { delivered: 0, filtered: 0, quarantined: 0, expired: 0 };
const hours = (ago: number) => Math.floor(api.clock.now() / HOUR) * HOUR - ago * HOUR;
const iso = (time: number) => new Date(time).toISOString();
const usage = (amount: string) => ({
  total: '0.3',
  rx: '0.2',
  tx: '0.1',
  cost: [{ currency: 'EUR', trafficType: 'Data', amount }],
});

/** Plays the engine: closed hours in their documents, the others in the progress. */
async function keep(closed: readonly HourRow[], open: readonly HourRow[], waiting: readonly number[] = []) {
  const document = await api.document(id);
  assert.ok(document);
  assert.ok(await storeHours(api.registry, document, 3, closed));
  const passed = waiting.reduce((sum, value, at) => sum + (at % 3 === 1 ? value : 0), 0);
  const covered = waiting.reduce((sum, value, at) => sum + (at % 3 === 2 ? value : 0), 0);
  await api.progress(id, { hours: open, pending: passed, waiting: covered, waitingHours: waiting });
}

test('closed hours, open ones and what waits are one list, oldest first', async () => {
  await keep(
    [{ hour: hours(30), ...NOTHING, delivered: 5, quarantined: 1, usage: usage('0.0000000001') }],
    [{ hour: hours(0), ...NOTHING, delivered: 2, filtered: 1, usage: usage('12345678901234567.1') }],
    [hours(1), 3, 5, hours(0), 4, 4],
  );
  const { status, body } = await api.call('GET', `${PATH}/${id}/ledger`);
  assert.equal(status, 200);
  const zero = { volume_total: '0', volume_rx: '0', volume_tx: '0', cost: [] };
  const volumes = { volume_total: '0.3', volume_rx: '0.2', volume_tx: '0.1' };
  const cost = (amount: string) => [{ currency: 'EUR', traffic_type: 'Data', amount }];
  assert.deepEqual(body, [
    {
      hour: iso(hours(30)),
      records: 6,
      ...NOTHING,
      delivered: 5,
      quarantined: 1,
      pending: 0,
      ...volumes,
      cost: cost('0.0000000001'),
    },
    // Two of the five that wait would not pass the filters.
    { hour: iso(hours(1)), records: 5, ...NOTHING, filtered: 2, pending: 3, ...zero },
    {
      hour: iso(hours(0)),
      records: 7,
      ...NOTHING,
      delivered: 2,
      filtered: 1,
      pending: 4,
      ...volumes,
      cost: cost('12345678901234567.1'),
    },
  ]);
});

test('of a closed hour that has not left the progress yet, the progress knows better', async () => {
  await keep([{ hour: hours(2), ...NOTHING, delivered: 9 }], [{ hour: hours(2), ...NOTHING, delivered: 7 }]);
  const { body } = await api.call('GET', `${PATH}/${id}/ledger`);
  assert.deepEqual([body.length, body[0].delivered], [1, 7]);
});

test('a range is of whole hours, and within what is kept', async () => {
  const rows = [200, 5, 4, 3].map((ago) => ({ hour: hours(ago), ...NOTHING, delivered: ago }));
  await keep(rows, []);
  const delivered = async (query: string) =>
    (await api.call('GET', `${PATH}/${id}/ledger?${query}`)).body.map((row: HourRow) => row.delivered);
  assert.deepEqual(await delivered(''), [5, 4, 3], 'seven days by default');
  assert.deepEqual(await delivered(`from=${iso(hours(5) + 60_000)}&until=${iso(hours(3))}`), [5, 4]);
  assert.deepEqual(await delivered('from=1999-01-01T00:00:00Z&until=2999-01-01T00:00:00Z'), [200, 5, 4, 3]);
  assert.deepEqual(await delivered('per_page=2&page=2'), [3]);
  assert.equal(
    (await api.call('GET', `${PATH}/${id}/ledger?from=${iso(hours(1))}&until=${iso(hours(2))}`)).status,
    422,
  );
  assert.deepEqual(await delivered(`from=${iso(hours(24 * 9)).slice(0, 10)}`), [200, 5, 4, 3], 'a date');
  assert.deepEqual(await delivered(`from=${iso(hours(5)).replace('.000Z', '%2B00:00')}`), [5, 4, 3]);
  for (const [from, message] of [
    ['yesterday', /ISO 8601/],
    ['2026-06-30T23:59:60Z', /ISO 8601/],
    ['2026-06-30T23:00:00+02:00', /%2B/],
  ] as const) {
    const { status, body } = await api.call('GET', `${PATH}/${id}/ledger?from=${from}`);
    assert.deepEqual([status, body.errors?.[0].path], [422, '/from'], from);
    assert.match(body.message, message);
  }
});

test('as CSV, for who asks for it; names from records do not run in a spreadsheet', async () => {
  const strange = { ...usage('2'), cost: [{ currency: 'E"R', trafficType: '=cmd', amount: '2' }] };
  await keep(
    [],
    [
      { hour: hours(1), ...NOTHING, delivered: 1, usage: usage('1.5') },
      { hour: hours(0), ...NOTHING, filtered: 1, usage: strange },
    ],
  );
  const get = (accept: string) => api.call('GET', `${PATH}/${id}/ledger`, { headers: { accept } });
  const { text, headers } = await get('text/csv');
  assert.match(String(headers['content-type']), /^text\/csv/);
  assert.deepEqual(text.split('\r\n'), [
    'hour,records,filtered,delivered,quarantined,expired,pending,volume_total,volume_rx,volume_tx,"cost_E""R_=cmd",cost_EUR_Data',
    `${iso(hours(1))},1,0,1,0,0,0,0.3,0.2,0.1,0,1.5`,
    `${iso(hours(0))},1,1,0,0,0,0,0.3,0.2,0.1,2,0`,
    '',
  ]);
  for (const accept of ['application/json', '*/*', 'application/json, text/csv;q=0.5'])
    assert.match(String((await get(accept)).headers['content-type']), /^application\/json/, accept);
  assert.match(String((await get('text/csv, */*;q=0.1')).headers['content-type']), /^text\/csv/);
});

test('a ledger of events has no sums', async () => {
  id = await api.create();
  await keep([], [{ hour: hours(0), ...NOTHING, delivered: 1 }]);
  const { body } = await api.call('GET', `${PATH}/${id}/ledger`);
  assert.deepEqual(Object.keys(body[0]), [
    'hour',
    'records',
    'filtered',
    'delivered',
    'quarantined',
    'expired',
    'pending',
  ]);
});

test('a stream that has not run has an empty ledger; one that is deleted leaves none', async () => {
  assert.deepEqual((await api.call('GET', `${PATH}/${id}/ledger`)).body, []);
  await keep(
    [
      { hour: hours(30), ...NOTHING, delivered: 5 },
      { hour: api.clock.now() - 90 * DAY, ...NOTHING, delivered: 1 },
    ],
    [],
  );
  assert.equal((await Array.fromAsync(api.registry.list('ledger'))).length, 2);
  assert.equal((await api.call('DELETE', `${PATH}/${id}`)).status, 202);
  assert.equal((await Array.fromAsync(api.registry.list('ledger'))).length, 0);
});

test('a table of more columns than a person can look at is refused, and an empty range has a head alone', async () => {
  const many = Array.from({ length: 33 }, (_, at) => at);
  const rows = Array.from({ length: 160 }, (_, hour) => ({
    hour: hours(hour),
    ...NOTHING,
    usage: {
      ...usage('1'),
      cost: many.map((at) => ({ currency: `C${hour}`, trafficType: `T${at}`, amount: '1' })),
    },
  }));
  await keep(rows, []);
  const csv = { accept: 'text/csv' };
  const whole = await api.call('GET', `${PATH}/${id}/ledger`, { headers: csv });
  assert.equal(whole.status, 422);
  assert.match(whole.text, /160 rows and a column for each of 5280 pairs.*fewer hours/);
  const from = iso(hours(10));
  const some = await api.call('GET', `${PATH}/${id}/ledger?from=${from}`, { headers: csv });
  assert.equal(some.status, 200);
  assert.equal(some.text.trim().split('\r\n').length, 12);
  const empty = await api.call(
    'GET',
    `${PATH}/${id}/ledger?from=${iso(hours(300))}&until=${iso(hours(290))}`,
    {
      headers: csv,
    },
  );
  assert.deepEqual(
    [empty.status, empty.text],
    [200, 'hour,records,filtered,delivered,quarantined,expired,pending\r\n'],
  );
});
