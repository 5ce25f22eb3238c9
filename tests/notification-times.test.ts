import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FlowWorld } from './support/flow-world.ts';
import { temporaryDirectory } from './support/owned.ts';
import { startReceiver } from './support/receiver.ts';
import { waitFor } from './support/wait-for.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** A node that starts, and looks at its streams, on a busy machine. */
const SLOW_MS = 60_000;

interface Message {
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly data: {
    readonly pending: number;
    readonly records?: number;
    readonly expires_at?: string;
    readonly oldest_pending_at: string | null;
  };
}

/** It takes some 15 s: a node starts three times, and a message that nobody took is tried again after 5 s. */
test('quarantine, lag, and records that expire in a day and in an hour: once each, through crashes', {
  timeout: 300_000,
}, async (t) => {
  const file = join(temporaryDirectory(), 'ahead');
  let ahead = 0;
  const move = (ms: number) => {
    ahead += ms;
    writeFileSync(`${file}.new`, String(ahead));
    renameSync(`${file}.new`, file);
  };
  move(0);
  let receiving: 'all' | 'even' | 'none' = 'even';
  const world = await FlowWorld.start(t, {
    nodeArguments: ['--import', new URL('./support/moved-time.ts', import.meta.url).href],
    environment: { TIME_AHEAD_FILE: file, SIMSTREAM_RETRY_WINDOW: '7d', SIMSTREAM_RATE_READS: '0' },
    answer: async (_, records) => {
      if (receiving === 'none') return { status: 503 };
      return { status: receiving === 'even' && records.some((each) => each % 2 === 1) ? 422 : 200 };
    },
  });
  let answering = true;
  /** By webhook-id: a message that comes again is the same message. */
  const messages = new Map<string, Message>();
  let requests = 0;
  const events = new Map<number, number>();
  const alerts = await startReceiver(async ({ path, headers, body }) => {
    if (path === '/events') {
      if (body.length === 0) return { status: 200 };
      for (const { id, event_type } of JSON.parse(body.toString())) events.set(id, event_type.id);
      return { status: 200 };
    }
    const id = String(headers['webhook-id']);
    messages.set(id, { id, ...JSON.parse(body.toString()) });
    requests++;
    return { status: answering ? 200 : 503 };
  });
  t.after(() => alerts.close());
  await world.call(200, 'PUT', '/notification', { url: `${alerts.url}/alerts`, lag_minutes: 60 });
  await world.api.createStream(world.token, {
    data_stream_type: { id: 2 },
    filters: [{ field: 'event_type_id', op: 'gte', value: 10_001 }],
    destination: { connection_type: 'RestAPI', credentials: { url: `${alerts.url}/events` } },
  });
  const id = await world.create('/usage');
  const delivered = async (change: (progress: Progress) => boolean) => {
    const { progress } = (await world.call(200, 'GET', `/${id}`)) as { progress: Progress };
    return change(progress) || undefined;
  };
  const of = (type: string) => [...messages.values()].filter((each) => each.type === `data_stream.${type}`);
  const one = (type: string, count: number) =>
    waitFor(
      () => `${count} messages ${type} in ${JSON.stringify([...messages.values()])}`,
      () => (of(type).length >= count ? (of(type).at(-1) as Message) : undefined),
      SLOW_MS,
    );
  /** Nobody takes the message, and the node is killed after it was tried: it comes again under its id. */
  const throughCrash = async (type: string, count: number) => {
    answering = false;
    const message = await one(type, count);
    await world.kill();
    const tried = requests;
    answering = true;
    await world.restart();
    await waitFor(`the message ${type} again`, () => requests > tried || undefined, SLOW_MS);
    return message;
  };

  await world.send(2);
  assert.equal((await throughCrash('quarantine', 1)).data.records, 1);
  // More within the hour is reported at its end, in one message.
  await world.send(4);
  await waitFor('the quarantine', () => delivered(({ quarantined }) => quarantined === 3), SLOW_MS);
  move(61 * MINUTE_MS);
  assert.equal((await one('quarantine', 2)).data.records, 2);

  receiving = 'none';
  await world.send(5);
  const sent = Date.now() + ahead;
  await waitFor('the failure', () => delivered(({ pending }) => pending === 5), SLOW_MS);
  move(61 * MINUTE_MS);
  assert.equal((await one('lag', 1)).data.pending, 5);

  move(6 * DAY_MS - HOUR_MS);
  const day = await throughCrash('expiring', 1);
  assert.equal(day.data.pending, 5);
  const expires = Date.parse(day.data.expires_at ?? '');
  assert.ok(Math.abs(expires - sent - 7 * DAY_MS) < 2 * MINUTE_MS, day.data.expires_at);
  move(23 * HOUR_MS);
  assert.equal((await one('expiring', 2)).data.expires_at, day.data.expires_at);

  receiving = 'all';
  world.token = await world.api.authenticate(world.organisation);
  await world.call(202, 'POST', `/${id}/restart`);
  await waitFor('the records', () => delivered(({ pending }) => pending === 0), SLOW_MS);
  await waitFor('all events', () => events.size >= messages.size || undefined, SLOW_MS);
  const types = [...messages.values()].map(({ type }) => type.slice('data_stream.'.length));
  assert.deepEqual(types, ['quarantine', 'quarantine', 'lag', 'expiring', 'expiring']);
  assert.deepEqual([...events.values()], [10_005, 10_005, 10_004, 10_003, 10_003]);
  for (const type of new Set(types)) {
    const times = of(type).map(({ timestamp }) => Date.parse(timestamp));
    for (const [at, time] of times.entries())
      assert.ok(at === 0 || time - (times[at - 1] as number) >= HOUR_MS, `${type} at most once an hour`);
  }
});

interface Progress {
  readonly pending: number;
  readonly quarantined: number;
}
