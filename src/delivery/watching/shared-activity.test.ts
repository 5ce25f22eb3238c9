import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Exchange } from '../../destinations/contract.ts';
import type { Leases } from '../../leases/leases.ts';
import type { NodeCalls } from '../../leases/node-calls.ts';
import { ManualClock } from '../../lib/manual-clock.fixture.ts';
import { ALWAYS } from '../../lib/permit.ts';
import { createMemoryRegistry } from '../../registry/memory.ts';
import type { Json, Registry } from '../../registry/registry.ts';
import { loadStreamDirectory } from '../partition/stream-directory.ts';
import type { Attempt, StreamSummary } from '../stream/stream-context.ts';
import { activityKey, createActivity } from './activity.ts';
import { shareActivity } from './shared-activity.ts';

const STREAM = { organisationId: 7, id: 's1', partition: 3 };

const EXCHANGE: Exchange = {
  method: 'POST',
  url: 'https://example.com/in',
  headers: [['content-type', 'application/json']],
  body: { text: 'secret record', cut: false },
  answer: { status: 200, headers: [], body: { text: '', cut: false } },
};

/** Nodes that hear each other. */
function network() {
  const listeners = new Map<string, (question: Json) => Promise<Json>>();
  const calls: NodeCalls = {
    answer: (topic, reply) => {
      listeners.set(topic, reply);
      return () => {
        if (listeners.get(topic) === reply) listeners.delete(topic);
      };
    },
    ask: async (topic, question) => {
      const reply = listeners.get(topic);
      // As it is between processes: nothing is shared.
      return reply && JSON.parse(JSON.stringify(await reply(question)));
    },
  };
  return calls;
}

async function startNode(registry: Registry, calls: NodeCalls, clock: ManualClock) {
  const activity = createActivity(registry, clock);
  const directory = await loadStreamDirectory(registry, new AbortController().signal);
  const lease = new AbortController();
  /** Grants the partition at once, until the test takes it away. */
  const leases: Leases = { hold: (_, run) => run(STREAM.partition, 1, lease.signal, ALWAYS) };
  const shared = shareActivity({ activity, leases, calls, directory });
  let holding = Promise.resolve();
  return {
    activity,
    shared,
    of: async () => (await shared.of(STREAM)).attempts.map(({ deliveryId }) => deliveryId),
    hold: () => {
      const run = (_partition: number, _epoch: number, signal: AbortSignal) =>
        new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      holding = shared.leases.hold(16, run, lease.signal);
    },
    giveUp: () => {
      lease.abort();
      return holding;
    },
  };
}

function attempt(deliveryId: string): Attempt {
  return {
    stream: STREAM as unknown as StreamSummary,
    connectionType: 'RestAPI',
    deliveryId,
    records: 1,
    bytes: 10,
    startedAt: 0,
    durationMs: 1,
    latencyMs: 1,
    tries: 1,
    outcome: { type: 'delivered' },
  };
}

describe('what a stream did lately', () => {
  test('is told by any node while one holds its partition, and by the next holder', async () => {
    const registry = createMemoryRegistry();
    const calls = network();
    const clock = new ManualClock();
    const [a, b] = [await startNode(registry, calls, clock), await startNode(registry, calls, clock)];
    a.hold();
    a.activity.attempted(attempt('first'));
    assert.deepEqual(await a.of(), ['first']);
    assert.deepEqual(await b.of(), ['first'], 'nothing of it was written yet');

    await a.giveUp();
    b.hold();
    b.activity.attempted(attempt('second'));
    assert.deepEqual(await a.of(), ['second', 'first']);
    assert.deepEqual(await b.of(), ['second', 'first']);
  });

  test('includes the request and answer of an attempt, as long as its node keeps them', async () => {
    const registry = createMemoryRegistry();
    const calls = network();
    const clock = new ManualClock();
    const [a, b] = [await startNode(registry, calls, clock), await startNode(registry, calls, clock)];
    a.hold();
    a.activity.attempted(attempt('without'));
    a.activity.attempted({ ...attempt('with'), exchange: EXCHANGE });
    for (const node of [a, b]) {
      const [last, first] = (await node.shared.of(STREAM)).attempts;
      assert.deepEqual([last?.hasExchange, first?.hasExchange], [true, undefined]);
      assert.deepEqual(await node.shared.exchange(STREAM, last?.id as string), EXCHANGE);
      assert.equal(await node.shared.exchange(STREAM, first?.id as string), undefined);
      assert.equal(await node.shared.exchange({ ...STREAM, id: 's2' }, last?.id as string), undefined);
    }
    await a.activity.persist();
    const { value } = (await registry.get(activityKey(7, 's1'))) as { value: Json };
    assert.doesNotMatch(JSON.stringify(value), /secret record/);
    await a.activity.forget(7, 's1');
    assert.equal((await b.shared.of(STREAM)).attempts.length, 0);
  });

  test('is what was written last while the node that holds the partition does not answer', async () => {
    const registry = createMemoryRegistry();
    const clock = new ManualClock();
    const silent: NodeCalls = { answer: () => () => {}, ask: async () => undefined };
    const [a, b] = [await startNode(registry, silent, clock), await startNode(registry, silent, clock)];
    a.hold();
    a.activity.attempted(attempt('first'));
    assert.deepEqual(await b.of(), []);
    await a.activity.persist();
    assert.deepEqual(await b.of(), ['first']);
  });

  test('is gone with a stream that was deleted on another node', async () => {
    const registry = createMemoryRegistry();
    const calls = network();
    const a = await startNode(registry, calls, new ManualClock());
    a.hold();
    await registry.put('stream.7.s1', { ...STREAM, filters: [] });
    a.activity.attempted(attempt('first'));
    await registry.delete('stream.7.s1');
    await a.giveUp();
    assert.equal(await registry.get(activityKey(7, 's1')), undefined);
  });
});
