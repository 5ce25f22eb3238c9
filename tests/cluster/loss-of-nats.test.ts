import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import {
  AnyNodeWorld,
  type EventRecord,
  NODES,
  type ShownStream,
  type Tenant,
} from '../support/any-node-world.ts';
import { type Answer, createApiClient } from '../support/api-client.ts';
import type { Inbox } from '../support/inbox.ts';
import { natsMissing } from '../support/nats-server.ts';
import { OPERATOR_TOKEN } from '../support/node-process.ts';
import { SteadyEvents } from '../support/steady-events.ts';
import { waitFor } from '../support/wait-for.ts';

const SERVERS = [0, 1, 2] as const;
/** A cluster of NATS servers that was killed as a whole elects its leaders anew, then nodes find each other. */
const RESUMED_WITHIN_MS = 40_000;
/** What a node that stops waits for NATS at most, and a request. */
const ANSWERED_WITHIN_MS = 15_000;
const REQUESTS = 5;

describe('NATS is lost', { skip: natsMissing() ?? false }, () => {
  const world = new AnyNodeWorld();
  before(() => world.begin());
  after(() => world.end());
  // Each test begins with all nodes and all of NATS, even if the one before failed.
  beforeEach(() => world.cluster.restore());

  const post = (node: number, key: string, events: readonly EventRecord[]): Promise<Answer> =>
    createApiClient(world.cluster.node(node).url).call(
      'POST',
      '/operator/v1/records/events',
      OPERATOR_TOKEN,
      events,
      { 'idempotency-key': key },
    );
  const readiness = async (node: number) => {
    const response = await fetch(`${world.cluster.node(node).url}/readyz`);
    return { status: response.status, text: await response.text() };
  };
  const allReady = (nodes: readonly number[]) =>
    waitFor(
      'the nodes are ready',
      async () =>
        (await Promise.all(nodes.map(readiness))).every(({ status }) => status === 200) || undefined,
      RESUMED_WITHIN_MS,
    );

  /** A request that is refused while NATS is away: in time, with the word when to come again, and nothing stored. */
  const mustBeRefused = async (node: number, key: string, events: readonly EventRecord[]) => {
    const started = performance.now();
    const { status, headers, text } = await post(node, key, events);
    assert.equal(status, 503, text);
    assert.match(headers.get('retry-after') ?? '', /^\d+$/);
    assert.equal((JSON.parse(text) as { error_token: string }).error_token, 'Busy', text);
    assert.ok(performance.now() - started < ANSWERED_WITHIN_MS, 'the answer took too long');
  };

  /** First arrivals are all of `sent` in their order, and what came twice is what was under way or uncommitted. */
  const mustHaveArrived = (inbox: Inbox, sent: readonly number[], committed: readonly number[]) => {
    assert.deepEqual([...new Set(inbox.ids)], sent);
    const again = inbox.ids.filter((id, at, all) => all.indexOf(id) !== at);
    assert.deepEqual(
      again.filter((id) => committed.includes(id)),
      [],
      'what had been committed came again',
    );
    return again.length;
  };

  /** A stream that has delivered and committed some events. */
  const running = async (holder: number) => {
    const tenant = await world.tenantAt(holder);
    const inbox = world.inbox();
    const path = await world.createStream(tenant.others[0], tenant, inbox);
    const events = world.events(tenant.id, [1, 1, 1]);
    await world.ingest(tenant.others[1], events);
    const isDelivered = ({ progress }: { progress: { delivered: number } }) => progress.delivered === 3;
    await world.shownEverywhere('three are delivered', tenant, path, isDelivered);
    return { tenant, inbox, path, committed: events.map(({ id }) => id) };
  };

  /** Holds what the inbox is sent, until opened. */
  const hold = (inbox: Inbox) => {
    const gate = Promise.withResolvers<void>();
    let held = 0;
    inbox.answer = async () => {
      held++;
      await gate.promise;
      return { status: 200 };
    };
    return { open: gate.resolve, held: () => held };
  };

  const everyRecordOnce = async (tenant: Tenant, path: string, records: number) => {
    const isRight = ({ progress }: { progress: { delivered: number; pending: number } }) =>
      progress.delivered === records && progress.pending === 0;
    await world.shownEverywhere('counters', tenant, path, isRight);
  };

  test('killed: what is in memory is delivered, ingest refuses, a node may stop; all resumes by itself', async (t) => {
    const { tenant, inbox, path, committed } = await running(0);
    const [gone, other] = tenant.others;
    const gate = hold(inbox);
    const waiting: number[] = [];
    for (let request = 0; request < REQUESTS; request++) {
      const events = world.events(tenant.id, [1, 1]);
      await world.ingest(gone, events);
      waiting.push(...events.map(({ id }) => id));
    }
    await world.effect('a delivery is under way', () => gate.held() > 0);
    const isPending = ({ progress }: { progress: { pending: number } }) =>
      progress.pending === waiting.length;
    await world.shownEverywhere('the others wait in memory', tenant, path, isPending);

    await Promise.all(SERVERS.map((server) => world.cluster.nats.kill(server)));
    const refused = world.events(tenant.id, [1, 1, 1]);
    for (const node of NODES) await mustBeRefused(node, 'refused', refused);
    for (const node of NODES) {
      const { status, text } = await readiness(node);
      assert.equal(status, 503);
      assert.match(text, /NATS/);
    }
    gate.open();
    await waitFor(
      () =>
        `what was in memory arrives without NATS: ${inbox.ids.join(', ')} of ${[...committed, ...waiting].join(', ')}\n${world.cluster.output()}`,
      () => new Set(inbox.ids).size === committed.length + waiting.length || undefined,
    );
    const stopping = performance.now();
    await world.cluster.drainNode(gone);
    assert.ok(performance.now() - stopping < ANSWERED_WITHIN_MS, 'a node took too long to stop');

    const restarted = performance.now();
    await Promise.all(SERVERS.map((server) => world.cluster.nats.restart(server)));
    await allReady([tenant.holder, other]);
    t.diagnostic(`ready ${Math.round(performance.now() - restarted)} ms after NATS was started again`);
    for (const node of [other, tenant.holder]) {
      const answer = await waitFor(
        'the refused request is taken',
        async () => {
          const tried = await post(node, 'refused', refused);
          return tried.status === 503 ? undefined : tried;
        },
        RESUMED_WITHIN_MS,
      );
      assert.deepEqual([answer.status, JSON.parse(answer.text)], [202, { accepted: 3 }]);
    }
    await world.cluster.startNode(gone);
    const last = world.events(tenant.id, [1]);
    await world.ingest(gone, last);
    const sent = [...committed, ...waiting, ...[...refused, ...last].map(({ id }) => id)];
    await waitFor(
      'all has arrived',
      () => inbox.ids.includes(sent.at(-1) ?? 0) || undefined,
      RESUMED_WITHIN_MS,
    );
    t.diagnostic(`${mustHaveArrived(inbox, sent, committed)} records came again`);
    await everyRecordOnce(tenant, path, sent.length);
    await world.cluster.calm();
  });

  test('stopped (SIGSTOP) under load: requests are refused in time, none is lost or stored twice', async (t) => {
    const { tenant, inbox, path, committed } = await running(1);
    const load = new SteadyEvents(world, tenant.id);
    t.after(() => load.stop());
    load.start();
    await world.effect('records flow', () => inbox.ids.length > 100);
    for (const server of SERVERS) world.cluster.nats.pause(server, true);
    const refused = world.events(tenant.id, [1]);
    await Promise.all(NODES.map((node) => mustBeRefused(node, `refused-${node}`, refused)));
    for (const server of SERVERS) world.cluster.nats.pause(server, false);
    const before = load.ids.length;
    await waitFor('records flow again', () => load.ids.length > before + 100 || undefined, RESUMED_WITHIN_MS);
    await load.stop();
    const all = [...committed, ...load.ids];
    const arrived = () => new Set(inbox.ids).size >= all.length || undefined;
    await waitFor('all has arrived', arrived, RESUMED_WITHIN_MS);
    // A request that was refused may have been stored: NATS stood still with it. Its repetition would tell.
    const came = new Set(inbox.ids);
    for (const { id } of refused) came.delete(id);
    assert.deepEqual([...came], all);
    const isCounted = ({ progress }: ShownStream) =>
      progress.delivered >= all.length && progress.pending === 0;
    await world.shownEverywhere('counters', tenant, path, isCounted);
  });

  test('one server of three: every request is taken, after a pause at most', async (t) => {
    const { tenant, inbox, committed } = await running(2);
    await world.cluster.calm();
    const load = new SteadyEvents(world, tenant.id);
    t.after(() => load.stop());
    load.start();
    for (const server of SERVERS) {
      const before = load.ids.length;
      await world.effect('records flow', () => load.ids.length > before + 50);
      await world.cluster.nats.kill(server);
      const without = load.ids.length;
      const started = performance.now();
      await waitFor(
        'records are taken',
        () => load.ids.length > without + 100 || undefined,
        RESUMED_WITHIN_MS,
      );
      t.diagnostic(`without server ${server} 100 records took ${Math.round(performance.now() - started)} ms`);
      await world.cluster.nats.restart(server);
      await world.cluster.calm();
    }
    await load.stop();
    const sent = [...committed, ...load.ids];
    await waitFor(
      'all has arrived',
      () => new Set(inbox.ids).size >= sent.length || undefined,
      RESUMED_WITHIN_MS,
    );
    t.diagnostic(`${mustHaveArrived(inbox, sent, committed)} records came again`);
  });
});
