import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { progressKey, type ReplayDocument, replayEnded } from '../registry/data-stream.ts';
import type { SideJob } from './stream/state.ts';
import { type Peer, TestWorld } from './world.fixture.ts';

/** A job beside the live one of a stream: over a range of its own, with a cursor and counters of its own. */

const SECOND = 1_000;
const usage = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ id: from + index, organisation: 1 }));
const ids = (from: number, to: number) => usage(from, to).map((record) => record.id);

/** Ten blocks of ten records were delivered. What comes from now on is kept by whether a job beside the live one sent it. */
async function delivered(options: ConstructorParameters<typeof TestWorld>[0] = {}) {
  const w = new TestWorld(options);
  await w.organisation(1);
  await w.start();
  const live: number[] = [];
  const replayed: number[] = [];
  const deliveryIds = new Set<string>();
  const peer: Peer = (got, batch) => {
    assert.ok(!deliveryIds.has(batch.deliveryId), 'a receiver would take it for a repetition');
    deliveryIds.add(batch.deliveryId);
    (batch.deliveryId.startsWith('a.again-') ? replayed : live).push(...got);
    return { type: 'delivered' };
  };
  await w.stream('a', peer);
  for (let from = 1; from <= 100; from += 10) await w.append('usage', usage(from, from + 9));
  await w.clock.advance(SECOND);
  assert.deepEqual(live, ids(1, 100));
  return { w, live, replayed, peer };
}

const job = (range: Partial<SideJob> = {}): SideJob => ({
  name: 'again',
  from: { sequence: 3, index: 5 },
  until: { sequence: 6, index: 2 },
  recordsPerSecond: undefined,
  filters: undefined,
  ...range,
});

test('a range is delivered again and ends by itself; the live job is not touched', async () => {
  const { w, live, replayed } = await delivered();
  const before = await w.progress('a');
  const end = w.beside('a', job());
  await w.clock.advance(SECOND);
  assert.equal(await end, true);
  assert.deepEqual(replayed, ids(26, 52));
  const own = await w.progress('a', 1, 'again');
  assert.deepEqual([own.counters.delivered, own.counters.filtered, own.pending], [27, 0, 0]);
  assert.deepEqual(await w.progress('a'), before);
  await w.append('usage', usage(101, 110));
  await w.clock.advance(SECOND);
  assert.deepEqual(live, ids(1, 110));
  assert.equal((await w.progress('a')).counters.delivered, 110);
  assert.equal(replayed.length, 27, 'what comes after the range is not part of it');
  assert.deepEqual(await w.progress('a', 1, 'again'), own);
});

test('a range that ends with blocks that hold nothing for the stream ends when they are stored', async () => {
  for (const [sequence, index, seconds] of [
    [13, 0, 0],
    [12, 1, 0],
    // Long enough that the job is put away as one that has nothing to do.
    [13, 0, 150],
  ] as const) {
    const { w, replayed } = await delivered();
    await w.organisation(2);
    const end = w.beside('a', job({ from: { sequence: 10, index: 0 }, until: { sequence, index } }));
    let ended = false;
    void end.then(() => {
      ended = true;
    });
    await w.clock.advance(SECOND);
    assert.equal(ended, false, 'a block of the range is still to come');
    await w.clock.advance(seconds * SECOND);
    await w.append('usage', [{ id: 1, organisation: 2 }]);
    await w.append('usage', [{ id: 2, organisation: 2 }]);
    await w.clock.advance(SECOND);
    assert.equal(ended, true);
    assert.equal(await end, true);
    assert.deepEqual(replayed, ids(91, 100));
    assert.equal((await w.progress('a', 1, 'again')).pending, 0);
  }
});

test('while it waits for its own pauses, records of the live job go out as they come', async () => {
  const { w, live, replayed } = await delivered();
  const end = w.beside(
    'a',
    job({ from: { sequence: 1, index: 0 }, until: { sequence: 11, index: 0 }, recordsPerSecond: 5 }),
  );
  for (let second = 1; second <= 10; second++) {
    await w.append('usage', usage(100 + second, 100 + second));
    await w.clock.advance(0);
    assert.equal(live.at(-1), 100 + second);
    await w.clock.advance(SECOND);
    assert.ok(replayed.length <= 5 * (second + 1), `${replayed.length} records in ${second} s`);
    assert.ok(replayed.length >= 5 * (second - 1), `${replayed.length} records in ${second} s`);
  }
  await w.clock.advance(11 * SECOND);
  assert.equal(await end, true);
  assert.deepEqual(replayed, ids(1, 100));
  assert.equal((await w.progress('a')).counters.delivered, 110);
});

