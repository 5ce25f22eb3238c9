import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startVendor, type VendorAnswer } from '../../src/destinations/vendor.fixture.ts';
import { BadDays } from '../support/bad-days.ts';
import {
  checkArrivals,
  distinct,
  endpointKey,
  type Kind,
  SAMPLES,
  startScenario,
} from '../support/connector-scenario.ts';

const OLD = '0123456789abcdef0123456789abcdef';
const NEW = 'fedcba9876543210fedcba9876543210';
/** The most records that the connector sends at a time, and the most points of one. */
const BATCH = 1000;
const POINTS = 4;

test('Datadog: usage as metrics and events as logs, samples and 10,000 records each, another key on the way', {
  timeout: 180_000,
}, async (t) => {
  const intake = new Intake();
  const datadog = await startVendor(t, ({ method, path, headers, wireLength, text }) => {
    if (!intake.keys.has(String(headers['dd-api-key']))) {
      intake.refusals++;
      return { status: 403, body: { errors: ['Forbidden'] } };
    }
    if (method === 'GET' && path === '/api/v1/validate') return { status: 200, body: { valid: true } };
    intake.used.set(path, [...(intake.used.get(path) ?? []), String(headers['dd-api-key'])]);
    if (path === '/api/v2/series') return intake.series(text, wireLength);
    if (path === '/api/v2/logs') return intake.logs(text);
    return { status: 404, body: { errors: ['Not found'] } };
  });
  const scenario = await startScenario(t, { DD_URL: datadog.url });
  const credentials = { api_key: OLD, include_sms: true, historical_metrics: true };
  const destination = { connection_type: 'Datadog', credentials };
  const wrong = { ...destination, credentials: { ...credentials, api_key: NEW } };
  await assert.rejects(scenario.create('usage', wrong), (error: Error) => {
    assert.match(error.message, /422 .*Check that api_key is an API key/s);
    return !error.message.includes(NEW);
  });
  intake.refusals = 0;
  const streams = [await scenario.create('usage', destination), await scenario.create('events', destination)];

  // Records keep coming while the key of both streams is changed, and while the old one is revoked.
  const [usageId = '', eventsId = ''] = streams;
  const rotations: Promise<void>[] = [];
  const ingest = (kind: Kind, id: string, path: string) =>
    scenario.ingest(kind, async (part) => {
      if (part === 3) {
        await scenario.arrived(`the first ${kind}`, () => intake.used.get(path));
        rotations.push(scenario.rotate(id, destination, { api_key: NEW }));
      }
      if (part !== 6) return;
      await Promise.all(rotations);
      if (rotations.length === streams.length) intake.keys.delete(OLD);
    });
  intake.keys.add(NEW);
  const [usage, events] = await Promise.all([
    ingest('usage', usageId, '/api/v2/series'),
    ingest('events', eventsId, '/api/v2/logs'),
  ]);
  // Datadog takes no logs of long ago, and the samples are that: they are set aside.
  const recent = events.slice(SAMPLES.events.length);
  const expected = pointsOf(usage);
  const all = distinct(recent);
  await scenario.arrived('all points and entries', () =>
    intake.points.size >= expected.size && intake.ids.size >= all ? true : undefined,
  );
  const settled = async () => {
    const views = await Promise.all(streams.map((id) => scenario.stream(id)));
    const done = views.map(({ progress }) => progress.delivered + progress.quarantined);
    return done.every((count, index) => count >= (index === 0 ? usage : events).length) ? views : undefined;
  };
  const [usageStream, eventStream] = await scenario.arrived('what waits to be counted', settled, 500);
  const quarantine = await scenario.client.call(
    'GET',
    `/api/v2/data_stream/${eventsId}/quarantine`,
    scenario.token,
  );
  await scenario.node.stop();

  assert.ok(intake.seriesDays.complete && intake.logsDays.complete);
  checkArrivals(intake.entries, recent, intake.logsDays.done.dropped * BATCH);
  checkPoints(intake.points, expected);
  const again = intake.pointsTaken - expected.size;
  assert.ok(again <= intake.seriesDays.done.dropped * BATCH * POINTS, `${again} points came again`);

  const told = [usageStream, eventStream].map((stream) => [
    stream?.status.description,
    stream?.progress.delivered,
    stream?.progress.quarantined,
  ]);
  const aside = SAMPLES.events.length;
  assert.deepEqual(told, [
    ['Running', usage.length, 0],
    ['Running', recent.length, aside],
  ]);
  assert.equal(quarantine.text.match(/"entry_too_old"/g)?.length, aside);
  assert.ok(intake.refusals <= streams.length, `the old key was sent ${intake.refusals} times after its end`);
  assert.equal(intake.used.size, 2);
  for (const keys of intake.used.values()) assert.ok(keys[0] === OLD && keys.at(-1) === NEW, String(keys));
});

