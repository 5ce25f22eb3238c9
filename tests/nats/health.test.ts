import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '../../src/lib/system-clock.ts';
import type { RecordLog } from '../../src/log/log.ts';
import { createNatsLog } from '../../src/log/nats.ts';
import { newBlock } from '../../src/log/world.fixture.ts';
import { type Nats, openNats } from '../../src/storage/nats.ts';
import { type NatsServers, natsMissing, startNats } from '../support/nats-server.ts';
import { waitFor } from '../support/wait-for.ts';

const skip = natsMissing() ?? false;
const WAIT_MS = 60_000;
const PASSWORD = 'a-password-of-nats';
const PARTITIONS = 3;
/** May store in partitions 0 and 1 only. */
const USERS = `accounts { simstream { jetstream: enabled, users: [
  { user: simstream, password: "${PASSWORD}" },
  { user: limited, password: "${PASSWORD}", permissions: { publish: { deny: "health.log.${PARTITIONS}.2" } } }
] } }`;

describe('a node says which partitions take no records', { skip }, () => {
  let servers: NatsServers;
  let nats: Nats;
  let log: RecordLog;
  let ahead = 0;
  const reports: string[] = [];
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + ahead };
  const urlOf = (user: string) => (url: string) => url.replace('//', `//${user}:${PASSWORD}@`);
  const open = async (user: string) => {
    const opened = await openNats({ servers: servers.urls.map(urlOf(user)), replicas: 1, clock });
    const options = { partitions: PARTITIONS, clock, retentionMs: 3_600_000, prefix: 'health' };
    return {
      nats: opened,
      log: await createNatsLog(opened, { ...options, report: (message) => reports.push(message) }),
    };
  };
  /** What is seen at a look that begins now or later. */
  const seen = async (of: RecordLog, pattern: RegExp | undefined) => {
    let last: readonly string[] = [];
    return waitFor(
      () => `${pattern ?? 'no fault'} is seen; ${last.join('; ')}`,
      async () => {
        ahead += 20_000;
        last = ((await of.faults?.()) ?? []).map(({ words }) => words);
        const isSeen = pattern ? last.length === 1 && pattern.test(last[0] as string) : last.length === 0;
        return isSeen || undefined;
      },
      WAIT_MS,
      50,
    );
  };
  const append = async (of: RecordLog, partition: number) =>
    (await of.append([await newBlock(partition, ['a'])])).type;

  before(async () => {
    servers = await startNats({ more: USERS, probe: urlOf('simstream') });
    ({ nats, log } = await open('simstream'));
  });
  after(async () => {
    await nats.close();
    await servers.dispose();
  });

  test('of streams that are as they should be it says nothing', async () => {
    assert.equal(await append(log, 0), 'stored');
    assert.deepEqual(await log.faults?.(), []);
  });

  test('a partition whose stream was deleted, until it is there again', async () => {
    const { config } = await nats.manager.streams.info('health-log-1');
    await nats.manager.streams.delete('health-log-1');
    await seen(log, /^records of partition 1 are refused: the stream health-log-1 was deleted: restore it/);
    // Reported once, at the second look, however often it is seen.
    const told = () => reports.filter((words) => words.includes('health-log-1')).length;
    await waitFor(
      'it is reported',
      async () => {
        await seen(log, /^records of partition 1 are refused/);
        return told() > 0 || undefined;
      },
      WAIT_MS,
      50,
    );
    assert.equal(told(), 1);
    await nats.manager.streams.add(config);
    await seen(log, undefined);
  });

  test('the bucket that requests with a key need', async () => {
    const { config } = await nats.manager.streams.info('KV_health-requests');
    await nats.manager.streams.delete('KV_health-requests');
    await seen(
      log,
      /^requests with an Idempotency-Key are refused: the stream KV_health-requests was deleted/,
    );
    await nats.manager.streams.add(config);
    await seen(log, undefined);
  });

  test('a stream that is full, until it has room', async () => {
    const { state, config } = await nats.manager.streams.info('health-log-0');
    await nats.manager.streams.update('health-log-0', { ...config, max_msgs: state.messages });
    assert.equal(await append(log, 0), 'unavailable');
    await seen(log, /^records of partition 0 are refused: health-log-0: maximum messages exceeded/);
    await nats.manager.streams.update('health-log-0', { ...config, max_msgs: -1 });
    await seen(log, undefined);
    assert.equal(await append(log, 0), 'stored');
  });

  test('a partition that the user may not write to', async () => {
    const limited = await open('limited');
    try {
      assert.equal(await append(limited.log, 1), 'stored');
      assert.equal(await append(limited.log, 2), 'unavailable');
      await seen(limited.log, /^records of partition 2 are refused: health-log-2: /);
    } finally {
      await limited.nats.close();
    }
  });
});