test('a live job that fails holds up no other: each has its own failures and state', async () => {
  const { w, replayed, peer } = await delivered();
  w.peer('a', (got, batch, signal) =>
    batch.deliveryId.startsWith('a.again-')
      ? peer(got, batch, signal)
      : { type: 'retry', cause: { code: 'http_503', message: 'It answered 503.', remoteStatus: 503 } },
  );
  await w.append('usage', usage(101, 110));
  await w.clock.advance(SECOND);
  assert.match((await w.progress('a')).status.message, /^Retrying/);
  const end = w.beside('a', job());
  await w.clock.advance(SECOND);
  assert.equal(await end, true);
  assert.equal(replayed.length, 27);
  assert.equal((await w.progress('a', 1, 'again')).lastError, null);
  assert.match((await w.progress('a')).status.message, /^Retrying/);
});

test('a failure of its own is not shown as the state of the stream', async () => {
  const { w, peer } = await delivered();
  w.peer('a', (got, batch, signal) =>
    batch.deliveryId.startsWith('a.again-')
      ? { type: 'refused', cause: { code: 'http_401', message: 'It answered 401.', remoteStatus: 401 } }
      : peer(got, batch, signal),
  );
  const states = w.states.length;
  void w.beside('a', job());
  await w.clock.advance(15 * 60 * SECOND);
  assert.equal((await w.progress('a', 1, 'again')).status.state, 'error');
  assert.equal((await w.progress('a')).status.state, 'running');
  assert.equal(w.states.length, states);
});

test('filters of its own', async () => {
  const w = new TestWorld();
  await w.organisation(1);
  await w.start();
  const got: string[] = [];
  await w.stream(
    'a',
    (records, { deliveryId }) => {
      for (const id of records) got.push(`${deliveryId.startsWith('a.again-') ? 'again' : 'live'} ${id}`);
      return { type: 'delivered' };
    },
    { kind: 'event', filters: [{ field: 'event_type_id', value: [1] }] },
  );
  const events = [1, 2, 3].map((id) => ({ id, organisation: 1, eventType: id }));
  await w.append('event', events);
  await w.clock.advance(SECOND);
  const range = { from: { sequence: 1, index: 0 }, until: { sequence: 2, index: 0 } };
  const end = w.beside('a', job({ ...range, filters: [{ field: 'event_type_id', value: [2, 3] }] }));
  await w.clock.advance(SECOND);
  assert.equal(await end, true);
  assert.deepEqual(got, ['live 1', 'again 2', 'again 3']);
  const { delivered, filtered } = (await w.progress('a', 1, 'again')).counters;
  assert.deepEqual([delivered, filtered], [2, 1]);
});

describe('what happens to the stream', () => {
  const slow = () =>
    job({ from: { sequence: 1, index: 0 }, until: { sequence: 11, index: 0 }, recordsPerSecond: 10 });

  test('a crash: it goes on where it was', async () => {
    const { w, replayed } = await delivered();
    void w.beside('a', slow());
    await w.clock.advance(5 * SECOND);
    const before = replayed.length;
    assert.ok(before >= 40 && before <= 60, `${before} records`);
    await w.crash();
    await w.start();
    const end = w.beside('a', slow());
    await w.clock.advance(10 * SECOND);
    assert.equal(await end, true);
    assert.deepEqual(replayed, ids(1, 100));
    assert.equal((await w.progress('a', 1, 'again')).counters.delivered, 100);
  });

  test('pause and resume: both wait, both go on', async () => {
    const { w, replayed } = await delivered();
    const end = w.beside('a', slow());
    await w.clock.advance(3 * SECOND);
    await w.change('a', { desired: 'paused' });
    const before = replayed.length;
    await w.clock.advance(20 * SECOND);
    assert.equal(replayed.length, before);
    await w.change('a', { desired: 'running' });
    await w.clock.advance(20 * SECOND);
    assert.equal(await end, true);
    assert.deepEqual(replayed, ids(1, 100));
  });

  test('deletion ends it', async () => {
    const { w, replayed } = await delivered();
    const end = w.beside('a', slow());
    await w.clock.advance(3 * SECOND);
    await w.remove('a');
    assert.equal(await end, false);
    const before = replayed.length;
    await w.clock.advance(20 * SECOND);
    assert.equal(replayed.length, before);
  });

  test('a stop: it ends as well, and what it delivered is committed', async () => {
    const { w, replayed } = await delivered();
    const end = w.beside('a', slow());
    await w.clock.advance(3 * SECOND);
    await w.stop();
    assert.equal(await end, false);
    assert.equal((await w.progress('a', 1, 'again')).counters.delivered, replayed.length);
  });
});

