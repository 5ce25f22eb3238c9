import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLogger } from '../src/cli/logger.ts';
import { readConfig } from '../src/config/read-config.ts';
import { createSharedLeases } from '../src/leases/shared.ts';
import type { Clock } from '../src/lib/clock.ts';
import { systemClock, systemRandom } from '../src/lib/system-clock.ts';
import { startServer } from '../src/node/server.ts';
import { createMemoryRegistry } from '../src/registry/memory.ts';
import { createTelemetry } from '../src/telemetry/create-telemetry.ts';
import type { Telemetry } from '../src/telemetry/telemetry.ts';
import { createApiClient, usageWebhook } from './support/api-client.ts';
import { freePort } from './support/free-port.ts';
import { OPERATOR_TOKEN } from './support/node-process.ts';
import { startReceiver } from './support/receiver.ts';
import { UsageRecords } from './support/usage-records.ts';
import { waitFor } from './support/wait-for.ts';

/** Time passes this much faster: the log is trimmed each minute, and nobody should wait for that. */
const FASTER = 30;
/** Of the node's time. It passes at once when the test says so, however long the deliveries took. */
const RETENTION_MS = 24 * 3_600_000;
let ahead = 0;
const ORGANISATION = 70_412;
/** What this node does not do, and why. */
const NOT_HERE: Readonly<Record<string, string>> = {
  simstream_platform_faults_total: 'a fault of simstream itself: see telemetry.test.ts',
  simstream_telemetry_faults_total: 'a fault of telemetry itself: see telemetry.test.ts',
  simstream_nodes_view_age_seconds: 'a node that is alone sees itself at once',
  simstream_clock_skew_seconds: 'a node that is alone has no other clock',
  simstream_source_messages_total: 'a node without sources: see sources.test.ts',
  simstream_source_rejected_total: 'a node without sources: see sources.test.ts',
};

/** What this node may do or not, and why. */
const MAYBE_HERE: Readonly<Record<string, string>> = {
  simstream_unheld_partitions: 'only while a node that is alone stops',
  simstream_body_memory_bytes: 'only for requests of 16 KiB and more',
  simstream_loop_blocked_total: 'by the fast clock a few milliseconds are long: see loop-watch.test.ts',
};

const fastClock: Clock = {
  now: () => STARTED.at + (systemClock.now() - STARTED.at) * FASTER + ahead,
  monotonic: () => systemClock.monotonic() * FASTER + ahead,
  sleep: (milliseconds, signal) => systemClock.sleep(milliseconds / FASTER, signal),
  after: (milliseconds, run) => systemClock.after(milliseconds / FASTER, run),
};
const STARTED = { at: systemClock.now() };

