import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { nanos } from '@nats-io/transport-node';
import { ManualClock } from '../../src/lib/manual-clock.fixture.ts';
import { systemClock } from '../../src/lib/system-clock.ts';
import { testRecordLog } from '../../src/log/log.contract.ts';
import type { RecordLog } from '../../src/log/log.ts';
import { createNatsLog } from '../../src/log/nats.ts';
import {
  contents,
  newBlock,
  PARTITIONS,
  PLENTY,
  startFollower,
  textsOf,
} from '../../src/log/world.fixture.ts';
import { type Nats, openNats, StoreUnavailable } from '../../src/storage/nats.ts';
import { type NatsServers, natsMissing, startNats } from '../support/nats-server.ts';
import { waitFor } from '../support/wait-for.ts';

const skip = natsMissing() ?? false;
const RETENTION_MS = 7 * 86_400_000;
const KEY = { idempotencyKey: 'usage operator 7f3c', fingerprint: 'sha256-1' };
const NOTHING = /^$/;

describe('the record log on NATS', { skip }, () => {
  let servers: NatsServers;
  before(async () => {
    servers = await startNats();
  });
  after(() => servers.dispose());

  let worlds = 0;
  testRecordLog('NATS', {
    create: async () => {
      const prefix = `test-${++worlds}`;
      const clock = new ManualClock();
      let nats: Nats | undefined;
      let failing = false;
      const open = async () => openNats({ servers: servers.urls, replicas: 1, clock: systemClock });
      return {
        clock,
        open: async ({ partitions = PARTITIONS, ...options } = {}) => {
          // An open that failed left its connection.
          await nats?.close();
          nats = await open();
          const { publish } = nats;
          const failingPublish: Nats['publish'] = (...call) =>
            failing ? Promise.reject(new StoreUnavailable('no answer')) : publish(...call);
          return createNatsLog(
            { ...nats, publish: failingPublish },
            { partitions, clock, retentionMs: RETENTION_MS, prefix, ...options },
          );
        },
        close: async () => {
          await nats?.close();
          nats = undefined;
        },
        destroy: async () => {},
        tamper: async (partition, sequence, change) => {
          const opened = await open();
          await replaceMessage(opened, `${prefix}-log-${partition}`, sequence, change);
          await opened.close();
        },
        failWrites: (fail) => {
          failing = fail;
        },
      };
    },
  });

  /** A log, or one node's of several when `prefix` was used before. */
  const withLog = async (
    prefix: string,
    body: (
      log: RecordLog,
      world: { nats: Nats; clock: ManualClock; fail: (subject: RegExp) => void },
    ) => Promise<void>,
  ) => {
    const nats = await openNats({ servers: servers.urls, replicas: 1, clock: systemClock });
    // The servers stamp messages by the time of day.
    const clock = new ManualClock(Date.now());
    let failing = NOTHING;
    const publish: Nats['publish'] = (subject, ...rest) =>
      failing.test(subject)
        ? Promise.reject(new StoreUnavailable('no answer'))
        : nats.publish(subject, ...rest);
    try {
      const log = await createNatsLog(
        { ...nats, publish },
        { partitions: PARTITIONS, clock, retentionMs: RETENTION_MS, prefix },
      );
      await body(log, {
        nats,
        clock,
        fail: (subject) => {
          failing = subject;
        },
      });
    } finally {
      await nats.close();
    }
  };

  test('L4 of a request that was partly stored, a repetition stores the rest, and nothing twice', () =>
    withLog('partly', async (log, { fail }) => {
      const request = await Promise.all([newBlock(0, ['a']), newBlock(1, ['b']), newBlock(2, ['c'])]);
      fail(/\.log\.\d+\.1$/);
      assert.equal((await log.append(request, KEY)).type, 'unavailable');
      assert.equal((await log.append(request, KEY)).type, 'unavailable');
      fail(NOTHING);
      await log.append([await newBlock(0, ['between'])]);
      // Another node is asked, as by a producer whose connection was lost.
      await withLog('partly', async (other) => {
        assert.deepEqual(await other.append(request, KEY), {
          type: 'stored',
          positions: [
            { partition: 0, sequence: 1 },
            { partition: 1, sequence: 1 },
            { partition: 2, sequence: 1 },
          ],
        });
        assert.deepEqual(await other.append(request, KEY), { type: 'duplicate' });
      });
      assert.deepEqual(await log.append(request, KEY), { type: 'duplicate' });
      assert.deepEqual(await contents(log, 0), ['1:a', '2:between']);
      assert.deepEqual(await contents(log, 1), ['1:b']);
      assert.deepEqual(await contents(log, 2), ['1:c']);
    }));

  test('L4 it is so too when JetStream itself no longer knows the messages', () =>
    withLog('forgotten', async (log, { nats, clock, fail }) => {
      const request = await Promise.all([newBlock(0, ['a']), newBlock(1, ['b']), newBlock(0, ['c'])]);
      await nats.manager.streams.update('forgotten-log-0', { duplicate_window: nanos(100) });
      fail(/\.log\.\d+\.1$/);
      assert.equal((await log.append(request, KEY)).type, 'unavailable');
      fail(NOTHING);
      await untilForgotten(nats, 'forgotten.log.3.0', 'forgotten-log-0');
      await clock.advance(20 * 3_600_000);
      const outcome = await log.append(request, KEY);
      assert.deepEqual(outcome, {
        type: 'stored',
        positions: [
          { partition: 0, sequence: 1 },
          { partition: 1, sequence: 1 },
          { partition: 0, sequence: 2 },
        ],
      });
      assert.deepEqual((await contents(log, 0)).slice(0, 2), ['1:a', '2:c']);
      assert.deepEqual(await contents(log, 1), ['1:b']);
    }));

  test('a block longer than a message is cut; its records stay whole and in order', () =>
    withLog('large', async (log) => {
      const texts = Array.from({ length: 30 }, () => randomBytes(75_000).toString('base64'));
      const outcome = await log.append([await newBlock(0, ['before']), await newBlock(0, texts)], KEY);
      assert.equal(outcome.type, 'stored');
      assert.deepEqual(await log.append([await newBlock(0, ['before']), await newBlock(0, texts)], KEY), {
        type: 'duplicate',
      });
      const stored = await log.read(0, 1, PLENTY);
      assert.ok(stored.length > 3, `${stored.length} blocks`);
      assert.deepEqual(stored.flatMap(textsOf), ['before', ...texts]);
    }));

  test('after the connection was closed nothing can be stored or read', () =>
    withLog('closed', async (log, { nats }) => {
      const follower = startFollower(log, 0, 1);
      const block = await newBlock(0, ['a']);
      await log.append([block]);
      await follower.until(1);
      const closing = nats.close();
      const meanwhile = log.append([block]);
      await closing;
      assert.equal((await meanwhile).type, 'unavailable');
      assert.equal((await log.append([block], KEY)).type, 'unavailable');
      await assert.rejects(log.extent(0), StoreUnavailable);
      await assert.rejects(log.read(0, 2, PLENTY), StoreUnavailable);
      await follower.stop();
      assert.deepEqual(follower.labels(), ['1:a']);
    }));

  test('while NATS is away appends are unavailable in bounded time; then everything goes on', () =>
    withLog('away', async (log, { nats }) => {
      await log.append([await newBlock(0, ['a'])]);
      const follower = startFollower(log, 0, 1);
      await follower.until(1);
      await servers.kill(0);
      await waitFor('the loss is noticed', () => !nats.connected() || undefined);
      const during = await newBlock(0, ['b']);
      // The first one waits for a server that may come back, those after it do not: this must not wait 20 s.
      for (let i = 0; i < 3; i++) assert.equal((await log.append([during], KEY)).type, 'unavailable');
      await servers.restart(0);
      await waitFor('the connection is back', () => nats.connected() || undefined);
      assert.equal((await log.append([during], KEY)).type, 'stored');
      await follower.until(2);
      await follower.stop();
      assert.deepEqual(follower.labels(), ['1:a', '2:b']);
    }));
});

