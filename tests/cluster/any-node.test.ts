import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { accountTests } from '../support/any-node-accounts.ts';
import { recordTests } from '../support/any-node-records.ts';
import { AnyNodeWorld, NODES, ofType, type ShownStream, STREAMS } from '../support/any-node-world.ts';
import { natsMissing } from '../support/nats-server.ts';
import type { ReceiverAnswer } from '../support/receiver.ts';
import { SteadyEvents } from '../support/steady-events.ts';
import { StreamWatch, VIEWS } from '../support/stream-watch.ts';

/** How long the nodes are watched while records flow. */
const WATCHED_MS = 3_000;
/** What is meant is a second; how much it is, is printed. A machine that stood still is not a fault of the program. */
const MOST_LAG_MS = 5_000;
/** How long after an answer a record is sent again to see whether the answer has taken effect, ms. */
const PROBE_EVERY_MS = 20;
/** How soon it is, is measured and told; a machine that runs other tests beside may stand still for seconds. */
const PATIENCE_MS = 45_000;

describe('any node answers any call', { skip: natsMissing(), timeout: 120_000 }, () => {
  const world = new AnyNodeWorld();
  before(() => world.begin());
  after(() => world.end());

  test('a stream is created, changed, paused, restarted and deleted by nodes that do not run it', async (t) => {
    const tenant = await world.tenantAt(1);
    const [a, c] = tenant.others;
    const measured: string[] = [];
    const measure = (what: string, ms: number) => measured.push(`${what} ${ms.toFixed(0)} ms`);
    const inbox = world.inbox();
    /** Sends events of these types, again and again, until one arrives for which `check` holds. */
    const sendUntil = async (what: string, types: readonly number[], check: () => boolean) => {
      const started = performance.now();
      let sent = 0;
      while (!check()) {
        if (performance.now() - started > PATIENCE_MS) {
          const shown = await world.everywhere((node) => world.show(node, tenant, path));
          assert.fail(`${what}; ${sent} requests; ${JSON.stringify(shown)}`);
        }
        await world.ingest(NODES[sent++ % NODES.length] as number, world.events(tenant.id, types));
        await sleep(PROBE_EVERY_MS);
      }
      return performance.now() - started;
    };
    const listed = (node: number) => world.read<ShownStream[]>(node, tenant.token, STREAMS);

    const path = await world.createStream(a, tenant, inbox, { filters: ofType(1) });
    const id = path.split('/').at(-1) as string;
    const first = world.events(tenant.id, [1, 2, 1]);
    const [running, arrived] = await Promise.all([
      world.shownEverywhere('it runs', tenant, path, ({ status }) => status.id === 1),
      world
        .ingest(c, first)
        .then(() => world.effect('what was ingested at once arrives', () => inbox.records.length === 2)),
    ]);
    assert.deepEqual(inbox.ids, [first[0]?.id, first[2]?.id]);
    measure('created: Running on every node after', running);
    measure('and delivers after', arrived);
    await world.same(async (node) => (await listed(node)).map((stream) => [stream.id, stream.name]));

    await world.call(c, tenant.token, 202, 'PATCH', path, { name: 'Renamed' });
    assert.equal(await world.same(async (node) => (await world.show(node, tenant, path)).name), 'Renamed');
    assert.deepEqual(await world.same(async (node) => (await listed(node)).map(({ name }) => name)), [
      'Renamed',
    ]);

    await world.call(a, tenant.token, 202, 'PATCH', path, { filters: ofType(2) });
    assert.deepEqual(
      await world.same(async (node) => (await world.show(node, tenant, path)).filters),
      ofType(2),
    );
    const isTwo = ({ event_type }: { event_type: { id: number } }) => event_type.id === 2;
    measure('filters', await sendUntil('the new filter', [1, 2], () => inbox.records.some(isTwo)));
    const types = inbox.records.map(({ event_type }) => event_type.id);
    assert.ok(
      types.slice(types.indexOf(2)).every((type) => type === 2),
      types.join(),
    );

    const moved = world.inbox();
    const credentials = { url: moved.url, size: 100 };
    await world.call(c, tenant.token, 202, 'PATCH', path, {
      destination: { connection_type: 'RestAPI', credentials, format: 'Json' },
    });
    await world.same(async (node) => (await world.show(node, tenant, path)).destination.credentials.url);
    measure('url', await sendUntil('the new URL', [2], () => moved.records.length > 0));
    const atOld = inbox.records.length;

    await world.call(a, tenant.token, 202, 'PATCH', path, { status: { id: 2 } });
    const pausedAt = performance.now();
    assert.equal(await world.same(async (node) => (await world.show(node, tenant, path)).status.id), 2);
    let waiting = 0;
    measure(
      'paused: all nodes show what waits after',
      await world.effect('records wait', async () => {
        await world.ingest(c, world.events(tenant.id, [2]));
        waiting = Math.min(
          ...(await world.everywhere((node) => world.show(node, tenant, path))).map(pendingOf),
        );
        return waiting >= 3;
      }),
    );
    measure('its last delivery came after', Math.max(0, (moved.deliveries.at(-1)?.at ?? 0) - pausedAt));
    const beforeResume = moved.records.length;

    await world.call(c, tenant.token, 202, 'PATCH', path, { status: { id: 1 } });
    measure(
      'resumed',
      await world.effect('what waited arrives', () => moved.records.length >= beforeResume + 3),
    );
    await world.shownEverywhere('nothing waits', tenant, path, (stream) => pendingOf(stream) === 0);

    let answer: ReceiverAnswer = { status: 503, body: 'over capacity' };
    moved.answer = () => answer;
    const beforeError = moved.records.length;
    const held = world.events(tenant.id, [2, 2, 2]);
    await world.ingest(a, held);
    const shown = await Promise.all(
      NODES.map(async (node) => {
        const state = async ({ status }: ShownStream) => status.id === 3;
        await world.effect('Error', async () => state(await world.show(node, tenant, path)));
        return performance.now();
      }),
    );
    measure('Error: from the first node that shows it to the last', Math.max(...shown) - Math.min(...shown));
    const told = await world.same((node) => world.show(node, tenant, path));
    assert.match(told.status.message ?? '', /over capacity/);
    assert.equal(told.last_error?.code, 'http_503');
    answer = { status: 200 };
    await world.call(a, tenant.token, 202, 'POST', `${path}/restart`);
    measure(
      'restarted',
      await world.effect('what was held arrives', () => moved.records.length > beforeError),
    );
    assert.deepEqual(
      moved.ids.slice(beforeError),
      held.map(({ id }) => id),
    );
    await world.shownEverywhere('it runs', tenant, path, ({ status }) => status.id === 1);
    const history = await world.same((node) =>
      world.read<{ message: string; actor: string }[]>(node, tenant.token, `${path}/history`),
    );
    assert.deepEqual(
      history.toReversed().map(({ message }) => message.replace(/: .*/, '')),
      [
        'Created.',
        'Delivering.',
        'The destination was changed',
        'Paused.',
        'Resumed.',
        'Error state',
        'Restarted.',
      ],
    );

    let cut: AbortSignal | undefined;
    moved.answer = (_, request) => {
      cut = request.cut;
      return new Promise((resolve) => request.cut.addEventListener('abort', () => resolve({ status: 503 })));
    };
    await world.ingest(c, world.events(tenant.id, [2]));
    await world.effect('a delivery is under way', () => cut !== undefined);
    await world.call(c, tenant.token, 202, 'DELETE', path);
    measure(
      'deleted: a delivery under way is cancelled after',
      await world.effect('it is cancelled', () => cut?.aborted === true),
    );
    for (const node of NODES) {
      for (const what of ['', '/attempt', '/series', '/tail', '/quarantine', '/history'])
        await world.call(node, tenant.token, 404, 'GET', `${path}${what}`);
      assert.deepEqual(await listed(node), []);
    }
    await world.effect('nothing is left of it', async () => (await world.keysNaming(id)).length === 0);
    assert.equal(inbox.records.length, atOld);
    t.diagnostic(measured.join('; '));
  });

  accountTests(world);
  recordTests(world);

  // The last one: a node is gone afterwards.
  test('what a stream delivered is the same on every node, and goes on when the node that runs it leaves', async (t) => {
    const tenant = await world.tenantAt(0);
    const inbox = world.inbox();
    const path = await world.createStream(1, tenant, inbox);
    await world.shownEverywhere('it runs', tenant, path, ({ status }) => status.id === 1);
    const events = new SteadyEvents(world, tenant.id);
    const watches = NODES.map((node) => new StreamWatch(world, node, tenant, path, inbox));
    t.after(() => Promise.allSettled([events.stop(), ...watches.map((watch) => watch.stop())]));
    await Promise.all(watches.map((watch) => watch.begin()));
    const lags = () => {
      const shown = watches.map(({ node, lag, looks }) => {
        const each = VIEWS.map((view) => `${view} ${lag[view].toFixed(0)}`).join(', ');
        return `node ${node}${node === tenant.holder ? ' (runs it)' : ''}: ${each} (${looks} looks)`;
      });
      return `at most so many ms behind what had arrived: ${shown.join('; ')}`;
    };

    events.start();
    await sleep(WATCHED_MS);
    t.diagnostic(`records flow: ${lags()}`);
    for (const { lag } of watches)
      for (const view of VIEWS) assert.ok(lag[view] < MOST_LAG_MS, `${view}: ${lags()}`);

    const others = watches.filter(({ node }) => node !== tenant.holder);
    await watches[tenant.holder]?.stop();
    const before = inbox.deliveries.length;
    const started = performance.now();
    await world.cluster.drainNode(tenant.holder);
    const drained = performance.now() - started;
    await world.effect('deliveries go on', () => inbox.deliveries.length > before + 20);
    await events.stop();
    await world.effect('all has arrived', () => inbox.records.length >= events.ids.length);
    await Promise.all(others.map((watch) => watch.stop()));
    t.diagnostic(`the node that runs it leaves, gone after ${drained.toFixed(0)} ms: ${lags()}`);
    assert.deepEqual(inbox.ids, events.ids);

    for (const watch of others) {
      const behind = `node ${watch.node} shows all`;
      await world.effect(behind, async () => (await watch.look()) === inbox.deliveries.length);
    }
    const nodes = [...tenant.others];
    for (const what of ['', '/attempt', '/series?range=1h', '/tail?limit=200', '/history'])
      await world.same((node) => world.read(node, tenant.token, `${path}${what}`), nodes);
  });
});

const pendingOf = ({ progress }: ShownStream) => progress.pending;