test('every metric is moved by a node that does a little of everything', { timeout: 180_000 }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'simstream-metrics-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const records = new UsageRecords(ORGANISATION);
  let refuse: number | undefined;
  const scrapes: ReadonlyMap<string, number>[] = [];
  const receiver = await startReceiver(({ body }) => {
    if (refuse !== undefined) return { status: refuse };
    // The record with this number is one that the receiver can never take.
    return { status: body.includes('700000000000013') ? 422 : 200 };
  });
  t.after(() => receiver.close());

  const logger = createLogger({ level: 'error', readable: false });
  const telemetry = createTelemetry({ logger, version: 'test', processMetrics: true });
  const read = readConfig(
    {},
    {
      SIMSTREAM_HOST: '127.0.0.1',
      SIMSTREAM_PORT: String(await freePort()),
      SIMSTREAM_DATA_DIR: directory,
      SIMSTREAM_OPERATOR_TOKEN: OPERATOR_TOKEN,
      SIMSTREAM_ALLOW_DESTINATIONS: '127.0.0.0/8',
    },
  );
  assert.ok('config' in read, JSON.stringify(read));
  const node = await startServer(
    { ...read.config, retention: RETENTION_MS },
    { logger, telemetry, signal: new AbortController().signal, clock: fastClock },
  );
  const api = createApiClient(node.url);
  const ingest = async (first: number, count: number) => {
    const response = await fetch(`${node.url}/operator/v1/records/usage`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
      body: new Uint8Array(records.batch(first, count)),
    });
    return response.status;
  };
  try {
    await api.createOrganisation(ORGANISATION, 'Metrics');
    let token = await api.authenticate(ORGANISATION);
    const busy = await api.createStream(token, {
      ...(usageWebhook('busy', `${receiver.url}/busy`) as object),
      delivery: { ordering: 'device', max_in_flight: 4 },
    });
    const paused = await api.createStream(token, usageWebhook('paused', `${receiver.url}/paused`));
    const set = (id: string, status: number) =>
      api.call('PATCH', `/api/v2/data_stream/${id}`, token, { status: { id: status } });
    assert.equal((await set(paused, 2)).status, 202);

    refuse = 503;
    assert.equal(await ingest(0, 20), 202);
    await waitFor('a failed delivery', async () => (await api.stream(token, busy)).last_error ?? undefined);
    refuse = undefined;
    const progress = () => api.stream(token, busy).then((stream) => stream.progress);
    await waitFor('a quarantined record', async () => {
      const { delivered, quarantined } = await progress();
      return (delivered === 19 && quarantined === 1) || undefined;
    });
    const refused = await fetch(`${node.url}/operator/v1/records/usage`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
      body: '{}',
    });
    assert.equal(refused.status, 422);
    await renewWatch(telemetry);
    // Gauges of what a node holds are zero again when it has stopped.
    scrapes.push(valuesOf(await telemetry.metrics()));
    ahead = RETENTION_MS;
    // The first login is as old.
    token = await api.authenticate(ORGANISATION);
    await waitFor('expiry', async () => {
      const stream = await api.stream(token, paused);
      return stream.progress.expired === 20 || undefined;
    });
    // A count that took long, as on a busy machine, is followed by a long pause; by then those records are gone.
    const counted = async () => {
      scrapes.push(valuesOf(await telemetry.metrics()));
      if (scrapes.at(-1)?.get('simstream_oldest_pending_seconds')) return true;
      assert.equal(await ingest(100 + scrapes.length, 1), 202);
      return undefined;
    };
    await waitFor('the streams are counted', counted, 90_000, 500);
  } finally {
    await node.close();
  }

  // What happens at the stop counts as well.
  scrapes.push(valuesOf(await telemetry.metrics()));
  const names = scrapes.flatMap((values) => [...values.keys()]);
  const still = [...new Set(names)].filter((name) => scrapes.every((values) => !values.get(name)));
  const ours = still.filter((name) => name.startsWith('simstream_'));
  assert.deepEqual(
    ours.filter((name) => !(name in NOT_HERE) && !(name in MAYBE_HERE)),
    [],
    'nothing moved these metrics',
  );
  assert.deepEqual(
    Object.keys(NOT_HERE).filter((name) => !ours.includes(name)),
    [],
    'these need no exception',
  );
});

/** A node alone watches no leases: one of several does, and here its watch shows nothing. Resolves when it began another. */
async function renewWatch(telemetry: Telemetry): Promise<void> {
  const registry = createMemoryRegistry();
  const leases = createSharedLeases({
    store: { ...registry, watch: (prefix, _, signal) => registry.watch(prefix, () => {}, signal) },
    lastEpoch: async () => 0,
    answers: async () => undefined,
    clock: fastClock,
    random: systemRandom,
    node: { name: 'one-of-several', version: 'test' },
    telemetry,
  });
  const stop = new AbortController();
  const held = leases.hold(1, async () => {}, stop.signal);
  try {
    await waitFor('another watch', async () => {
      const values = valuesOf(await telemetry.metrics());
      return (values.get('simstream_watches_renewed_total') ?? 0) > 0 || undefined;
    });
  } finally {
    stop.abort();
    await held;
  }
}

/** The sum of each metric's values, of a histogram the number of its observations. */
function valuesOf(text: string): Map<string, number> {
  const values = new Map<string, number>();
  let histogram = '';
  for (const line of text.split('\n')) {
    const [, name = '', type] = /^# TYPE (\S+) (\S+)/.exec(line) ?? [];
    if (type) {
      histogram = type === 'histogram' ? name : '';
      values.set(name, 0);
      continue;
    }
    const [, sample = '', value] = /^(\w+)(?:\{.*\})? (\S+)$/.exec(line) ?? [];
    const metric = histogram === '' ? sample : histogram;
    if (!value || (histogram !== '' && sample !== `${histogram}_count`)) continue;
    values.set(metric, (values.get(metric) ?? 0) + Math.abs(Number(value)));
  }
  return values;
}

test('the names of the metrics keep to the convention', async () => {
  const logger = createLogger({ level: 'error', readable: false });
  const text = await createTelemetry({ logger, version: 'test' }).metrics();
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type]) => ({ name, type }));
  assert.deepEqual(
    types.filter(({ name, type }) => (type === 'counter') !== name.endsWith('_total')),
    [],
    'counters, and only counters, end in _total',
  );
});