/** Publishes one id until it is stored a second time. */
async function untilForgotten({ jetstream }: Nats, subject: string, stream: string): Promise<void> {
  const publish = () => jetstream.publish(subject, 'not a block', { msgID: 'probe' });
  await publish();
  await waitFor(`${stream} has forgotten its messages`, async () => {
    const { duplicate } = await publish();
    return duplicate ? undefined : true;
  });
}

/** JetStream changes no message: the stream is made anew with another one in its place. */
async function replaceMessage(
  { manager, jetstream }: Nats,
  stream: string,
  sequence: number,
  change: (bytes: Uint8Array) => Uint8Array | undefined,
): Promise<void> {
  const { config, state } = await manager.streams.info(stream);
  const messages: Uint8Array[] = [];
  const missing: number[] = [];
  for (let at = 1; at <= state.last_seq; at++) {
    const bytes = (await manager.streams.getMessage(stream, { seq: at }))?.data;
    const changed = bytes && at === sequence ? change(bytes) : bytes;
    if (!changed) missing.push(at);
    messages.push(changed ?? new Uint8Array(0));
  }
  await manager.streams.delete(stream);
  await manager.streams.add(config);
  for (const bytes of messages) await jetstream.publish(config.subjects[0] as string, bytes);
  for (const at of missing) await manager.streams.deleteMessage(stream, at);
}
