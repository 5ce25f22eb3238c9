import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Cause, Outcome } from '../destinations/contract.ts';
import { settle } from '../lib/manual-clock.fixture.ts';
import { HISTORY, historyKey } from '../registry/data-stream.ts';
import { stateHistory } from '../registry/history.ts';
import { DEFAULT_RETRY } from './stream/retry.ts';
import { type Peer, TestWorld } from './world.fixture.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const busy: Outcome = {
  type: 'retry',
  cause: { code: 'http_500', message: 'It answered 500.', remoteStatus: 500 },
};
const unauthorized: Cause = { code: 'http_401', message: 'It answered 401.', remoteStatus: 401 };

/** A peer that takes everything and remembers it, unless `answer` says otherwise. */
function recorder(answer: (ids: readonly number[]) => Outcome = () => ({ type: 'delivered' })) {
  const batches: { ids: readonly number[]; deliveryId: string }[] = [];
  const state = { answer, taken: [] as number[] };
  const peer: Peer = (ids, batch) => {
    batches.push({ ids, deliveryId: batch.deliveryId });
    const outcome = state.answer(ids);
    if (outcome.type === 'delivered') state.taken.push(...ids);
    return outcome;
  };
  return { peer, batches, state };
}

const usage = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ id: from + index, organisation: 1 }));
const ids = (from: number, to: number) => usage(from, to).map((record) => record.id);

async function world(...options: ConstructorParameters<typeof TestWorld>): Promise<TestWorld> {
  const created = new TestWorld(...options);
  await created.organisation(1);
  await created.start();
  return created;
}

describe('batching', () => {
  test('an idle stream gets a record at once, and what gathers while one delivery is in flight goes with the next', async () => {
    const w = await world();
    const answers: ((outcome: Outcome) => void)[] = [];
    const seen: (readonly number[])[] = [];
    await w.stream('a', (batch) => {
      seen.push(batch);
      return new Promise((resolve) => answers.push(resolve));
    });
    await w.append('usage', usage(1, 1));
    await settle();
    assert.deepEqual(seen, [[1]]);
    for (let id = 2; id <= 5; id++) await w.append('usage', usage(id, id));
    await settle();
    assert.equal(seen.length, 1, 'one delivery at a time');
    answers[0]?.({ type: 'delivered' });
    await settle();
    assert.deepEqual(seen[1], [2, 3, 4, 5]);
    answers[1]?.({ type: 'delivered' });
    await w.clock.advance(1_000);
    assert.equal((await w.progress('a')).counters.delivered, 5);
  });

  test('batches keep to the limits of records and bytes', async () => {
    const w = await world({ gathering: { by: 'batch', records: 7, bytes: 120 } });
    const { peer, batches, state } = recorder();
    await w.stream('a', peer, { desired: 'paused' });
    await w.append('usage', usage(1, 50));
    await w.change('a', { desired: 'running' });
    await w.clock.advance(1_000);
    assert.deepEqual(state.taken, ids(1, 50));
    for (const batch of batches) {
      const bytes = batch.ids.map((id) => JSON.stringify({ id, organisation: 1 })).join(',').length;
      assert.ok(batch.ids.length <= 7 && bytes <= 120, `${batch.ids.length} records, ${bytes} bytes`);
    }
  });
});