/** Datadog as its API reference describes it, as far as its limits and what it keeps go. */
class Intake {
  readonly keys = new Set([OLD]);
  /** By path: the keys of the requests, in order. */
  readonly used = new Map<string, string[]>();
  readonly seriesDays = new BadDays();
  readonly logsDays = new BadDays();
  /** By metric, tags and second: the last value of several is kept. */
  readonly points = new Map<string, bigint>();
  readonly entries: { readonly key: string; readonly text: string }[] = [];
  readonly ids = new Set<string>();
  pointsTaken = 0;
  refusals = 0;

  series(text: string, wireLength: number): VendorAnswer {
    const bad = this.seriesDays.instead();
    if (bad) return bad;
    if (wireLength > 512_000 || text.length > 5_242_880) return { status: 413 };
    const { series } = JSON.parse(text) as { series: Series[] };
    for (const { metric, type, tags, points } of series) {
      assert.equal(type, 1, 'of the type whose values are summed');
      for (const { timestamp, value } of points) {
        this.points.set(pointKey(metric, tags, timestamp), exact(value));
        this.pointsTaken++;
      }
    }
    return this.seriesDays.taken({ status: 202, body: { errors: [] } });
  }

  logs(text: string): VendorAnswer {
    const bad = this.logsDays.instead();
    if (bad) return bad;
    const entries = text.slice(1, -1).split(/,(?=\{"ddsource":"simstream",)/);
    if (text.length > 5_000_000 || entries.length > 1000) return { status: 413 };
    for (const entry of entries) {
      const record = entry.slice(entry.indexOf(',"event":') + ',"event":'.length, -1);
      this.ids.add((JSON.parse(entry) as { record_id: string }).record_id);
      this.entries.push({ key: endpointKey(record), text: record });
    }
    return this.logsDays.taken({ status: 202, body: {} });
  }
}

interface Series {
  readonly metric: string;
  readonly type: number;
  readonly tags: readonly string[];
  readonly points: readonly { readonly timestamp: number; readonly value: number }[];
}

interface Usage {
  readonly end_timestamp: string;
  readonly traffic_type: { readonly id: number; readonly description: string };
  readonly organisation: { readonly id: number };
  readonly endpoint: { readonly id: number } | null;
  readonly sim: { readonly iccid: string } | null;
  readonly operator: { readonly name: string; readonly country: { readonly name: string } | null } | null;
  readonly volume: { readonly total: number; readonly tx: number; readonly rx: number };
  readonly cost: number | null;
  readonly currency: { readonly code: string } | null;
}

/** What Datadog must have of these records. One of the samples comes twice: it counts once. */
function pointsOf(texts: readonly string[]): Map<string, bigint> {
  const points = new Map<string, bigint>();
  for (const text of new Set(texts)) {
    const record = JSON.parse(text) as Usage;
    const { volume, traffic_type, operator } = record;
    const timestamp = Math.floor(utc(record.end_timestamp) / 1000);
    const tags = tagsOf([
      ['org', record.organisation.id],
      ['endpoint', record.endpoint?.id],
      ['iccid', record.sim?.iccid],
      ['operator', operator?.name],
      ['country', operator?.country?.name],
      ['traffic_type', traffic_type.description],
    ]);
    const add = (metric: string, of: readonly string[], value: number) => {
      const key = pointKey(metric, of, timestamp);
      points.set(key, (points.get(key) ?? 0n) + exact(value));
    };
    const metric = traffic_type.id === 6 ? 'endpoint.sms' : 'endpoint.volume';
    add(metric, tags, volume.total);
    add(`${metric}_tx`, tags, volume.tx);
    add(`${metric}_rx`, tags, volume.rx);
    if (record.cost === null) continue;
    add('endpoint.cost', [...tags, ...tagsOf([['currency', record.currency?.code]])], record.cost);
  }
  return points;
}

function checkPoints(points: ReadonlyMap<string, bigint>, expected: ReadonlyMap<string, bigint>): void {
  for (const [key, value] of expected) assert.equal(points.get(key), value, key);
  assert.equal(points.size, expected.size, 'no points of nobody');
}

function tagsOf(tags: readonly (readonly [name: string, value: string | number | undefined])[]): string[] {
  return tags.filter(([, value]) => value !== undefined).map(([name, value]) => `${name}:${value}`);
}

function pointKey(metric: string, tags: readonly string[], timestamp: number): string {
  return `${metric} ${timestamp} ${[...tags].sort().join()}`;
}

/** In units of the tenth decimal, the last that costs have: sums of these are exact. */
function exact(value: number): bigint {
  return BigInt(Math.round(value * 1e10));
}

/** Times without a zone, as older records have them, are UTC. */
function utc(time: string): number {
  return Date.parse(time.endsWith('Z') ? time : `${time.replace(' ', 'T')}Z`);
}
