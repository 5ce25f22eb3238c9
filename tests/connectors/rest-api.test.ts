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

const SIZE = 500;
const OLD = 'Bearer first-token-of-the-receiver';
const NEW = 'Bearer second-token-of-the-receiver';

test('a webhook: samples and 10,000 records while it misbehaves, another token on the way', {
  timeout: 180_000,
}, async (t) => {
  const badDays = new BadDays();
  const known = new Set([OLD]);
  const used: string[] = [];
  const arrivals: Arrival[] = [];
  const different = new Set<string>();
  let refusals = 0;
  const receiver = await startVendor(t, ({ method, headers: { authorization = '' }, text }) => {
    if (method !== 'POST') return { status: 200 };
    if (!known.has(authorization)) {
      refusals++;
      return { status: 401 };
    }
    const bad = badDays.instead();
    if (bad) return bad;
    for (const record of recordsOf(text)) {
      arrivals.push({ key: endpointKey(record), text: record });
      different.add(record);
    }
    used.push(authorization);
    return badDays.taken({ status: 200 });
  });
  const scenario = await startScenario(t);
  const destination = {
    connection_type: 'RestAPI',
    credentials: { url: `${receiver.url}/in`, headers: [`Authorization:${OLD}`], size: SIZE },
  };
  const id = await scenario.create('usage', destination);

  // Records keep coming while the token is changed, and while the old one ends.
  const rotations: Promise<void>[] = [];
  const ingested = await scenario.ingest('usage', async (part) => {
    if (part === 3) {
      known.add(NEW);
      rotations.push(scenario.rotate(id, destination, { headers: [`Authorization:${NEW}`] }));
    }
    if (part !== 6) return;
    await Promise.all(rotations);
    known.delete(OLD);
  });
  const all = distinct(ingested);
  await scenario.arrived('all records', () => (different.size >= all ? true : undefined));
  const { status, progress } = await scenario.stream(id);
  await scenario.node.stop();

  assert.ok(badDays.complete, JSON.stringify(badDays.done));
  checkArrivals(arrivals, ingested, badDays.done.dropped * SIZE);
  assert.ok(refusals <= 1, `the old token was sent ${refusals} times after its end`);
  assert.ok(
    used[0] === OLD && used.at(-1) === NEW && used.lastIndexOf(OLD) < used.indexOf(NEW),
    String(used),
  );
  assert.deepEqual([status.description, progress.quarantined], ['Running', 0]);
});

/** The records of a request, as the bytes that came in. */
function recordsOf(body: string): string[] {
  assert.match(body, /^\[\{.*\}\]$/s);
  return body.slice(1, -1).split(/,(?=\{"id":)/);
}