describe('failures', () => {
  test('500 for an hour: everything is delivered in order afterwards, and the stream stays Running and says why', async () => {
    const w = await world();
    const { peer, batches, state } = recorder(() => busy);
    await w.stream('a', peer);
    await w.append('usage', usage(1, 10));
    await w.clock.advance(30 * MINUTE);
    const during = await w.progress('a');
    assert.equal(during.status.state, 'running');
    assert.match(during.status.message, /Retrying since 2026-01-01T00:00:00.000Z: It answered 500\./);
    assert.equal(during.pending, 10);
    assert.equal(during.lastError?.code, 'http_500');
    await w.append('usage', usage(11, 20));
    await w.clock.advance(30 * MINUTE);
    assert.ok(batches.length > 10 && batches.length < 100, `${batches.length} tries in an hour`);
    const tries = new Map<string, number>();
    for (const { deliveryId } of batches) tries.set(deliveryId, (tries.get(deliveryId) ?? 0) + 1);
    const [whole] = tries.keys();
    assert.match(whole as string, /^a-1\.0-1\.9-10$/);
    assert.ok(
      (tries.get(whole as string) ?? 0) > batches.length / 2,
      'the delivery id is stable across retries, but for smaller requests that look whether size is the cause',
    );
    assert.ok([...tries.keys()].every((id) => id.startsWith('a-1.0-')));
    assert.ok(tries.size <= 3, `${tries.size} delivery ids`);
    state.answer = () => ({ type: 'delivered' });
    await w.clock.advance(6 * MINUTE);
    assert.deepEqual(state.taken, ids(1, 20));
    const after = await w.progress('a');
    assert.equal(after.retrying, null);
    assert.equal(after.status.message, 'Delivering.');
    assert.equal(after.pending, 0);
  });

  test('unbroken failure for the retry window leads to Error; a restart goes on from the cursor', async () => {
    const w = await world();
    const { peer, state } = recorder(() => busy);
    await w.stream('a', peer);
    await w.append('usage', usage(1, 3));
    await w.clock.advance(DAY + 10 * MINUTE);
    const failed = await w.progress('a');
    assert.equal(failed.status.state, 'error');
    assert.equal(failed.status.message, 'Error state: It answered 500.');
    assert.equal(failed.pending, 3);
    await w.append('usage', usage(4, 5));
    state.answer = () => ({ type: 'delivered' });
    await w.clock.advance(HOUR);
    assert.deepEqual(state.taken, [], 'nothing is sent in Error');
    await w.change('a', { generation: 2 });
    await w.clock.advance(1_000);
    assert.deepEqual(state.taken, ids(1, 5));
    assert.equal((await w.progress('a')).status.state, 'running');
  });

  test('Retry-After is honoured', async () => {
    const w = await world();
    const { peer, batches, state } = recorder(() => ({ ...busy, afterMs: 90_000 }) as Outcome);
    await w.stream('a', peer);
    await w.append('usage', usage(1, 1));
    await w.clock.advance(89_000);
    assert.equal(batches.length, 1);
    state.answer = () => ({ type: 'delivered' });
    await w.clock.advance(2_000);
    assert.deepEqual(state.taken, [1]);
  });

  test('a refusal is tried a few times over ten minutes, then Error', async () => {
    const w = await world();
    const { peer, batches } = recorder(() => ({ type: 'refused', cause: unauthorized }));
    await w.stream('a', peer);
    await w.append('usage', usage(1, 1));
    await w.clock.advance(9 * MINUTE);
    assert.equal((await w.progress('a')).status.state, 'running');
    await w.clock.advance(2 * MINUTE);
    assert.equal((await w.progress('a')).status.state, 'error');
    assert.ok(batches.length >= 4 && batches.length <= 12, `${batches.length} tries`);
  });

  test('new credentials end the waiting at once', async () => {
    const w = await world();
    const { peer, state } = recorder(() => ({ type: 'refused', cause: unauthorized }));
    await w.stream('a', peer);
    await w.append('usage', usage(1, 2));
    await w.clock.advance(5 * MINUTE);
    state.answer = () => ({ type: 'delivered' });
    await w.change('a', { sealedCredentials: 'new', generation: 2 });
    await settle();
    assert.deepEqual(state.taken, [1, 2]);
  });

  test('one poisonous record among 3,000 is found by bisecting, set aside, and the rest is delivered', async () => {
    const w = await world({ gathering: { by: 'batch', records: 3_000, bytes: 2 ** 22 } });
    const cause: Cause = { code: 'http_400', message: 'It answered 400.', remoteStatus: 400 };
    const { peer, batches, state } = recorder((batch) =>
      batch.includes(1_234) ? { type: 'rejected', cause } : { type: 'delivered' },
    );
    await w.stream('a', peer);
    await w.append('usage', usage(1, 3_000));
    await w.clock.advance(1_000);
    assert.deepEqual(
      state.taken,
      ids(1, 3_000).filter((id) => id !== 1_234),
    );
    assert.deepEqual(await w.quarantined('a'), [1_234]);
    const progress = await w.progress('a');
    assert.deepEqual(progress.counters, { delivered: 2_999, quarantined: 1, filtered: 0, expired: 0 });
    assert.equal(progress.status.state, 'running');
    assert.ok(batches.length <= 26, `${batches.length} requests`);
  });

  test('when one record after the other is refused, the configuration is wrong: Error', async () => {
    const w = await world({ settings: { quarantineRun: 20 } });
    const { peer } = recorder(() => ({
      type: 'rejected',
      cause: { code: 'http_422', message: 'It answered 422.' },
    }));
    await w.stream('a', peer);
    await w.append('usage', usage(1, 100));
    await w.clock.advance(MINUTE);
    assert.equal(
      (await w.progress('a')).status.state,
      'running',
      'the fault of the destination may be short',
    );
    assert.equal((await w.progress('a')).status.actor, 'receiver');
    assert.deepEqual(await w.quarantined('a'), []);
    await w.clock.advance(5 * MINUTE);
    const progress = await w.progress('a');
    assert.equal(progress.status.state, 'error');
    assert.equal((await w.quarantined('a')).length, 20);
    assert.equal(progress.pending, 80);
  });

  test('413 halves, and the smaller size is remembered', async () => {
    const w = await world();
    const { peer, batches, state } = recorder((batch) =>
      batch.length > 30
        ? { type: 'too_large', cause: { code: 'http_413', message: 'Too large.' } }
        : { type: 'delivered' },
    );
    await w.stream('a', peer, { desired: 'paused' });
    await w.append('usage', usage(1, 300));
    await w.change('a', { desired: 'running' });
    await w.clock.advance(1_000);
    assert.deepEqual(state.taken, ids(1, 300));
    assert.equal(batches.filter((batch) => batch.ids.length > 30).length, 2, '100, and its first half');
  });

  test('a stored block that is damaged is set aside, said, and the rest is delivered', async () => {
    const w = await world();
    const { peer, state } = recorder();
    await w.stream('a', peer, { desired: 'paused' });
    for (const from of [1, 11, 21]) await w.append('usage', usage(from, from + 9));
    await w.crash();
    w.damageBlock(2);
    await w.start();
    await w.change('a', { desired: 'running' });
    await w.clock.advance(5_000);
    assert.deepEqual(state.taken, [...ids(1, 10), ...ids(21, 30)]);
    const progress = await w.progress('a');
    assert.equal(progress.counters.quarantined, 10);
    assert.equal(progress.status.state, 'running');
    assert.equal(progress.lastError?.code, 'stored_block_damaged');
    assert.match(w.faults[0] ?? '', /does not match its checksum/);
  });

  test("simstream's own faults are never charged to the stream", async () => {
    const retry = { ...DEFAULT_RETRY, retryWindowMs: 10 * MINUTE };
    const w = await world({ settings: { retry } });
    const { peer, state } = recorder(() => {
      throw new Error('a bug in the connector');
    });
    await w.stream('a', peer);
    await w.append('usage', usage(1, 2));
    await w.clock.advance(HOUR);
    const progress = await w.progress('a').catch(() => undefined);
    assert.notEqual(progress?.status.state, 'error');
    assert.ok(w.faults.length > 0);
    assert.match(progress?.status.message ?? '', /^Waiting for the operator of this simstream since /);
    assert.equal(progress?.status.actor, 'operator');
    assert.equal(progress?.lastError?.code, 'internal');
    state.answer = () => ({ type: 'delivered' });
    await w.clock.advance(MINUTE);
    assert.deepEqual(state.taken, [1, 2]);
    assert.equal((await w.progress('a')).status.message, 'Delivering.');
  });
});

