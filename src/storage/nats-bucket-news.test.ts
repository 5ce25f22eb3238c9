import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import type { Nats } from './nats.ts';
import { openBucket } from './nats-bucket.ts';
import { bucketNews } from './nats-bucket-news.ts';

const SUBJECT = '$KV.b.stream.1';

/** What one node publishes, all of them hear. */
function sharedConnection() {
  const said: string[] = [];
  const listeners: ((error: null, message: { json(): unknown }) => void)[] = [];
  const connection = {
    isClosed: () => false,
    isDraining: () => false,
    subscribe: (_: string, { callback }: { callback: (typeof listeners)[number] }) =>
      listeners.push(callback),
    publish: (_: string, text: string) => {
      said.push(text);
      for (const listener of listeners) listener(null, { json: () => JSON.parse(text) });
    },
  } as unknown as Nats['connection'];
  return { said, connection };
}

test('a node hears within half a second that another one stored something that it watches', async () => {
  const clock = new ManualClock();
  const { said, connection } = sharedConnection();
  const [writing, watching] = [
    bucketNews({ connection, clock }, 'b'),
    bucketNews({ connection, clock }, 'b'),
  ];
  writing.watched('stream');
  const known = watching.watched('stream');
  for (const revision of [5, 7]) writing.stored('stream.1.a', revision);
  writing.stored('streams.1.a', 8);
  writing.stored('progress.1.a', 9);
  assert.equal(known(), 0);
  await clock.advance(500);
  assert.equal(known(), 7);
  assert.deepEqual(said, ['[["stream",7]]']);

  // A message that was overtaken changes nothing.
  writing.stored('stream.1.b', 6);
  await clock.advance(500);
  assert.equal(known(), 7);
});

test('a node has caught up when its watcher was shown what is stored, and does not wait for it for ever', async () => {
  const clock = new ManualClock();
  const news = bucketNews({ ...sharedConnection(), clock }, 'b');
  news.watched('stream');
  news.shown('stream', 6);
  let caughtUp = 0;
  const wait = (revision: number) => void news.untilShown('stream', revision).then(() => caughtUp++);
  wait(6);
  wait(7);
  await clock.advance(5_000);
  assert.equal(caughtUp, 1);
  news.shown('stream', 7);
  await clock.advance(100);
  assert.equal(caughtUp, 2);
  wait(1_000);
  await clock.advance(20_000);
  assert.equal(caughtUp, 3);
});

/** A consumer that looks healthy: it sends signs of life. `gives` is what it shows. */
function consumer(gives: readonly number[]) {
  const over = Promise.withResolvers<void>();
  return {
    close: async () => over.resolve(),
    getReceived: () => gives.length,
    getProcessed: () => gives.length,
    status: () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => over.promise.then(() => ({ done: true, value: undefined })),
      }),
    }),
    [Symbol.asyncIterator]: async function* () {
      for (const [at, seq] of gives.entries())
        yield { seq, subject: SUBJECT, data: Buffer.alloc(0), info: { deliverySequence: at + 1 } };
      await over.promise;
    },
  };
}

test('a consumer that shows nothing more, and looks healthy, is replaced soon after another node wrote', async () => {
  const clock = new ManualClock();
  const { connection } = sharedConnection();
  let newest = 0;
  let opened = 0;
  const info = { name: 'c', delivered: { consumer_seq: 0 } };
  const message = () => ({ seq: newest, subject: SUBJECT, data: Buffer.alloc(0) });
  const nats = {
    clock,
    connection,
    replicas: 1,
    connected: () => true,
    onReconnect: () => () => {},
    ensureStream: async () => ({}),
    uniqueId: () => 'id',
    ask: (_: string, call: () => Promise<unknown>) => call(),
    publish: async () => ({ type: 'stored', sequence: ++newest }),
    manager: {
      streams: {
        info: async () => ({ state: { messages: newest, last_seq: newest } }),
        getMessage: async () => (newest > 0 ? message() : null),
      },
      consumers: { add: async () => info, info: async () => info, delete: async () => true },
    },
    jetstream: {
      consumers: {
        getConsumerFromInfo: () => ({ consume: async () => consumer(opened++ > 0 ? [newest] : []) }),
      },
    },
  } as unknown as Nats;
  const [writing, watching] = await Promise.all([
    openBucket(nats, { name: 'b' }),
    openBucket(nats, { name: 'b' }),
  ]);
  const stop = new AbortController();
  await writing.watch('stream', () => {}, stop.signal);
  const shown: string[] = [];
  opened = 0;
  await watching.watch('stream', ({ key }) => void shown.push(key), stop.signal);
  // The longer nothing happens, the less often it asks by itself.
  for (let second = 0; second < 100; second++) await clock.advance(1_000);
  assert.equal(opened, 1);
  await writing.write('stream.1', Buffer.from('{}'));
  for (let step = 0; step < 10; step++) await clock.advance(600);
  assert.deepEqual(shown, ['stream.1']);
  stop.abort();
});
