import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DeliveryWishes } from '../../registry/data-stream.ts';
import { type Peer, TestWorld } from '../world.fixture.ts';

/** What an owner wants of order and pace, on a webhook that takes `records` a request. */

const SECOND = 1_000;
const DEVICES = 100;
const usage = (count: number, from = 1) =>
  Array.from({ length: count }, (_, index) => ({
    id: from + index,
    organisation: 1,
    endpoint: { id: ((from + index) % DEVICES) + 1 },
  }));

async function stream(records: number, delivery: DeliveryWishes, peer: Peer) {
  const w = new TestWorld({ gathering: { by: 'batch', records, bytes: 2 ** 20 } });
  await w.organisation(1);
  await w.start();
  await w.stream('a', peer, { delivery });
  return w;
}

/** Answers after 50 ms; what was taken, and how many requests were under way at most. */
function slowPeer(sleep: () => Promise<void>) {
  const taken: number[] = [];
  const state = { now: 0, most: 0, busy: new Set<number>(), faults: [] as string[] };
  const peer: Peer = async (ids) => {
    state.most = Math.max(state.most, ++state.now);
    for (const id of ids) {
      const device = id % DEVICES;
      if (state.busy.has(device)) state.faults.push(`two requests of device ${device} at a time`);
      state.busy.add(device);
    }
    await sleep();
    state.now--;
    for (const id of ids) state.busy.delete(id % DEVICES);
    taken.push(...ids);
    return { type: 'delivered' };
  };
  return { peer, taken, state };
}

function isInOrder(taken: readonly number[]): boolean {
  const last = new Map<number, number>();
  for (const id of taken) {
    if (id <= (last.get(id % DEVICES) ?? 0)) return false;
    last.set(id % DEVICES, id);
  }
  return true;
}

describe('ordering by device', () => {
  const after = async (delivery: DeliveryWishes) => {
    let w: TestWorld | undefined;
    const slow = slowPeer(() => (w as TestWorld).clock.sleep(50, new AbortController().signal));
    w = await stream(1, delivery, slow.peer);
    await w.append('usage', usage(800));
    await w.clock.advance(2 * SECOND);
    return slow;
  };

  test('16 requests at a time deliver at least 15 times what one does, in order for each device', async () => {
    const one = await after({});
    const many = await after({ ordering: 'device', maxInFlight: 16 });
    assert.equal(one.state.most, 1);
    assert.equal(many.state.most, 16);
    assert.ok(many.taken.length >= 15 * one.taken.length, `${many.taken.length} and ${one.taken.length}`);
    assert.ok(isInOrder(many.taken));
    assert.deepEqual(many.state.faults, []);
  });

  test('through failures and crashes: each record arrives, and first arrivals are in order for each device', async () => {
    const taken: number[] = [];
    let calls = 0;
    const peer: Peer = (ids) => {
      if (++calls % 5 === 0)
        return { type: 'retry', cause: { code: 'http_503', message: 'It answered 503.', remoteStatus: 503 } };
      taken.push(...ids);
      return { type: 'delivered' };
    };
    const w = await stream(10, { ordering: 'device', maxInFlight: 8 }, peer);
    for (let round = 0; round < 4; round++) {
      await w.append('usage', usage(200, 1 + round * 200));
      await w.clock.advance(SECOND);
      await w.crash();
      await w.start();
    }
    await w.clock.advance(600 * SECOND);
    const once = [...new Set(taken)];
    assert.equal(once.length, 800);
    assert.ok(isInOrder(once));
  });
});

test('a pace in records and in requests', async () => {
  for (const delivery of [{ maxRecordsPerSecond: 20 }, { maxRequestsPerSecond: 2 }]) {
    const taken: number[] = [];
    const w = await stream(10, delivery, (ids) => {
      taken.push(...ids);
      return { type: 'delivered' };
    });
    await w.append('usage', usage(500));
    await w.clock.advance(10 * SECOND);
    assert.ok(taken.length >= 180 && taken.length <= 220, `${JSON.stringify(delivery)}: ${taken.length}`);
  }
});

test('a batch waits for its records, at most so long', async () => {
  const requests: number[] = [];
  const w = await stream(100, { minRecords: 10, maxWaitMs: 5_000 }, (ids) => {
    requests.push(ids.length);
    return { type: 'delivered' };
  });
  await w.append('usage', usage(4));
  await w.clock.advance(4 * SECOND);
  assert.deepEqual(requests, []);
  await w.append('usage', usage(6, 5));
  await w.clock.advance(0);
  assert.deepEqual(requests, [10]);
  await w.append('usage', usage(3, 11));
  await w.clock.advance(4.9 * SECOND);
  assert.deepEqual(requests, [10]);
  await w.clock.advance(0.2 * SECOND);
  assert.deepEqual(requests, [10, 3]);
});

test('a change of these wishes takes effect, and repeats nothing', async () => {
  const taken: number[] = [];
  const w = await stream(10, { maxRecordsPerSecond: 10 }, (ids) => {
    taken.push(...ids);
    return { type: 'delivered' };
  });
  await w.append('usage', usage(200));
  await w.clock.advance(3 * SECOND);
  assert.ok(taken.length < 60);
  await w.change('a', { delivery: {} });
  await w.clock.advance(2 * SECOND);
  assert.deepEqual(
    taken,
    usage(200).map(({ id }) => id),
  );
});
