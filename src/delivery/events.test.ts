import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Outcome } from '../destinations/contract.ts';
import { settle } from '../lib/manual-clock.fixture.ts';
import { type Peer, TestWorld } from './world.fixture.ts';

/** Each event of a stream's life, in states in which it is easily forgotten. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DELIVERED: Outcome = { type: 'delivered' };
const fault = (code: string, remoteStatus?: number, afterMs?: number): Outcome => ({
  type: 'retry',
  cause: { code, message: `It said ${code}.`, ...(remoteStatus ? { remoteStatus } : {}) },
  ...(afterMs ? { afterMs } : {}),
});
const usage = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ id: from + index, organisation: 1 }));
const ids = (from: number, to: number) => usage(from, to).map((record) => record.id);

async function world(options: ConstructorParameters<typeof TestWorld>[0] = {}): Promise<TestWorld> {
  const created = new TestWorld(options);
  await created.organisation(1);
  await created.start();
  return created;
}

/** Other organisations take all memory for requests: each may have half of what is left. */
function allOf(w: TestWorld) {
  const held: ReturnType<typeof w.healthy.ask>[] = [];
  for (const amount of [2 ** 20, 2 ** 10, 1]) {
    for (let organisation = 10; organisation < 100; organisation++) {
      let share = w.healthy.ask(organisation, 'other', amount, () => {});
      for (; share.granted; share = w.healthy.ask(organisation, 'other', amount, () => {})) held.push(share);
      share.release();
    }
  }
  return held;
}

/** A peer that hangs until it is told what to answer, or its signal aborts. */
function hanging() {
  const requests: { ids: readonly number[]; deliveryId: string; answer: (outcome: Outcome) => void }[] = [];
  const aborted: number[] = [];
  const peer: Peer = (got, batch, signal) =>
    new Promise((resolve) => {
      const number = requests.push({ ids: got, deliveryId: batch.deliveryId, answer: resolve });
      signal.addEventListener('abort', () => {
        aborted.push(number);
        resolve(fault('aborted'));
      });
    });
  return { requests, aborted, peer };
}

function recorder(answer: (got: readonly number[]) => Outcome = () => DELIVERED) {
  const state = { answer, taken: [] as number[], sizes: [] as number[], ids: [] as string[] };
  const peer: Peer = (got, batch) => {
    const outcome = state.answer(got);
    state.sizes.push(got.length);
    state.ids.push(batch.deliveryId);
    if (outcome.type === 'delivered') state.taken.push(...got);
    return outcome;
  };
  return { peer, state };
}

