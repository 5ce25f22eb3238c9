import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { type AnyNodeWorld, eventsTo, NODES, STREAMS } from './any-node-world.ts';
import { createApiClient } from './api-client.ts';
import { OPERATOR_TOKEN } from './node-process.ts';
import { SteadyEvents } from './steady-events.ts';

const LOOKUPS = ['status', 'type', 'connection_type', 'filter_field_type', 'platform'];

/** What becomes of records, whichever node is told. */
export function recordTests(world: AnyNodeWorld): void {
  test('what was refused is listed, sent again and discarded at any node', async (t) => {
    const tenant = await world.tenantAt(2);
    const inbox = world.inbox();
    const isBad = ({ event_type }: { event_type: { id: number } }) => event_type.id === 9;
    inbox.answer = (records) =>
      records.some(isBad) ? { status: 422, body: 'no such field' } : { status: 200 };
    const path = await world.createStream(0, tenant, inbox);
    const quarantine = (node: number) =>
      world.read<{ id: string; code: string; record: string }[]>(node, tenant.token, `${path}/quarantine`);
    const events = world.events(tenant.id, [1, 9, 1, 9, 1, 9]);
    await world.ingest(1, events);
    const told = await world.shownEverywhere(
      'three are set aside',
      tenant,
      path,
      ({ progress }) => progress.quarantined === 3 && progress.delivered === 3 && progress.pending === 0,
    );
    t.diagnostic(`every node counted what was refused ${told.toFixed(0)} ms after it was ingested`);
    const aside = await world.same(quarantine);
    const bad = events.filter(isBad);
    assert.deepEqual(
      aside.map(({ code, record }) => [code, JSON.parse(record)]),
      bad.map((event) => ['http_422', event]),
    );

    inbox.answer = () => ({ status: 200 });
    const resent = await world.call(0, tenant.token, 200, 'POST', `${path}/quarantine/resend`, {
      ids: [aside[0]?.id],
    });
    assert.deepEqual(JSON.parse(resent.text), { delivered: 1, failed: [] });
    assert.deepEqual(await world.same(quarantine), aside.slice(1));
    const discarded = await world.call(1, tenant.token, 200, 'POST', `${path}/quarantine/discard`, {
      ids: [aside[1]?.id],
    });
    assert.deepEqual(JSON.parse(discarded.text), { discarded: 1 });
    assert.deepEqual(await world.same(quarantine), aside.slice(2));
    await world.call(2, tenant.token, 200, 'POST', `${path}/quarantine/resend`);
    assert.deepEqual(await world.same(quarantine), []);
    const good = events.filter((event) => !isBad(event));
    assert.deepEqual(
      inbox.ids,
      [...good, bad[0], bad[2]].map((event) => event?.id),
    );
  });

  test('a test record is sent by any node that is asked, and moves nothing', async () => {
    const tenant = await world.tenantAt(1);
    const inbox = world.inbox();
    const path = await world.createStream(0, tenant, inbox);
    await world.call(0, tenant.token, 202, 'PATCH', path, { status: { id: 2 } });
    const before = await world.shownEverywhere('paused', tenant, path, ({ status }) => status.id === 2);
    assert.ok(before >= 0);
    // The time of the pause is that of the call at first, and then that of the engine, a few milliseconds later.
    const show = async (node: number) => {
      const { status, ...others } = await world.show(node, tenant, path);
      return { ...others, status: status.id };
    };
    const shown = await world.same(show);
    for (const node of NODES) {
      const { text } = await world.call(node, tenant.token, 200, 'POST', `${path}/test_record`);
      const { outcome, remote_status } = JSON.parse(text) as { outcome: string; remote_status: number };
      assert.deepEqual([outcome, remote_status], ['delivered', 200]);
    }
    assert.deepEqual(inbox.ids, [0, 0, 0]);
    assert.deepEqual(await world.same(show), shown);
    assert.deepEqual(await world.same((node) => world.read(node, tenant.token, `${path}/attempt`)), []);
  });

  test('a request that is repeated with its key at other nodes is delivered once', async () => {
    const tenant = await world.tenantAt(0);
    const inbox = world.inbox();
    const path = await world.createStream(1, tenant, inbox);
    const sent: number[] = [];
    const post = (node: number, key: string, events: unknown) =>
      createApiClient(world.cluster.node(node).url).call(
        'POST',
        '/operator/v1/records/events',
        OPERATOR_TOKEN,
        events,
        { 'idempotency-key': key },
      );
    for (const turn of NODES) {
      const events = world.events(tenant.id, [1, 1, 1]);
      sent.push(...events.map(({ id }) => id));
      const key = `one-${turn}`;
      for (const node of [turn, ...NODES]) {
        const { status, text } = await post(node, key, events);
        assert.deepEqual([status, JSON.parse(text)], [202, { accepted: 3 }]);
      }
      const other = world.events(tenant.id, [1]);
      for (const node of NODES) {
        const { status, text } = await post(node, key, other);
        assert.equal(status, 422, text);
        const { error_token, message } = JSON.parse(text) as { error_token: string; message: string };
        assert.equal(error_token, 'NotAllowed');
        assert.match(message, /Idempotency-Key was used before, with another body/);
      }
    }
    // At all of them at the same moment: one stores them, the others find them stored.
    const together = world.events(tenant.id, [1, 1, 1]);
    sent.push(...together.map(({ id }) => id));
    const answers = await Promise.all([...NODES, ...NODES].map((node) => post(node, 'together', together)));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]));

    const last = world.events(tenant.id, [1]);
    sent.push(...last.map(({ id }) => id));
    await world.ingest(2, last);
    await world.effect('all has arrived', () => inbox.ids.length >= sent.length);
    assert.deepEqual(inbox.ids, sent);
    await world.shownEverywhere(
      'counters',
      tenant,
      path,
      ({ progress }) => progress.delivered === sent.length,
    );
  });

  test('restarted, renamed and filtered at several nodes at once while records flow, it misses none', async (t) => {
    const tenant = await world.tenantAt(1);
    const inbox = world.inbox();
    const path = await world.createStream(0, tenant, inbox);
    const events = new SteadyEvents(world, tenant.id);
    events.start();
    t.after(() => events.stop());
    for (const turn of NODES) {
      const before = inbox.ids.length;
      await world.effect('records flow', () => inbox.ids.length > before + 20);
      const [a, b, c] = NODES.map((_, index) => (turn + index) % NODES.length) as [number, number, number];
      const patch = (node: number, body: object) => world.call(node, tenant.token, 202, 'PATCH', path, body);
      await Promise.all([
        world.call(a, tenant.token, 202, 'POST', `${path}/restart`),
        patch(b, { name: `Round ${turn}` }),
        // Of all event types but those of another round.
        patch(c, { filters: [{ field: 'event_type_id', value: [1, 100 + turn] }] }),
      ]);
      await world.shownEverywhere(
        'all three took effect',
        tenant,
        path,
        ({ name, filters, status }) =>
          name === `Round ${turn}` &&
          isDeepStrictEqual(filters, [{ field: 'event_type_id', value: [1, 100 + turn] }]) &&
          status.id === 1,
      );
    }
    await events.stop();
    await world.effect('all has arrived', () => inbox.ids.length >= events.ids.length);
    assert.deepEqual(inbox.ids, events.ids);

    // Another begins in the past, at records that others took.
    const mark = new Date(Date.now() + 1).toISOString();
    await world.effect('a later millisecond', () => Date.now() > Date.parse(mark));
    const later = world.events(tenant.id, [1, 1]);
    await world.ingest(0, later);
    const replayed = world.inbox();
    await world.createStream(2, tenant, replayed, { start_from: mark });
    await world.effect('what came since then arrives', () => replayed.ids.length >= later.length);
    assert.deepEqual(
      replayed.ids,
      later.map(({ id }) => id),
    );
  });

  test('any node tries a destination, and has the same lookups', async () => {
    const tenant = await world.tenantAt(2);
    const inbox = world.inbox();
    const body = eventsTo(inbox);
    const tried = await world.same(async (node) =>
      JSON.parse((await world.call(node, tenant.token, 200, 'POST', `${STREAMS}/test`, body)).text),
    );
    assert.deepEqual(
      { reachable: tried.reachable, target: tried.target, checked: tried.checked },
      { reachable: true, target: inbox.url, checked: 'connection' },
    );
    const path = await world.createStream(0, tenant, inbox);
    const id = path.split('/').at(-1);
    // With the credentials that another node sealed.
    for (const node of NODES)
      await world.call(node, tenant.token, 200, 'POST', `${STREAMS}/test`, { ...body, id });
    for (const word of LOOKUPS)
      await world.same((node) => world.read(node, tenant.token, `${STREAMS}/${word}`));
    await world.same((node) => world.read(node, tenant.token, '/api/v1/event/type'));
    assert.deepEqual(inbox.ids, []);
  });
}
