import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock, seededRandom } from '../lib/manual-clock.fixture.ts';
import { RecordReader } from '../records/record-reader.ts';
import { scanBody } from '../records/scan.ts';
import {
  type DataStreamDocument,
  PROGRESS,
  type ProgressDocument,
  progressKey,
  STREAM,
  streamKey,
} from '../registry/data-stream.ts';
import { createMemoryRegistry } from '../registry/memory.ts';
import {
  NOTICES,
  NOTIFICATION_EVENTS,
  type Notice,
  type NotificationDocument,
  noticesKey,
} from '../registry/notification.ts';
import { type LiveStream, type NotifierParts, notify, type Sent } from './notifier.ts';

const HOUR = 3_600_000;
const OWN = {
  own: { organisationId: 1 } as NotificationDocument,
  events: NOTIFICATION_EVENTS,
  lagMinutes: 60,
};

/** A partition with one stream, whose facts a test changes. */
async function world(stream: Partial<DataStreamDocument> = {}) {
  const clock = new ManualClock();
  const registry = createMemoryRegistry();
  const document = { id: 'abc', organisationId: 1, kind: 'usage', relation: 1, partition: 3, ...stream };
  await STREAM.put(registry, streamKey(1, 'abc'), document as DataStreamDocument);
  const progress = {
    status: { state: 'running', message: 'Delivering.', since: 0 },
    retrying: null,
    pending: 0,
    oldestPendingAt: null,
    lastDeliveredAt: null,
    lastError: null,
    quarantined: 0,
  } as unknown as { -readonly [K in keyof LiveStream['progress']]: LiveStream['progress'][K] };
  const sent: Notice[] = [];
  const appended: Notice[] = [];
  const lost: string[] = [];
  let answer: () => Promise<Sent> = async () => ({ type: 'sent' });
  let receiver:
    | typeof OWN
    | { own: undefined; events: typeof NOTIFICATION_EVENTS; lagMinutes: number }
    | undefined = OWN;
  const parts: NotifierParts = {
    registry,
    clock,
    random: seededRandom(5),
    receivers: { of: () => receiver },
    retentionMs: 7 * 24 * HOUR,
    send: async (_, organisationId, notice) => {
      assert.equal(organisationId, 1);
      sent.push(notice);
      return answer();
    },
    append: async (notice) => {
      appended.push(notice);
      return { type: 'sent' };
    },
    gaveUp: (_, event) => lost.push(event),
    fault: (message) => assert.fail(message),
  };
  let live = true;
  const begin = () => {
    const stop = new AbortController();
    const running = notify(
      parts,
      3,
      () => (live ? [{ organisationId: 1, id: 'abc', progress }] : []),
      stop.signal,
    );
    const end = async () => {
      stop.abort();
      await running;
    };
    return end;
  };
  return {
    ...{ clock, registry, progress, sent, appended, lost, begin },
    idle: () => {
      live = false;
    },
    fail: () => {
      progress.status = { state: 'error', message: 'It refuses.', since: clock.now() };
    },
    recover: () => {
      progress.status = { state: 'running', message: 'Delivering.', since: clock.now() };
    },
    answer: (next: () => Promise<Sent>) => {
      answer = next;
    },
    receiver: (next: typeof receiver) => {
      receiver = next;
    },
    stored: async () =>
      (await NOTICES.get(registry, noticesKey({ partition: 3, organisationId: 1, id: 'abc' })))?.document,
    pass: async (ms: number) => {
      for (let left = ms; left > 0; left -= 5_000) await clock.advance(Math.min(left, 5_000));
    },
  };
}

test('an error and its end go to the receiver and into the events, once each', async () => {
  const { begin, fail, recover, pass, sent, appended, stored, progress, clock } = await world({
    name: 'Meters',
  });
  const end = begin();
  await pass(20_000);
  assert.equal(await stored(), undefined);
  fail();
  await pass(60_000);
  recover();
  // It runs, but nobody knows yet whether it delivers.
  progress.pending = 3;
  await pass(60_000);
  assert.equal(sent.length, 1);
  progress.lastDeliveredAt = clock.now();
  await pass(10_000);
  await end();
  assert.deepEqual(
    sent.map(({ event }) => event),
    ['error', 'recovered'],
  );
  const [body] = sent.map(({ text }) => JSON.parse(text));
  assert.equal(body.type, 'data_stream.error');
  assert.deepEqual(body.data.data_stream, {
    id: 'abc',
    name: 'Meters',
    data_stream_type: { id: 1, description: 'Usage' },
  });
  assert.match(body.data.message, /"Meters" \(abc\) is in Error.*It refuses\./);
  const list = `[${appended.map(({ text }) => text).join(',')}]`;
  const { columns, faults } = await scanBody(new RecordReader('event'), Buffer.from(list), 'array');
  assert.deepEqual(faults, []);
  assert.deepEqual([...columns.toIndex().eventTypes], [10_001, 10_002]);
  assert.equal(new Set([...sent, ...appended].map(({ id }) => id)).size, 4);
});