describe('the retention', () => {
  test('takes what is due though the stream is always in flight, and each record has one fate', async () => {
    const w = await world({ retentionMs: 30 * SECOND });
    const taken: number[] = [];
    await w.stream('a', async (got) => {
      await w.clock.sleep(3 * SECOND * got.length);
      taken.push(...got);
      return DELIVERED;
    });
    w.gathering = { by: 'batch', records: 1, bytes: 1_000 };
    let id = 0;
    for (let second = 0; second < 300; second++) {
      for (let record = 0; record < 2; record++) await w.append('usage', [{ id: ++id, organisation: 1 }]);
      await w.clock.advance(SECOND);
    }
    await w.clock.advance(SECOND);
    const { counters, pending } = await w.progress('a');
    assert.ok(counters.expired > 300, `${counters.expired} expired`);
    assert.ok(taken.length > 80, `${taken.length} delivered`);
    assert.equal(new Set(taken).size, taken.length, 'none came twice');
    assert.equal(counters.delivered + counters.expired + pending, id);
    const { first, next } = await w.log.extent(0);
    assert.ok(next - first < 200, `${next - first} blocks are left`);
    assert.equal(
      w.expired.reduce((sum, { records }) => sum + records, 0),
      counters.expired,
    );
  });

  test('a request in flight about what has expired: its answer decides', async () => {
    for (const answer of [DELIVERED, fault('http_503', 503)]) {
      const w = await world({ retentionMs: 30 * SECOND });
      const { requests, peer } = hanging();
      await w.stream('a', peer);
      await w.append('usage', usage(1, 4));
      await w.clock.advance(2 * MINUTE);
      assert.equal((await w.log.extent(0)).first, 2, 'the block went');
      requests[0]?.answer(answer);
      await w.clock.advance(SECOND);
      const { counters, pending } = await w.progress('a');
      const [delivered, expired]: number[] = answer === DELIVERED ? [4, 0] : [0, 4];
      assert.deepEqual([counters.delivered, counters.expired, pending], [delivered, expired, 0]);
      assert.equal(requests.length, 1);
    }
  });

  test('passes over records that wait for memory: they have expired, and the grant that follows is given back', async () => {
    const w = await world({ retentionMs: 30 * SECOND });
    const { peer, state } = recorder();
    await w.stream('a', peer);
    const held = allOf(w);
    await w.append('usage', usage(1, 4));
    await w.clock.advance(2 * MINUTE);
    for (const share of held) share.release();
    await w.clock.advance(SECOND);
    const { counters, cursor, pending } = await w.progress('a');
    assert.deepEqual([counters.expired, counters.delivered, pending], [4, 0, 0]);
    assert.deepEqual(state.taken, []);
    assert.deepEqual(cursor, { sequence: 2, index: 0 });
    assert.equal(w.healthy.used, 0);
  });

  test('a gap that the store made by itself is counted when it is met', async () => {
    const w = await world();
    const { peer, state } = recorder();
    await w.stream('a', peer, { desired: 'paused' });
    for (let block = 0; block < 10; block++) await w.append('usage', usage(block * 10 + 1, block * 10 + 10));
    await w.log.trim(0, 8);
    await w.change('a', { desired: 'running' });
    await w.clock.advance(SECOND);
    const { counters, pending, lastError } = await w.progress('a');
    assert.deepEqual(state.taken, ids(71, 100));
    assert.deepEqual([counters.expired, counters.delivered, pending], [70, 30, 0]);
    assert.match(lastError?.message ?? '', /^70 records that arrived in the hour/);
  });

  test('a gap that the holder before has left, whose accounts were not durable, is counted when the next block goes', async () => {
    const w = await world({ retentionMs: 600 * SECOND });
    const { peer, state } = recorder();
    await w.stream('a', peer, { desired: 'paused' });
    for (let block = 0; block < 4; block++) {
      await w.append('usage', usage(10 * block, 10 * block + 2));
      await w.clock.advance(100 * SECOND);
    }
    assert.equal((await w.progress('a')).pending, 12);
    const stored = w.registry.putMany;
    w.registry.putMany = () => new Promise(() => {});
    await w.clock.advance(380 * SECOND);
    assert.equal((await w.log.extent(0)).first, 3, 'two blocks went');
    w.registry.putMany = stored;
    await w.crash();
    await w.start();
    await w.clock.advance(100 * SECOND);
    assert.equal((await w.log.extent(0)).first, 4, 'another one went');
    await w.change('a', { desired: 'running' });
    await w.clock.advance(10 * SECOND);
    assert.deepEqual(state.taken, [30, 31, 32]);
    const { counters, pending } = await w.progress('a');
    assert.deepEqual([counters.delivered, counters.expired, pending], [3, 9, 0]);
  });

  test('all of it is gone', async () => {
    const w = await world();
    const { peer } = recorder();
    await w.stream('a', peer, { desired: 'paused' });
    await w.append('usage', usage(1, 10));
    await w.log.trim(0, 2);
    await w.change('a', { desired: 'running' });
    await w.append('usage', usage(11, 12));
    await w.clock.advance(SECOND);
    const { counters, pending } = await w.progress('a');
    assert.deepEqual([counters.expired, counters.delivered, pending], [10, 2, 0]);
  });
});

/** A paused stream with three blocks of ten records; these blocks are damaged while no node runs, then it is resumed. */
async function resumedAfterDamage(...damaged: readonly number[]) {
  const w = await world();
  const { peer, state } = recorder();
  await w.stream('a', peer, { desired: 'paused' });
  for (const from of [1, 11, 21]) await w.append('usage', usage(from, from + 9));
  await w.clock.advance(SECOND);
  await w.crash();
  for (const sequence of damaged) w.damageIndex(sequence);
  await w.start();
  await w.change('a', { desired: 'running' });
  await w.clock.advance(5 * SECOND);
  return { w, state };
}

test('a block whose index is damaged: its records are counted, and the customer reads why', async () => {
  const { w, state } = await resumedAfterDamage(2);
  assert.deepEqual(state.taken, [...ids(1, 10), ...ids(21, 30)]);
  const { counters, pending, lastError, unreadableBlocks } = await w.progress('a');
  assert.deepEqual([counters.expired, pending, unreadableBlocks], [10, 0, 1]);
  assert.equal(lastError?.code, 'unreadable');
  assert.match(lastError?.message ?? '', /^10 records cannot be delivered: 1 blocks of the record log/);
});