describe('states', () => {
  test('pause keeps, resume drains in order, and a delivery in flight ends first', async () => {
    const w = await world();
    let answer: (outcome: Outcome) => void = () => {};
    const taken: number[] = [];
    let hold = true;
    await w.stream('a', (batch) => {
      taken.push(...batch);
      return hold ? new Promise((resolve) => (answer = resolve)) : { type: 'delivered' };
    });
    await w.append('usage', usage(1, 2));
    await settle();
    await w.change('a', { desired: 'paused' });
    await w.append('usage', usage(3, 9));
    answer({ type: 'delivered' });
    hold = false;
    await w.clock.advance(DAY);
    assert.deepEqual(taken, [1, 2]);
    const paused = await w.progress('a');
    assert.equal(paused.status.state, 'paused');
    assert.equal(paused.pending, 7);
    assert.equal(paused.oldestPendingAt, Date.UTC(2026, 0, 1));
    await w.change('a', { desired: 'running' });
    await w.append('usage', usage(10, 12));
    await w.clock.advance(1_000);
    assert.deepEqual(taken, ids(1, 12));
  });

  test('the history tells once that a new stream runs, and is not begun anew when it was deleted', async () => {
    const w = await world();
    const { peer } = recorder();
    const created = { at: w.clock.now(), state: 'pending', message: 'Created.', actor: 'user:ada' } as const;
    await HISTORY.put(w.registry, historyKey(1, 'a'), [created], 0);
    for (const id of ['a', 'b']) await w.stream(id, peer);
    await w.append('usage', usage(1, 2));
    await settle();
    await w.stop();
    await w.start();
    await w.append('usage', usage(3, 4));
    await settle();
    const running = { at: w.clock.now(), state: 'running', message: 'Delivering.', actor: 'simstream' };
    assert.deepEqual(await stateHistory(w.registry, 1, 'a'), [created, running]);
    assert.deepEqual(await stateHistory(w.registry, 1, 'b'), []);
  });

  test('a deleted stream: its delivery is cancelled and its progress is not written again', async () => {
    const w = await world();
    let cancelled = false;
    await w.stream('a', (_, __, signal) => {
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          cancelled = true;
          resolve(busy);
        });
      });
    });
    await w.append('usage', usage(1, 2));
    await settle();
    await w.remove('a');
    await w.clock.advance(10_000);
    assert.equal(cancelled, true);
    await assert.rejects(w.progress('a'));
    assert.deepEqual(w.faults, []);
  });

  test('a filter applies to what waits when it is changed', async () => {
    const w = await world();
    const { peer, state } = recorder();
    await w.stream('a', peer, { kind: 'event', desired: 'paused' });
    await w.append(
      'event',
      [1, 2, 3, 1, 2, 3].map((eventType, index) => ({ id: index + 1, organisation: 1, eventType })),
    );
    await w.clock.advance(1_000);
    assert.equal((await w.progress('a')).pending, 6);
    await w.change('a', { filters: [{ field: 'event_type_id', value: [2] }] });
    await w.clock.advance(1_000);
    assert.equal((await w.progress('a')).pending, 2);
    await w.change('a', { desired: 'running' });
    await w.clock.advance(1_000);
    assert.deepEqual(state.taken, [2, 5]);
    assert.equal((await w.progress('a')).counters.filtered, 4);
  });

  test('a graceful stop commits: nothing is delivered twice after it', async () => {
    const w = await world();
    const { peer, state } = recorder();
    await w.stream('a', peer);
    await w.append('usage', usage(1, 100));
    await settle();
    await w.stop();
    await w.start();
    await w.append('usage', usage(101, 110));
    await w.clock.advance(1_000);
    assert.deepEqual(state.taken, ids(1, 110));
    assert.equal((await w.progress('a')).counters.delivered, 110);
  });

  test('after a takeover a record does not wait until it is read of all streams how far they had come', async () => {
    const w = await world({ sloth: { listingMs: () => MINUTE } });
    const [idle, busyOne] = [recorder(), recorder()];
    await w.stream('a', idle.peer);
    await w.stream('b', busyOne.peer);
    await w.clock.advance(HOUR);
    await w.crash();
    await w.start();
    await w.append('usage', usage(1, 10));
    await settle();
    assert.deepEqual([idle.state.taken, busyOne.state.taken], [ids(1, 10), ids(1, 10)]);
    await w.clock.advance(HOUR);
    await w.append('usage', usage(11, 20));
    await w.clock.advance(1_000);
    assert.deepEqual([idle.state.taken, busyOne.state.taken], [ids(1, 20), ids(1, 20)]);
    assert.deepEqual((await w.progress('a')).counters.delivered, 20);
  });
});