describe('replays of the document', () => {
  const replay = (more: Partial<ReplayDocument> = {}): ReplayDocument => ({
    id: 'again',
    from: { sequence: 3, index: 5 },
    until: { sequence: 6, index: 2 },
    fromTime: '',
    untilTime: '',
    filters: [],
    desired: 'running',
    generation: 1,
    created: '',
    ...more,
  });
  const whole = { from: { sequence: 1, index: 0 }, until: { sequence: 11, index: 0 } };

  test('one begins when the document has it, and ends by itself; a restart does not repeat it', async () => {
    const { w, replayed } = await delivered();
    await w.change('a', { replays: [replay()] });
    await w.clock.advance(SECOND);
    assert.deepEqual(replayed, ids(26, 52));
    assert.ok(replayEnded(replay(), await w.progress('a', 1, 'again')));
    const key = progressKey({ partition: 0, organisationId: 1, id: 'a', job: { name: 'again' } });
    const written = (await w.registry.get(key))?.revision;
    await w.change('a', { modified: 'since' });
    await w.clock.advance(SECOND);
    assert.equal(
      (await w.registry.get(key))?.revision,
      written,
      'a change of the stream does not begin it again',
    );
    await w.crash();
    await w.start();
    await w.clock.advance(SECOND);
    assert.equal(replayed.length, 27);
  });

  test('a crash in the middle: it goes on where it was, without being asked', async () => {
    const { w, replayed } = await delivered();
    await w.change('a', { replays: [replay({ ...whole, recordsPerSecond: 10 })] });
    await w.clock.advance(5 * SECOND);
    await w.crash();
    await w.start();
    await w.clock.advance(10 * SECOND);
    assert.deepEqual(replayed, ids(1, 100));
  });

  test('pause, another pace, resume; several at a time; one that is taken out ends', async () => {
    const { w, replayed } = await delivered();
    const slow = replay({ ...whole, recordsPerSecond: 10 });
    await w.change('a', { replays: [slow] });
    await w.clock.advance(3 * SECOND);
    await w.change('a', { replays: [{ ...slow, desired: 'paused' }] });
    const before = replayed.length;
    await w.append('usage', usage(101, 110));
    await w.clock.advance(20 * SECOND);
    assert.equal(replayed.length, before);
    assert.equal((await w.progress('a')).counters.delivered, 110, 'the live flow goes on');
    await w.change('a', { replays: [{ ...slow, recordsPerSecond: 50, generation: 2 }] });
    await w.clock.advance(3 * SECOND);
    assert.deepEqual(replayed, ids(1, 100));
    const second = replay({ ...whole, id: 'again2', recordsPerSecond: 10 });
    await w.change('a', { replays: [slow, second] });
    await w.clock.advance(2 * SECOND);
    await w.change('a', { replays: [slow] });
    const counted = (await w.progress('a', 1, 'again2')).counters.delivered;
    await w.clock.advance(20 * SECOND);
    assert.equal((await w.progress('a', 1, 'again2')).counters.delivered, counted);
  });

  test('filters on top of those of the stream', async () => {
    const w = new TestWorld();
    await w.organisation(1);
    await w.start();
    const got: number[] = [];
    const peer: Peer = (records, { replay: of }) => {
      if (of !== undefined) got.push(...records);
      return { type: 'delivered' };
    };
    await w.stream('a', peer, { kind: 'event', filters: [{ field: 'event_type_id', value: [1, 2] }] });
    await w.append(
      'event',
      [1, 2, 3, 2].map((eventType, at) => ({ id: at + 1, organisation: 1, eventType })),
    );
    await w.clock.advance(SECOND);
    const filters = [{ field: 'event_type_id', value: [2, 3] }];
    const range = { from: { sequence: 1, index: 0 }, until: { sequence: 2, index: 0 } };
    await w.change('a', { replays: [replay({ ...range, filters })] });
    await w.clock.advance(SECOND);
    assert.deepEqual(got, [2, 4]);
    const { delivered: count, filtered } = (await w.progress('a', 1, 'again')).counters;
    assert.deepEqual([count, filtered], [2, 2]);
  });
});