test('two damaged blocks, one behind the other: the records of each are counted once', async () => {
  const { w, state } = await resumedAfterDamage(2, 3);
  assert.deepEqual(state.taken, ids(1, 10));
  const { counters, pending, unreadableBlocks } = await w.progress('a');
  assert.deepEqual([counters.expired, pending, unreadableBlocks], [20, 0, 2]);
});

describe('another filter in the middle of a block', () => {
  const types = (value: number) => [{ field: 'event_type_id', value: [value] }];
  const events = [2, 1, 2, 1, 2, 1].map((eventType, id) => ({ id, organisation: 1, eventType }));

  for (const way of ['while the node runs', 'while no node holds the partition'] as const)
    test(`${way}: decides anew about what has no fate, and about nothing else`, async () => {
      const w = await world({ gathering: { by: 'batch', records: 1, bytes: 2 ** 20 } });
      const { peer, state } = recorder(([id]) => (id === 3 ? fault('http_503', 503) : DELIVERED));
      await w.stream('a', peer, { kind: 'event', filters: types(1) });
      await w.append('event', events);
      await w.clock.advance(SECOND);
      // 0 did not pass, 1 was delivered, 2 did not pass, 3 fails.
      const { cursor, counters } = await w.progress('a');
      assert.deepEqual([cursor.index, counters.delivered, counters.filtered], [3, 1, 2]);
      if (way === 'while the node runs') await w.change('a', { filters: types(2) });
      else {
        await w.stop();
        await w.change('a', { filters: types(2) });
        await w.start();
      }
      await w.clock.advance(10 * SECOND);
      assert.deepEqual(state.taken, [1, 4]);
      const after = await w.progress('a');
      assert.deepEqual(
        [after.counters.delivered, after.counters.filtered, after.pending, after.waiting],
        [2, 4, 0, 0],
      );
    });
});

describe('what a stream that had caught up did not want', () => {
  for (const between of ['nothing', 'a pause', 'a failure'])
    test(`stays so when the relation changes, with ${between} before`, async () => {
      const w = await world();
      await w.organisation(2, 1, 1);
      const { peer, state } = recorder();
      await w.stream('a', peer);
      await w.append('usage', usage(1, 3));
      await w.clock.advance(SECOND);
      await w.append('usage', [{ id: 11, organisation: 2 }]);
      await w.clock.advance(SECOND);
      if (between === 'a pause') await w.change('a', { desired: 'paused' });
      if (between === 'a failure') {
        w.peer('a', () => ({ type: 'retry', cause: { code: 'http_503', message: '503' } }));
        await w.append('usage', usage(4, 4));
        await w.clock.advance(SECOND);
        w.peer('a', peer);
      }
      await w.change('a', { relation: 3, desired: 'running', generation: 2 });
      await w.append('usage', [{ id: 12, organisation: 2 }]);
      await w.clock.advance(10 * SECOND);
      assert.deepEqual(state.taken, between === 'a failure' ? [1, 2, 3, 4, 12] : [1, 2, 3, 12]);
      assert.equal((await w.progress('a')).pending, 0);
    });
});

test('records taken with an earlier filter go back, and one of them does not pass now: a gap took none of them', async () => {
  const w = await world();
  const { peer, requests } = hanging();
  const types = (...value: number[]) => [{ field: 'event_type_id', value }];
  await w.stream('a', peer, { kind: 'event', filters: types(1, 2) });
  await w.append('event', [
    { id: 0, organisation: 1, eventType: 1 },
    { id: 1, organisation: 1, eventType: 2 },
  ]);
  await w.clock.advance(SECOND);
  await w.change('a', { filters: types(1) });
  await w.clock.advance(SECOND);
  requests[0]?.answer(fault('http_503', 503));
  await settle();
  await w.change('a', { desired: 'paused' });
  await w.append('event', [{ id: 2, organisation: 1, eventType: 3 }]);
  await w.clock.advance(SECOND);
  await w.crash();
  w.damageIndex(2);
  await w.start();
  const { peer: other, state } = recorder();
  w.peer('a', other);
  await w.change('a', { desired: 'running' });
  await w.clock.advance(10 * SECOND);
  assert.deepEqual(state.taken, [0]);
  const { counters, pending } = await w.progress('a');
  assert.deepEqual([counters.delivered, counters.expired, pending], [1, 0, 0]);
});

