import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { progressKey } from '../registry/data-stream.ts';
import { createMemoryRegistry } from '../registry/memory.ts';
import type { Json } from '../registry/registry.ts';
import { createStreamGauges } from './stream-gauges.ts';

test('counts the streams of the partitions that this node holds, what waits for them, and the oldest of it', async () => {
  const clock = new ManualClock();
  const registry = createMemoryRegistry();
  const now = clock.now();
  const streams: [id: string, desired: 'running' | 'paused', state: string | undefined, more?: object][] = [
    ['a', 'running', 'running'],
    ['b', 'running', 'running', { retrying: { tries: 3 }, pending: 5, oldestPendingAt: now - 40_000 }],
    ['c', 'running', 'error', { pending: 7, oldestPendingAt: now - 90_000 }],
    ['d', 'paused', 'running'],
    ['e', 'running', undefined],
    ['f', 'running', 'paused'],
  ];
  const summaries = streams.map(([id, desired]) => [
    `stream.1.${id}`,
    { id, organisationId: 1, partition: 2, desired, generation: 1 },
  ]);
  for (const [id, , state, more] of streams) {
    if (!state) continue;
    const document = {
      status: { state },
      generation: 1,
      pending: 0,
      oldestPendingAt: null,
      retrying: null,
      ...more,
    };
    await registry.put(progressKey({ partition: 2, organisationId: 1, id }), document as unknown as Json);
    // Of another partition, which another node holds; and of a job beside the stream.
    await registry.put(progressKey({ partition: 3, organisationId: 1, id }), document as unknown as Json);
    const job = { name: 'replay-1' };
    await registry.put(
      progressKey({ partition: 2, organisationId: 1, id, job }),
      document as unknown as Json,
    );
  }
  const gauges = new Map<string, () => unknown>();
  const stop = new AbortController();
  const running = createStreamGauges({
    registry,
    directory: { inPartition: (partition) => (partition === 2 ? summaries : []) as never },
    nodes: {
      snapshot: () => ({ nodes: [{ self: true, partitions: [{ partition: 2 }] }], unheld: [] }) as never,
      subscribe: () => () => {},
    },
    clock,
    telemetry: { observe: ({ name, read }) => gauges.set(name, read) },
  }).run(stop.signal);
  while (clock.waiting === 0) await nextTurn();
  assert.deepEqual(gauges.get('simstream_streams')?.(), {
    running: 1,
    retrying: 1,
    paused: 1,
    error: 1,
    pending: 2,
  });
  assert.equal(gauges.get('simstream_pending_records')?.(), 12);
  assert.equal(gauges.get('simstream_oldest_pending_seconds')?.(), 90);
  stop.abort();
  await running;
});
