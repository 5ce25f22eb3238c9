import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ASK_EVERY, type StreamView } from './support/api-client.ts';
import { FlowWorld } from './support/flow-world.ts';
import type { ReceiverAnswer } from './support/receiver.ts';
import { waitFor } from './support/wait-for.ts';

/** Records that a receiver takes in a request; more of them it refuses in its own way. */
const MOST = 20;
const RECORDS = 100;
/** They are tried again with pauses that grow, of some seconds each. */
const WITHIN_MS = 120_000;

/** The ways in which receivers say that a request was too large. */
const WAYS: Readonly<Record<string, ReceiverAnswer>> = {
  '/413': { status: 413 },
  '/500': { status: 500, body: 'request entity too large' },
  '/waf': { status: 403, body: 'Request blocked.' },
  '/reset': { status: 500, reset: true },
};

test('receivers that take few records a request, and say so in their own ways, get all of them; a new URL frees a stream that waits for ten minutes', {
  timeout: 180_000,
}, async (t) => {
  let busy = 0;
  const world = await FlowWorld.start(t, {
    environment: { SIMSTREAM_VERIFY_DESTINATIONS: 'false' },
    answer: async ({ path }, records) => {
      if (path === '/busy') {
        busy++;
        return { status: 503, headers: { 'retry-after': '600' } };
      }
      // It cannot take this record, and no request that has it.
      if (path === '/single' && records.includes(50)) return { status: 413 };
      const way = WAYS[path];
      return way && records.length > MOST ? way : { status: 200 };
    },
  });
  const stream = async (id: string) => (await world.call(200, 'GET', `/${id}`)) as StreamView;
  const ids = new Map<string, string>();
  for (const path of [...Object.keys(WAYS), '/single', '/busy']) {
    ids.set(path, await world.create(path));
    await sleep(ASK_EVERY);
  }
  await world.send(RECORDS);

  await waitFor('the busy receiver has answered', () => (busy > 0 ? true : undefined), WITHIN_MS);
  const waiting = ids.get('/busy') as string;
  const credentials = { url: `${world.receiver}/free`, size: RECORDS };
  await world.call(202, 'PATCH', `/${waiting}`, {
    destination: { connection_type: 'RestAPI', credentials },
  });
  await waitFor(
    'the records come to the new URL',
    () => (distinct(world, '/free') === RECORDS ? true : undefined),
    WITHIN_MS,
  );
  assert.equal(busy, 1, 'the one that asked for ten minutes is left alone');

  for (const [path, id] of ids) {
    if (path === '/busy') continue;
    const refused = path === '/single' ? 1 : 0;
    const { progress, status } = await waitFor(
      `${path} gets its records`,
      async () => {
        const view = await stream(id);
        return view.progress.pending === 0 && view.progress.delivered > 0 ? view : undefined;
      },
      WITHIN_MS,
      ASK_EVERY,
    );
    assert.deepEqual(
      [progress.delivered, progress.quarantined, status.description],
      [RECORDS - refused, refused, 'Running'],
      path,
    );
    assert.equal(distinct(world, path), RECORDS - refused, path);
  }
});

/** Records that the receiver took at a path. */
const distinct = (world: FlowWorld, path: string) => new Set(world.of(path).records).size;