describe('what waits', () => {
  test('and is of another organisation since the relation changed: nothing waits, also after a take-over', async () => {
    const w = await world({ gathering: { by: 'file', records: 100, intervalMs: HOUR } });
    const { peer } = recorder();
    await w.stream('a', peer);
    await w.append('usage', usage(1, 3));
    await w.clock.advance(SECOND);
    assert.equal((await w.progress('a')).pending, 3);
    await w.crash();
    await w.change('a', { relation: 2 });
    await w.start();
    await w.clock.advance(SECOND);
    assert.equal((await w.progress('a')).pending, 0);
  });

  for (const then of ['the destination changes', 'another node takes over'])
    test(`is counted with the present filter though it was in flight with another one, when ${then}`, async () => {
      const w = await world();
      const filters = [{ field: 'event_type_id', value: [1] }];
      await w.stream('a', () => fault('http_503', 503), { kind: 'event' });
      await w.append(
        'event',
        [1, 2].map((eventType, id) => ({ id, organisation: 1, eventType })),
      );
      let answer = (_: Outcome) => {};
      w.peer('a', () => new Promise((resolve) => (answer = resolve)));
      await w.clock.advance(5 * SECOND);
      await w.change('a', { filters });
      answer(fault('http_503', 503));
      await w.clock.advance(SECOND);
      await w.change('a', { desired: 'paused' });
      answer(fault('http_503', 503));
      await w.clock.advance(SECOND);
      if (then === 'the destination changes') await w.change('a', { sealedCredentials: 'others' });
      else {
        await w.crash();
        await w.start();
      }
      await w.clock.advance(SECOND);
      const { pending, waiting } = await w.progress('a');
      assert.deepEqual([pending, waiting], [1, 2]);
    });

  test('is counted anew when the filter was changed while no node held the partition', async () => {
    const w = await world();
    const { peer } = recorder();
    await w.stream('a', peer, { kind: 'event', desired: 'paused' });
    await w.append(
      'event',
      [1, 2, 3, 1].map((eventType, id) => ({ id, organisation: 1, eventType })),
    );
    await w.clock.advance(SECOND);
    await w.stop();
    await w.change('a', { filters: [{ field: 'event_type_id', value: [1] }] });
    await w.start();
    await w.append('event', [{ id: 9, organisation: 1, eventType: 1 }]);
    await w.clock.advance(SECOND);
    const { pending, waiting } = await w.progress('a');
    assert.deepEqual([pending, waiting], [3, 5]);
    await w.change('a', { desired: 'running' });
    await w.clock.advance(SECOND);
    const after = await w.progress('a');
    assert.deepEqual([after.pending, after.waiting, after.counters.filtered], [0, 0, 2]);
  });

  test('adds up while a stream with a filter is paused: what was not looked at is waiting', async () => {
    const w = await world();
    const { peer } = recorder();
    await w.stream('a', peer, { kind: 'event', filters: [{ field: 'event_type_id', value: [1] }] });
    await w.append(
      'event',
      [1, 2].map((eventType, id) => ({ id, organisation: 1, eventType })),
    );
    await w.clock.advance(SECOND);
    await w.change('a', { desired: 'paused' });
    await w.append(
      'event',
      [1, 2, 2].map((eventType, id) => ({ id, organisation: 1, eventType })),
    );
    await w.clock.advance(SECOND);
    const { counters, pending, waiting } = await w.progress('a');
    assert.equal(counters.delivered + counters.filtered + (waiting ?? 0), 5);
    assert.deepEqual([pending, waiting], [1, 3]);
  });

  test('the oldest record that waits says since when, also of a stream that keeps up', async () => {
    const w = await world();
    const { requests, peer } = hanging();
    await w.stream('a', peer);
    for (let second = 0; second < 600; second++) {
      await w.append('usage', usage(second, second));
      await w.clock.advance(SECOND);
      if (second % 3 === 2) requests[requests.length - 1]?.answer(DELIVERED);
      await settle();
    }
    const { oldestPendingAt } = await w.progress('a');
    assert.ok(w.clock.now() - (oldestPendingAt ?? w.clock.now()) <= 7 * SECOND);
  });
});

