import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startVendor } from '../../src/destinations/vendor.fixture.ts';
import { BadDays } from '../support/bad-days.ts';
import {
  type Arrival,
  checkArrivals,
  distinct,
  endpointKey,
  startScenario,
} from '../support/connector-scenario.ts';

const PROJECT = '5f2a9c81d0e34b7796ab12cd';
const COLLECTION = 'sim_events';
const SIZE = 800;
const OLD = 'A1B2C3D4E5F60718293A4B5C6D7E8F90';
const NEW = '0F9E8D7C6B5A49382716F5E4D3C2B1A0';
/** Of so many requests that Keen looks at, there is one of which it stores the first half only. */
const HALF_TAKEN = 7;

test('Keen: samples and 10,000 records while it misbehaves, a write key that was reset', {
  timeout: 180_000,
}, async (t) => {
  const badDays = new BadDays();
  let key = OLD;
  const used: string[] = [];
  const arrivals: Arrival[] = [];
  const different = new Set<string>();
  const refused = Promise.withResolvers<void>();
  let looked = 0;
  let notStored = 0;
  const keen = await startVendor(t, ({ method, path, headers: { authorization = '' }, text }) => {
    if (method !== 'POST' || path !== `/3.0/projects/${PROJECT}/events`) return { status: 404 };
    if (authorization !== key) {
      refused.resolve();
      return {
        status: 401,
        body: { error_code: 'InvalidApiKeyError', message: `no such key: ${authorization}` },
      };
    }
    const records = recordsOf(text);
    if (records.length === 0) return { status: 200, body: { [COLLECTION]: [] } };
    const bad = badDays.instead();
    if (bad) return bad;
    const half = looked++ % HALF_TAKEN === 1;
    const results = records.map((record, index) => {
      if (half && index >= records.length / 2) {
        notStored++;
        return { success: false, error: { name: 'ServerError', description: 'try again' } };
      }
      arrivals.push({ key: endpointKey(record), text: record });
      different.add(record);
      return { success: true };
    });
    used.push(authorization);
    return badDays.taken({ status: 200, body: { [COLLECTION]: results } });
  });
  const scenario = await startScenario(t, { KEEN_API_URL: keen.url });
  const destination = {
    connection_type: 'KeenIO',
    credentials: { project_id: PROJECT, write_key: OLD, collection_name: COLLECTION, size: SIZE },
  };
  const wrong = { ...destination, credentials: { ...destination.credentials, write_key: NEW } };
  await assert.rejects(scenario.create('events', wrong), (error: Error) => {
    assert.match(error.message, /422 .*write_key is a key of project/s);
    return !error.message.includes(NEW);
  });
  const id = await scenario.create('events', destination);

  // A project has one write key: resetting it ends the old one at once, and records wait until the stream has the new.
  const rotations: Promise<void>[] = [];
  const ingested = await scenario.ingest('events', async (part) => {
    if (part !== 3) return;
    await scenario.arrived('the first faults', () => (badDays.complete ? true : undefined));
    key = NEW;
    rotations.push(refused.promise.then(() => scenario.rotate(id, destination, { write_key: NEW })));
  });
  await Promise.all(rotations);
  const all = distinct(ingested);
  await scenario.arrived('all records', () => (different.size >= all ? true : undefined));
  const { status, progress } = await scenario.stream(id);
  await scenario.node.stop();

  assert.ok(badDays.complete && notStored > 0, JSON.stringify({ ...badDays.done, notStored }));
  checkArrivals(arrivals, ingested, badDays.done.dropped * SIZE);
  assert.ok(used[0] === OLD && used.at(-1) === NEW, String(used));
  assert.deepEqual([status.description, progress.quarantined], ['Running', 0]);
});

/** The records of a batch, as the bytes that came in: what simstream adds is taken off, and must be the record's time. */
function recordsOf(body: string): string[] {
  const [open, close] = [`{"${COLLECTION}":[`, ']}'];
  assert.ok(body.startsWith(open) && body.endsWith(close), body.slice(0, 100));
  const events = body.slice(open.length, -close.length);
  if (events === '') return [];
  return events.split(/,(?=\{"keen":)/).map((event) => {
    const [added = '', keen = ''] = /^\{"keen":\{"timestamp":"([^"]+)"\},/.exec(event) ?? [];
    const record = `{${event.slice(added.length)}`;
    const { timestamp } = JSON.parse(record) as { timestamp: string };
    assert.equal(Date.parse(keen), Date.parse(timestamp), event);
    return record;
  });
}