describe('a registry whose reads are late', () => {
  /** Reads show what was there before the last write, so many times. */
  const late = (times: number) => {
    const state = { left: 0 };
    const readsLate = (key: string) => key.startsWith('stream.') && state.left-- > 0;
    const begin = () => {
      state.left = times;
    };
    return { sloth: { readsLate }, begin };
  };
  const events = (from: number, eventTypes: readonly number[]) =>
    eventTypes.map((eventType, index) => ({ id: from + index, organisation: 1, eventType }));

  test('a stream runs though it cannot be read at once', async () => {
    const { sloth, begin } = late(3);
    const w = await world({ sloth });
    const { peer, state } = recorder();
    begin();
    await w.stream('a', peer);
    await w.append('usage', usage(1, 5));
    await settle();
    assert.deepEqual(state.taken, [], 'it is not known yet where to');
    await w.clock.advance(1_000);
    assert.deepEqual(state.taken, ids(1, 5));
  });

  test('a change takes effect though what was before is read at first', async () => {
    const { sloth, begin } = late(3);
    const w = await world({ sloth });
    const { peer, state } = recorder();
    await w.stream('a', peer, { kind: 'event', filters: [{ field: 'event_type_id', value: [1] }] });
    await w.append('event', events(1, [1, 2]));
    await w.clock.advance(1_000);
    begin();
    await w.change('a', { filters: [{ field: 'event_type_id', value: [2] }] });
    await w.append('event', events(3, [1, 2]));
    await w.clock.advance(1_000);
    assert.deepEqual(state.taken, [1, 4]);
  });

  test('a stream is deleted, or its node stopped, while its documents are waited for', async () => {
    const { sloth, begin } = late(1_000_000);
    const w = await world({ sloth });
    const [one, other] = [recorder(), recorder()];
    await w.stream('a', one.peer);
    await w.stream('b', other.peer);
    await w.append('usage', usage(1, 5));
    await w.clock.advance(1_000);
    begin();
    await w.change('a', { target: 'elsewhere' });
    await w.change('b', { target: 'elsewhere' });
    await w.remove('a');
    await w.append('usage', usage(6, 9));
    await w.stop();
    assert.deepEqual([one.state.taken, other.state.taken], [ids(1, 5), ids(1, 5)]);
    assert.deepEqual(w.faults, []);
    const { counters, pending } = await w.progress('b');
    assert.deepEqual([counters.delivered, pending], [5, 4]);
    await assert.rejects(w.progress('a'));
  });
});

