import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ApiFixture, LETTERBOX, OPERATOR_TOKEN, STREAM, setUpApi } from '../src/api/api.fixture.ts';
import { MOST_LIST_BYTES } from '../src/api/pagination.ts';
import type { Route } from '../src/api/route.ts';
import { keptDays, type LedgerOwner, ledgerKey } from '../src/delivery/ledger/document.ts';
import { QuarantineStore } from '../src/delivery/quarantine/store.ts';
import { ATTEMPTS, type StreamActivity } from '../src/delivery/watching/activity.ts';
import { SLICE_BYTES } from '../src/lib/slices.ts';
import { eventText } from '../src/records/records.fixture.ts';
import { type DataStreamDocument, EXPIRED_HOURS, HISTORY_LENGTH } from '../src/registry/data-stream.ts';
import { memoryRegistryStorage } from '../src/registry/memory.ts';
import type { Json, Write } from '../src/registry/registry.ts';

/**
 * Every route of the table, with the largest state that an organisation may have, 20 times at once: what is counted is bytes and
 * turns of the event loop, so that a slow machine changes nothing.
 */
const AT_ONCE = 20;
/** What one document may have beyond a slice, and the envelope of an answer. */
const SLACK = 256 * 1024;

const storage = memoryRegistryStorage();
/** Bytes that the registry gave since the last turn of the event loop, and the most in any. */
const meter = { bytes: 0, most: 0, turns: 0, ended: false };
let api: ApiFixture;
let stream: string;

before(async () => {
  api = await setUpApi({
    storage,
    activity: async () => activity(),
    events: async () => ({
      events: tailRecords().map(({ text }) => text),
      total: undefined,
      skipped: true,
      next: { sequence: 1, index: 0 },
    }),
    tail: async (_, cursor) => ({ records: tailRecords(), next: cursor, skipped: true }),
  });
  await fill();
  const read = storage.documents.get.bind(storage.documents);
  storage.documents.get = (key) => {
    const document = read(key);
    meter.bytes += document?.text.length ?? 0;
    meter.most = Math.max(meter.most, meter.bytes);
    return document;
  };
  const nextTurn = () => {
    meter.bytes = 0;
    meter.turns++;
    if (!meter.ended) setImmediate(nextTurn);
  };
  setImmediate(nextTurn);
});
after(async () => {
  meter.ended = true;
  await api.close();
});

/** The largest activity: 50 attempts with long messages, and a week of hours with causes. */
function activity(): StreamActivity {
  const message = 'm'.repeat(1_000);
  const attempt = { at: 0, deliveryId: 'd', records: 1, bytes: 1, durationMs: 1, outcome: 'retry', tries: 1 };
  const causes = Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`cause_${at}`, 1]));
  const bucket = { at: 0, delivered: 1, attempts: 1, failures: 1, causes, latencySum: 1, latencyMax: 1 };
  const series = [60_000, 900_000, 3_600_000].map((step) => ({
    step,
    buckets: Array.from({ length: 168 }, () => ({ ...bucket, batches: 1, pending: 1 })),
  }));
  return { attempts: Array.from({ length: ATTEMPTS }, () => ({ ...attempt, message, code: 'x' })), series };
}

/** As many bytes as a tail has at most, in records as large as they may be. */
function tailRecords() {
  const text = eventText({ description: JSON.stringify('x'.repeat(250_000)) });
  return Array.from({ length: 16 }, (_, index) => ({ position: { sequence: 1, index }, arrivedAt: 0, text }));
}

/** Gives organisation 1 as much as it may have, and organisation 2 one data stream. */
async function fill(): Promise<void> {
  const credentials = { ...LETTERBOX.credentials, url: `https://box.example/${'p'.repeat(15_000)}` };
  const filters = [{ field: 'event_type_id', value: Array.from({ length: 1_000 }, (_, at) => at + 1) }];
  stream = await api.create({
    ...STREAM,
    name: 'n'.repeat(500),
    filters,
    destination: { ...LETTERBOX, credentials },
  });
  const expiredHours = Array.from({ length: EXPIRED_HOURS }, (_, hour) => ({ hour, records: 9_999_999 }));
  const message = 'm'.repeat(1_000);
  await api.progress(stream, { expiredHours, lastError: { code: 'c', message, at: 0 } });
  await api.registry.put(
    `history.1.${stream}`,
    Array.from({ length: HISTORY_LENGTH }, () => ({ at: 0, state: 'error', message, actor: 'simstream' })),
  );
  await api.call('POST', '/api/v1/application_token', { body: { description: 'd'.repeat(1_000) } });
  await api.call('POST', '/operator/v1/organisations/1/users', {
    token: OPERATOR_TOKEN,
    body: { username: 'first@one.example', password: 'x' },
  });
  const writes: Write[] = [];
  const copy = async (prefix: string, count: number, change: (at: number) => [string, object]) => {
    const entries = await Array.fromAsync(api.registry.list(prefix));
    const value = entries.at(-1)?.value as { [name: string]: Json };
    for (let at = 1; at < count; at++) {
      const [key, changes] = change(at);
      writes.push({ key, value: { ...value, ...changes } as Json });
    }
  };
  const id = (at: number) => at.toString(16).padStart(8, '0');
  await copy('stream.1', 100, (at) => [`stream.1.${id(at)}`, { id: id(at) }]);
  await copy('progress.3.1', 100, (at) => [`progress.3.1.${id(at)}`, {}]);
  await copy('application_token.1', 500, (at) => [`application_token.1.${at}`, { id: at }]);
  const user = (at: number) => Buffer.from(`user-${at}`).toString('base64url');
  await copy('user', 1_000, (at) => [`user.${user(at)}`, { username: `user-${at}` }]);
  await copy('organisation_user.1', 1_000, (at) => [
    `organisation_user.1.${user(at)}`,
    { username: `user-${at}` },
  ]);
  const { partition } = (await api.document(stream)) as DataStreamDocument;
  writes.push(...ledgerDays({ partition, organisationId: 1, id: stream }));
  await api.registry.putMany(writes);
  const quarantine = new QuarantineStore(api.registry, api.clock);
  const records = Array.from({ length: 600 }, (_, sequence) => ({
    position: { sequence, index: 0 },
    arrivedAt: 0,
    // Each has a reason of its own.
    cause: { code: `code-${sequence % 60}`, message, remoteStatus: 400 },
    bytes: Buffer.from(eventText({ description: JSON.stringify('x'.repeat(20_000)) })),
  }));
  await quarantine.add({ organisationId: 1, id: stream, kind: 'event' }, records);
  await api.create(STREAM, 'bea');
}