test('N3: a crash before, during or after a message sends it again under its id, and tells nothing twice', async () => {
  const { begin, fail, pass, sent, answer } = await world();
  answer(() => new Promise(() => {}));
  fail();
  begin();
  await pass(10_000);
  assert.equal(sent.length, 1);
  // The first holder hangs for ever, as if its node were gone: another one goes on from what is stored.
  answer(async () => ({ type: 'sent' }));
  const end = begin();
  await pass(60_000);
  await end();
  assert.equal(new Set(sent.map(({ id }) => id)).size, 1);
  assert.equal(sent.length, 2);
});

test('a receiver that refuses is asked again for a day, and then no more', async () => {
  const { begin, fail, clock, pass, sent, lost, answer, stored } = await world();
  answer(async () => ({ type: 'failed', message: 'no' }));
  fail();
  for (let tries = 0; tries < 12; tries++) {
    const end = begin();
    await pass(4_000);
    await end();
    await clock.advance(13 * HOUR);
  }
  assert.deepEqual(lost, ['error']);
  assert.equal(new Set(sent.map(({ id }) => id)).size, 1);
  assert.equal(sent.length, 9);
  assert.deepEqual((await stored())?.waiting, []);
});

test('a message is sent again when its pause is over, however the clock was set', async () => {
  for (const hours of [-24, -1, 24]) {
    const { begin, fail, clock, pass, sent, answer } = await world();
    answer(async () => ({ type: 'failed', message: 'no' }));
    fail();
    const end = begin();
    await pass(4_000);
    assert.equal(sent.length, 1);
    clock.jump(hours * HOUR);
    await pass(900);
    assert.equal(sent.length, 1, `${hours} h: its pause is five seconds`);
    await pass(8_000);
    assert.equal(sent.length, 2, `${hours} h`);
    await end();
  }
});

test('a message of a time when the clock was ahead is not held back by it on the next node', async () => {
  const { begin, fail, clock, pass, sent, answer } = await world();
  const unanswered = Promise.withResolvers<Sent>();
  answer(() => unanswered.promise);
  clock.jump(24 * HOUR);
  fail();
  const end = begin();
  await pass(4_000);
  const ended = end();
  unanswered.resolve({ type: 'failed', message: 'The node stops.' });
  await ended;
  clock.jump(-24 * HOUR);
  answer(async () => ({ type: 'failed', message: 'no' }));
  const endNext = begin();
  await pass(4_000);
  assert.deepEqual([sent.length, sent[1]?.id], [2, sent[0]?.id]);
  await endNext();
});

test('of a stream that was taken over nobody hears that its records are about to expire, as long as the other one exists', async () => {
  for (const exists of [true, false]) {
    const { begin, pass, progress, sent, registry, clock } = await world({ takenOverBy: 'def' });
    if (exists) await STREAM.put(registry, streamKey(1, 'def'), { id: 'def' } as DataStreamDocument);
    progress.pending = 3;
    progress.status = { state: 'paused', message: 'Paused.', since: 0 };
    progress.oldestPendingAt = clock.now() - (7 * 24 - 2) * HOUR;
    const end = begin();
    await pass(4_000);
    await end();
    assert.deepEqual(
      sent.map(({ event }) => event),
      exists ? [] : ['expiring'],
    );
  }
});

test('N4: a stream that carries the events of its organisation is never the subject of one', async () => {
  for (const [relation, events] of [
    [1, 0],
    [3, 0],
    [2, 1],
  ] as const) {
    const { begin, fail, pass, sent, appended } = await world({ kind: 'event', relation });
    fail();
    const end = begin();
    await pass(10_000);
    await end();
    assert.deepEqual([sent.length, appended.length], [1, events], `relation ${relation}`);
  }
});

test('the operator gets messages of an organisation without a receiver, and no events are written then', async () => {
  const { begin, fail, recover, pass, sent, appended, receiver, stored } = await world();
  receiver({ own: undefined, events: NOTIFICATION_EVENTS, lagMinutes: 60 });
  fail();
  const end = begin();
  await pass(10_000);
  assert.deepEqual([sent.length, appended.length], [1, 0]);
  receiver(undefined);
  recover();
  await pass(10_000);
  await end();
  assert.equal(await stored(), undefined);
  assert.equal(sent.length, 1);
});

test('a stream that is idle by now is read from its document; what was told of a deleted one goes', async () => {
  const { begin, fail, pass, registry, stored, idle, sent, progress } = await world();
  fail();
  const end = begin();
  await pass(10_000);
  idle();
  await pass(10_000);
  assert.equal(sent.length, 1);
  const recovered = { status: { state: 'running', message: '', since: 0 }, counters: { quarantined: 0 } };
  const document = { ...progress, ...recovered } as unknown as ProgressDocument;
  await PROGRESS.put(registry, progressKey({ partition: 3, organisationId: 1, id: 'abc' }), document);
  await pass(10_000);
  assert.deepEqual(
    sent.map(({ event }) => event),
    ['error', 'recovered'],
  );
  await registry.delete(streamKey(1, 'abc'));
  await pass(10_000);
  await end();
  assert.equal(await stored(), undefined);
});
