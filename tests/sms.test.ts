import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ApiClient, createApiClient } from './support/api-client.ts';
import { OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';
import { startReceiver } from './support/receiver.ts';
import { waitFor } from './support/wait-for.ts';

const ORGANISATION = 70412;
const EXPIRED = [{ field: 'status.status', op: 'eq', value: 'EXPIRED' }];

/** A report of every third message says that it expired; the others are messages of devices. */
function sms(id: number): string {
  const common = `"id":${id},"submit_date":"2026-02-11T09:14:02Z","organisation":{"id":${ORGANISATION}},"endpoint":{"id":${id % 7}}`;
  return id % 3 === 0
    ? `{${common},"final_date":null,"status":{"status":"EXPIRED","id":6}}`
    : `{${common},"source_address":"8822851","dest_address":"338","payload":"level=${id}"}`;
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

test('SMS records are a kind of their own: filters, preview, ledger and kill -9, and no other stream gets them', {
  timeout: 300_000,
}, async (t) => {
  const received = new Map<string, string[]>();
  const receiver = await startReceiver(({ path, body }) => {
    const texts = body.toString('utf8');
    received.set(path, [...(received.get(path) ?? []), texts]);
    return { status: 200 };
  });
  const dataDirectory = temporaryDirectory();
  const environment = { SIMSTREAM_RATE_READS: '0' };
  let node = await startNode({ dataDirectory, environment });
  t.after(async () => {
    await node.kill();
    await receiver.close();
    removeDirectory(dataDirectory);
  });
  let client = createApiClient(node.url);
  await client.createOrganisation(ORGANISATION, 'Nordlicht');
  const token = await client.authenticate(ORGANISATION);
  const create = (path: string, type: number, rest: object = {}) =>
    client.createStream(token, {
      data_stream_type: { id: type },
      destination: { connection_type: 'RestAPI', credentials: { url: receiver.url + path, size: 1 } },
      ...rest,
    });
  const all = await create('/all', 4);
  const some = await create('/expired', 4, { filters: EXPIRED });
  await create('/usage', 1);
  await create('/events', 2);
  const feed = (ids: readonly number[]) =>
    fetch(`${node.url}/operator/v1/records/sms`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/x-ndjson' },
      body: ids.map((id) => `${sms(id)}\n`).join(''),
    });

  assert.equal((await feed(range(1, 60))).status, 202);
  await node.kill();
  node = await startNode({ dataDirectory, environment, port: node.port });
  client = createApiClient(node.url);
  assert.equal((await feed(range(61, 90))).status, 202);

  await waitFor('every SMS record at both receivers', () =>
    idsAt(received, '/all').length === 90 && idsAt(received, '/expired').length === 30 ? true : undefined,
  );
  assert.deepEqual(idsAt(received, '/all'), range(1, 90));
  assert.deepEqual(
    idsAt(received, '/expired'),
    range(1, 90).filter((id) => id % 3 === 0),
  );
  assert.deepEqual(new Set(received.get('/all')), new Set(range(1, 90).map(sms)));
  assert.deepEqual([received.has('/usage'), received.has('/events')], [false, false]);

  const rows = await waitFor('a ledger that is closed', async () => {
    const read = (await json(client, token, 'GET', `/api/v2/data_stream/${some}/ledger`)) as LedgerRow[];
    return read.every(({ pending }) => pending === 0) && sum(read, 'records') === 90 ? read : undefined;
  });
  assert.deepEqual([sum(rows, 'delivered'), sum(rows, 'filtered')], [30, 60]);
  assert.equal(Object.keys(rows[0] as object).includes('cost'), false, 'no sums of usage');

  const seen = (await json(client, token, 'POST', '/api/v2/data_stream/preview', {
    data_stream_type: { id: 4 },
    filters: EXPIRED,
  })) as { hours: { records: number; matched: number }[]; samples: unknown[] };
  assert.deepEqual([sum(seen.hours, 'records'), sum(seen.hours, 'matched')], [90, 30]);
  assert.deepEqual(seen.samples[0], JSON.parse(sms(90)));

  const tested = await json(client, token, 'POST', `/api/v2/data_stream/${all}/test_record`);
  assert.equal((tested as { outcome: string }).outcome, 'delivered');
  const sent = JSON.parse(received.get('/all')?.at(-1) as string);
  assert.deepEqual([sent.id, sent.organisation.id], [0, ORGANISATION]);
  assert.equal((await feed([0])).status, 202, 'a test record is a valid one');
});

test('what SMS records cannot do is refused by name', { timeout: 180_000 }, async (t) => {
  const dataDirectory = temporaryDirectory();
  const node = await startNode({
    dataDirectory,
    environment: { SIMSTREAM_VERIFY_DESTINATIONS: 'false', SIMSTREAM_RATE_WRITES: '0' },
  });
  t.after(async () => {
    await node.kill();
    removeDirectory(dataDirectory);
  });
  const client = createApiClient(node.url);
  await client.createOrganisation(ORGANISATION, 'Nordlicht');
  const token = await client.authenticate(ORGANISATION);
  const datadog = {
    connection_type: 'Datadog',
    credentials: { api_key: '0123456789abcdef0123456789abcdef' },
  };
  const webhook = { connection_type: 'RestAPI', credentials: { url: 'https://example.com/simstream' } };
  const stream = await client.createStream(token, {
    data_stream_type: { id: 4 },
    destination: webhook,
  });
  const metrics = await client.createStream(token, { data_stream_type: { id: 1 }, destination: datadog });
  const refused: readonly (readonly [string, string, object, RegExp])[] = [
    [
      'POST',
      '/api/v2/data_stream',
      { data_stream_type: { id: 4 }, destination: datadog },
      /Datadog takes usage records and events, no SMS records/,
    ],
    ['PATCH', `/api/v2/data_stream/${stream}`, { destination: datadog }, /no SMS records/],
    ['PATCH', `/api/v2/data_stream/${metrics}`, { data_stream_type: { id: 4 } }, /no SMS records/],
    [
      'POST',
      '/api/v2/data_stream',
      { data_stream_type: { id: 3 }, destination: webhook },
      /1 Usage, 2 Events or 4 SMS/,
    ],
    [
      'PATCH',
      `/api/v2/data_stream/${stream}`,
      { filters: [{ field: 'alert', value: true }] },
      /not a field of SMS records/,
    ],
    [
      'POST',
      '/api/v2/data_stream',
      { data_stream_type: { id: 2 }, destination: webhook, continue_from: stream },
      /delivers SMS records, and the new one events/,
    ],
  ];
  for (const [method, path, body, message] of refused) {
    const { status, text } = await client.call(method, path, token, body);
    assert.equal(status, 422, text);
    assert.match(text, message);
  }
  const answer = await fetch(`${node.url}/operator/v1/records/sms`, {
    method: 'POST',
    headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
    body: `[${sms(1)},{"id":2,"organisation":{"id":1},"submit_date":"yesterday"},{"id":3}]`,
  });
  assert.equal(answer.status, 422);
  const { errors } = (await answer.json()) as { errors: { index: number; path: string }[] };
  assert.deepEqual(
    errors.map(({ index, path }) => [index, path]),
    [
      [1, '/submit_date'],
      [2, '/submit_date'],
    ],
  );
});

type LedgerRow = Readonly<Record<'records' | 'delivered' | 'filtered' | 'pending', number>>;

/** Each once, in the order of their first arrival: after a kill some come again. */
function idsAt(received: ReadonlyMap<string, readonly string[]>, path: string): number[] {
  const ids = (received.get(path) ?? []).map((text) => Number(/"id":(\d+)/.exec(text)?.[1]));
  return [...new Set(ids)].filter((id) => id !== 0);
}

function sum<Name extends string>(rows: readonly Readonly<Record<Name, number>>[], name: Name): number {
  return rows.reduce((total, row) => total + row[name], 0);
}

async function json(client: ApiClient, token: string, method: string, path: string, body?: object) {
  const answer = await client.call(method, path, token, body);
  assert.equal(answer.status, 200, answer.text);
  return JSON.parse(answer.text) as unknown;
}