describe('a change takes effect in the same moment', () => {
  test('while a request hangs: it gets five seconds, and then what it was about goes to the new destination', async () => {
    const w = await world();
    const { requests, aborted, peer } = hanging();
    await w.stream('a', peer);
    await w.append('usage', usage(1, 3));
    await settle();
    assert.equal(requests.length, 1);
    const { peer: good, state } = recorder();
    w.peer('a', good);
    await w.change('a', { sealedCredentials: 'other', generation: 2 });
    await w.clock.advance(4.9 * SECOND);
    assert.deepEqual([aborted, state.taken], [[], []]);
    await w.clock.advance(0.1 * SECOND);
    assert.deepEqual(aborted, [1]);
    assert.deepEqual(state.taken, [1, 2, 3]);
    await w.clock.advance(SECOND);
    assert.equal((await w.progress('a')).counters.delivered, 3);
    assert.equal(w.attempts.length, 1, 'what was cancelled is charged to nobody');
  });

  test('after Retry-After: 600', async () => {
    const w = await world();
    const { requests, peer } = hanging();
    await w.stream('a', peer);
    await w.append('usage', usage(1, 3));
    await settle();
    requests[0]?.answer(fault('http_503', 503, 600 * SECOND));
    await settle();
    const { peer: good, state } = recorder();
    w.peer('a', good);
    await w.change('a', { sealedCredentials: 'other', generation: 2 });
    await settle();
    assert.deepEqual(state.taken, [1, 2, 3]);
  });

  for (const wanted of ['paused', 'deleted', 'stopped'] as const)
    test(`while memory is waited for: ${wanted}`, async () => {
      const w = await world();
      const { peer, state } = recorder();
      await w.stream('a', peer);
      const held = allOf(w);
      await w.append('usage', usage(1, 3));
      await settle();
      if (wanted === 'paused') {
        await w.change('a', { desired: 'paused' });
        await w.clock.advance(SECOND);
        assert.equal((await w.progress('a')).status.state, 'paused');
      } else if (wanted === 'deleted') await w.remove('a');
      else await w.stop();
      for (const share of held) share.release();
      await w.clock.advance(SECOND);
      assert.deepEqual(state.taken, []);
      assert.equal(w.healthy.used, 0, 'nothing is held');
    });

  test('a restart while a request hangs begins anew', async () => {
    const w = await world();
    const { requests, peer } = hanging();
    await w.stream('a', peer);
    await w.append('usage', usage(1, 3));
    await settle();
    await w.change('a', { generation: 2 });
    await settle();
    assert.equal(requests.length, 2);
    assert.equal(requests[0]?.deliveryId, requests[1]?.deliveryId);
  });
});

describe('a stop', () => {
  test('commits what was taken of a request: the rest comes after the start, and nothing twice', async () => {
    const w = await world();
    const { requests, peer } = hanging();
    await w.stream('a', peer);
    await w.append('usage', usage(1, 100));
    await settle();
    const stopping = w.stop();
    const cause = { code: 'stopping', message: 'Stopped.' };
    requests[0]?.answer({
      type: 'partial',
      failures: ids(61, 100).map((_, at) => ({ index: 60 + at, verdict: 'retry' as const, cause })),
    });
    await w.clock.advance(SECOND);
    await stopping;
    const { peer: good, state } = recorder();
    w.peer('a', good);
    await w.start();
    await w.clock.advance(SECOND);
    assert.deepEqual(state.taken, ids(61, 100));
    assert.equal((await w.progress('a')).counters.delivered, 100);
  });

  test('gives what is in flight its grace time, and charges nothing to the destination', async () => {
    const w = await world();
    const { aborted, peer } = hanging();
    await w.stream('a', peer);
    await w.append('usage', usage(1, 3));
    await settle();
    const stopping = w.stop();
    await w.clock.advance(9 * SECOND);
    assert.deepEqual(aborted, []);
    await w.clock.advance(2 * SECOND);
    await stopping;
    assert.deepEqual(aborted, [1]);
    assert.deepEqual(w.attempts, []);
    assert.equal((await w.progress('a')).retrying, null);
    assert.equal((await w.progress('a')).lastError, null);
  });
});