describe('retention', () => {
  test('what expires unseen is counted, by hour, and the stream goes on behind it', async () => {
    const w = await world({ retentionMs: 7 * DAY });
    const { peer, state } = recorder();
    await w.stream('a', peer, { desired: 'paused' });
    await w.stream('b', peer, { kind: 'event', desired: 'paused' });
    await w.append('usage', usage(1, 30));
    await w.clock.advance(2 * HOUR);
    await w.append('usage', usage(31, 40));
    await w.clock.advance(7 * DAY - HOUR);
    const first = await w.progress('a');
    assert.equal(first.counters.expired, 30);
    assert.equal(first.pending, 10);
    assert.deepEqual(first.expiredHours, [{ hour: Date.UTC(2026, 0, 1), records: 30 }]);
    assert.match(
      first.lastError?.message ?? '',
      /^30 records that arrived in the hour 2026-01-01T00 \(UTC\)/,
    );
    assert.equal((await w.progress('b')).counters.expired, 0);
    await w.change('a', { desired: 'running' });
    await w.clock.advance(1_000);
    assert.deepEqual(state.taken, ids(31, 40));
    assert.equal((await w.log.extent(0)).first, 2);
  });
});

describe('organisations', () => {
  test('relation_resolution: own, children, both, over the whole tree; a child that is added later counts at once', async () => {
    const w = await world();
    await w.organisation(2, 1, 1);
    const own = recorder();
    const children = recorder();
    const both = recorder();
    await w.stream('own', own.peer, { relation: 1 });
    await w.stream('children', children.peer, { relation: 2 });
    await w.stream('both', both.peer, { relation: 3 });
    await w.append(
      'usage',
      [1, 2, 3].map((organisation) => ({ id: organisation, organisation })),
    );
    await settle();
    await w.organisation(3, 2, 1);
    await w.append(
      'usage',
      [1, 2, 3].map((organisation) => ({ id: organisation + 10, organisation })),
    );
    await w.clock.advance(1_000);
    assert.deepEqual(own.state.taken, [1, 11]);
    assert.deepEqual(children.state.taken, [2, 12, 13]);
    assert.deepEqual(both.state.taken, [1, 2, 11, 12, 13]);
  });
});

test('a stream whose type is changed goes on with the other kind of record', async () => {
  const w = await world();
  const { peer, state } = recorder();
  await w.stream('a', peer, { desired: 'paused' });
  await w.append('usage', usage(1, 3));
  await w.append('event', [{ id: 11, organisation: 1 }]);
  await w.change('a', { kind: 'event' });
  await w.append('event', [{ id: 12, organisation: 1 }]);
  await w.clock.advance(1_000);
  assert.equal((await w.progress('a')).pending, 2);
  await w.change('a', { desired: 'running' });
  await w.clock.advance(1_000);
  assert.deepEqual(state.taken, [11, 12]);
});