/** All hours of the ledger of the first stream, each with as many sums of cost as an hour may have. */
function ledgerDays(owner: LedgerOwner): Write[] {
  const now = api.clock.now();
  const cost = Array.from({ length: 33 }, (_, at) => ({
    currency: `C${at}`.padEnd(16, 'x'),
    trafficType: `Type ${at}`.padEnd(16, 'x'),
    amount: '99999999999999.0123456789',
  }));
  const usage = { total: '999999999.123456', rx: '999999999.123456', tx: '999999999.123456', cost };
  const counts = { delivered: 99_999_999, filtered: 99_999_999, quarantined: 1, expired: 1 };
  return keptDays(now).map((day) => {
    const start = Date.parse(`${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}T00:00:00Z`);
    const hours = Array.from({ length: 24 }, (_, hour) => ({
      hour: start + hour * 3_600_000,
      ...counts,
      usage,
    }));
    return { key: ledgerKey(owner, day), value: { epoch: 1, hours } as unknown as Json };
  });
}

const QUERIES: Readonly<Record<string, string>> = {
  ListDataStreamSeries: `?range=7d&ids=${Array.from({ length: 50 }, (_, at) => (at + 1).toString(16).padStart(8, '0'))}`,
  GetDataStreamSeries: '?range=7d',
  ListQuarantinedRecords: '?limit=1000&group=0000000000000000',
  TailDataStream: '?limit=200',
  GetDataStreamLedger: '?from=2000-01-01T00:00:00Z',
};

function callOf(route: Route) {
  const operator = route.access === 'operator';
  const url = route.path
    .replace(':id', operator ? '1' : route.path.includes('token') ? '1' : stream)
    .replace(/:username|:user_id/, 'user-5')
    .replace(':role_id', '3')
    .replace(':key_id', '1')
    .replace(':token_id', '1');
  const example = Object.values(route.bodyExamples ?? {})[0]?.value;
  const body = route.path.endsWith('/data_stream') || route.path.endsWith('/test') ? STREAM : (example ?? {});
  const token = operator ? OPERATOR_TOKEN : 'ada';
  return { url: `${url}${QUERIES[route.operationId] ?? ''}`, token, ...(route.body ? { body } : {}) };
}

test('20 calls of any route at once answer within their bounds, in slices, and let a call of another organisation pass', async () => {
  const routes = api.routes.filter(({ access, streamBody }) => access !== 'public' && !streamBody);
  // What removes the state comes last, and of the state of others nothing may be removed.
  routes.sort((a, b) => Number(a.method === 'DELETE') - Number(b.method === 'DELETE'));
  const turnsOf: Record<string, number> = {};
  for (const route of routes) {
    const { url, ...options } = callOf(route);
    meter.most = 0;
    const heavy = Array.from({ length: AT_ONCE }, () =>
      api.call(route.method, url, { ...options, unchecked: true }),
    );
    const begun = meter.turns;
    const other = api.call('GET', '/api/v2/data_stream', { token: 'bea' }).then((answer) => {
      turnsOf[route.operationId] = meter.turns - begun;
      return answer;
    });
    const name = `${route.method} ${route.path}`;
    assert.equal((await other).status, 200, name);
    for (const { status, text } of await Promise.all(heavy)) {
      assert.ok(status < 500, `${name} ${status} ${text.slice(0, 300)}`);
      assert.ok(text.length <= MOST_LIST_BYTES + SLACK, `${name} has ${text.length} bytes`);
    }
    // Twenty calls may each read a document at once; beyond that, what is long waits for its slice.
    const most = SLICE_BYTES + AT_ONCE * 2 * SLACK;
    assert.ok(meter.most <= most, `${name} reads ${meter.most} bytes in one turn`);
  }
  for (const [name, turns] of Object.entries(turnsOf))
    assert.ok(turns <= 60, `a call of another organisation waited ${turns} turns beside ${name}`);
});