describe('the delivery id is the same in every retry', () => {
  test('also when memory was full in between', async () => {
    const w = await world();
    const { peer, state } = recorder(() => fault('http_429', 429));
    await w.stream('a', peer, { desired: 'paused' });
    for (let block = 0; block < 5; block++) await w.append('usage', usage(block * 2 + 1, block * 2 + 2));
    await w.change('a', { desired: 'running' });
    await settle();
    const full = Object.defineProperty(w.waiting, 'full', { get: () => true });
    await w.clock.advance(MINUTE);
    assert.ok(state.ids.length > 3 && full);
    assert.deepEqual([...new Set(state.ids)], ['a-1.0-5.1-10']);
  });

  test('also after a restart of the node, though more has come since', async () => {
    const w = await world();
    const { peer, state } = recorder(() => fault('http_429', 429));
    await w.stream('a', peer);
    await w.append('usage', usage(1, 10));
    await w.clock.advance(10 * SECOND);
    await w.stop();
    await w.append('usage', usage(11, 20));
    await w.start();
    await w.clock.advance(10 * MINUTE);
    assert.deepEqual([...new Set(state.ids)], ['a-1.0-1.9-10']);
    state.answer = () => DELIVERED;
    await w.clock.advance(6 * MINUTE);
    assert.deepEqual(state.taken, ids(1, 20));
  });
});

describe('time', () => {
  test('a file that is due waits no longer because the clock was set back', async () => {
    const stored: number[] = [];
    const w = await world({
      gathering: { by: 'file', records: 1_000, intervalMs: 10 * SECOND },
      destination: {
        takes: 'files',
        verify: async () => ({ type: 'reachable' }),
        close: async () => {},
        store: async ({ count }) => {
          stored.push(count);
          return DELIVERED;
        },
      },
    });
    await w.stream('a', () => DELIVERED);
    await w.append('usage', usage(1, 3));
    await w.clock.advance(SECOND);
    w.clock.jump(-HOUR);
    await w.clock.advance(10 * SECOND);
    assert.deepEqual(stored, [3]);
  });

  test('the retry window counts time in which it was tried, whatever the clock says', async () => {
    const w = await world();
    const { peer } = recorder(() => fault('http_503', 503));
    await w.stream('a', peer);
    await w.append('usage', usage(1, 3));
    await w.clock.advance(MINUTE);
    w.clock.jump(25 * HOUR);
    await w.clock.advance(10 * MINUTE);
    assert.equal((await w.progress('a')).status.state, 'running');
    await w.stop();
    await w.clock.advance(25 * HOUR);
    await w.start();
    await w.clock.advance(10 * MINUTE);
    assert.equal((await w.progress('a')).status.state, 'running', 'a day in which no node ran');
    await w.clock.advance(24 * HOUR);
    assert.equal((await w.progress('a')).status.state, 'error');
  });

  test('a clock that is days ahead for less than an hour deletes nothing; one that stays there is believed', async () => {
    for (const [minutes, expired] of [
      [50, 0],
      [63, 3],
    ] as const) {
      const w = await world({ retentionMs: 48 * HOUR });
      const { peer } = recorder();
      await w.stream('a', peer, { desired: 'paused' });
      await w.append('usage', usage(1, 3));
      await w.clock.advance(MINUTE);
      w.clock.jump(100 * HOUR);
      await w.clock.advance(minutes * MINUTE);
      w.clock.jump(-100 * HOUR);
      await w.clock.advance(5 * MINUTE);
      assert.equal((await w.progress('a')).counters.expired, expired, `${minutes} min`);
    }
  });
});

test('a file that was stored before a crash is stored again with the same records', async () => {
  const files: { first: number; count: number }[] = [];
  const w = await world({
    gathering: { by: 'file', records: 1_000, intervalMs: SECOND },
    destination: {
      takes: 'files',
      verify: async () => ({ type: 'reachable' }),
      close: async () => {},
      store: async ({ first, count }) => {
        files.push({ first: first.sequence, count });
        return files.length === 1 ? new Promise<never>(() => {}) : DELIVERED;
      },
    },
  });
  await w.stream('a', () => DELIVERED);
  await w.append('usage', usage(1, 5));
  await w.clock.advance(2 * SECOND);
  assert.deepEqual(files, [{ first: 1, count: 5 }]);
  await w.crash();
  await w.append('usage', usage(6, 8));
  await w.start();
  await w.clock.advance(10 * SECOND);
  assert.deepEqual(files.slice(1), [
    { first: 1, count: 5 },
    { first: 2, count: 3 },
  ]);
});
