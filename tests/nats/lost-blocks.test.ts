import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';
import { systemClock } from '../../src/lib/system-clock.ts';
import type { RecordLog } from '../../src/log/log.ts';
import { createNatsLog } from '../../src/log/nats.ts';
import { appendAll, textsOf } from '../../src/log/world.fixture.ts';
import { type Nats, openNats } from '../../src/storage/nats.ts';
import { type NatsServers, natsMissing, startNats } from '../support/nats-server.ts';
import { removeDirectory, temporaryDirectory } from '../support/owned.ts';
import { waitFor } from '../support/wait-for.ts';

const skip = natsMissing() ?? false;
const WAIT_MS = 60_000;

/** One server stands for a quorum: what the power loss takes is what was stored since its directory was copied. */
describe('the servers lost their power, and with it the last blocks', { skip }, () => {
  let servers: NatsServers;
  let nats: Nats;
  let earlier: string;
  let prefix = '';
  let tests = 0;
  const reports: string[] = [];
  const followers: AbortController[] = [];
  const open = (beginsAt = 1) =>
    createNatsLog(nats, {
      ...{ partitions: 1, clock: systemClock, retentionMs: 3_600_000, prefix },
      beginsAt: async () => beginsAt,
      report: (message) => reports.push(message),
    });
  /** The disk has what was stored until now. */
  const synced = async () => {
    await servers.kill(0);
    cpSync(servers.storeOf(0), earlier, { recursive: true });
    await servers.restart(0);
  };
  const losePower = async () => {
    await servers.kill(0);
    removeDirectory(servers.storeOf(0));
    cpSync(earlier, servers.storeOf(0), { recursive: true });
    await servers.restart(0);
  };
  const lastOf = async () =>
    (
      await waitFor(
        'the server answers',
        () => nats.manager.streams.info(`${prefix}-log-0`).catch(() => undefined),
        WAIT_MS,
      )
    ).state.last_seq;

  before(async () => {
    servers = await startNats();
    nats = await openNats({ servers: servers.urls, replicas: 1, clock: systemClock });
  });
  beforeEach(() => {
    prefix = `lost${++tests}`;
    earlier = temporaryDirectory();
    reports.length = 0;
  });
  after(async () => {
    for (const stop of followers) stop.abort();
    await nats.close();
    await servers.dispose();
  });

  const follow = (log: RecordLog, from: number) => {
    const seen: { sequence: number; text: string }[] = [];
    const stop = new AbortController();
    followers.push(stop);
    const ended = log.follow(
      0,
      from,
      (stored) => {
        for (const text of textsOf(stored)) seen.push({ sequence: stored.sequence, text });
      },
      stop.signal,
    );
    const until = (text: string) =>
      waitFor(
        () => `${text} arrives; ${JSON.stringify(seen)}`,
        () => seen.some((one) => one.text === text) || undefined,
        WAIT_MS,
      );
    const end = () => {
      stop.abort();
      return ended;
    };
    return { seen, until, end };
  };

  test('a node that ran on gives no sequence again, and hands each block over once', async () => {
    const log = await open();
    await appendAll(log, 0, ['a', 'b']);
    await synced();
    await lastOf();
    const follower = follow(log, 1);
    await appendAll(log, 0, ['c', 'd', 'e']);
    await follower.until('e');
    await losePower();
    assert.equal(await lastOf(), 2);
    const [f = 0, g = 0] = await appendAll(log, 0, ['f', 'g']);
    assert.ok(f > 5 && g > f, `${f}, ${g}`);
    await follower.until('g');
    // A node that takes the partition begins behind what was delivered.
    const successor = follow(await open(6), 6);
    await successor.until('g');
    await Promise.all([follower.end(), successor.end()]);
    assert.deepEqual(
      follower.seen.map(({ text }) => text),
      ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
    );
    assert.deepEqual(
      successor.seen.map(({ text }) => text),
      ['f', 'g'],
    );
    assert.match(reports.join('\n'), /lost1-log-0 went back from block \d to block 3/);
  });

  test('a node that starts gives no sequence again that its watermark has passed', async () => {
    const log = await open();
    await appendAll(log, 0, ['a', 'b']);
    await synced();
    await lastOf();
    await appendAll(log, 0, ['c', 'd', 'e']);
    await losePower();
    assert.equal(await lastOf(), 2);
    const started = await open(6);
    const [f = 0] = await appendAll(started, 0, ['f']);
    assert.ok(f >= 6, `${f}`);
    const follower = follow(started, 6);
    await follower.until('f');
    await follower.end();
    assert.deepEqual(follower.seen, [{ sequence: f, text: 'f' }]);
    assert.equal(reports.length, 1);
    assert.equal((await appendAll(await open(6), 0, ['g']))[0], f + 1);
    assert.equal(reports.length, 1);
  });

  test('a block that another node stored under a sequence that was passed is there for the next holder, too', async () => {
    const log = await open();
    await appendAll(log, 0, ['a', 'b']);
    await synced();
    await lastOf();
    const follower = follow(log, 1);
    await appendAll(log, 0, ['c', 'd', 'e']);
    await follower.until('e');
    await losePower();
    // It knows nothing of the blocks that are lost.
    const other = await open();
    assert.deepEqual(await appendAll(other, 0, ['f']), [3]);
    await follower.until('f');
    const successor = follow(other, 7);
    await successor.until('f');
    await appendAll(log, 0, ['g']);
    await Promise.all([follower.until('g'), successor.until('g')]);
    await Promise.all([follower.end(), successor.end()]);
    assert.deepEqual(
      follower.seen.map(({ text }) => text),
      ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
    );
    assert.deepEqual(
      successor.seen.map(({ text }) => text),
      ['f', 'g'],
    );
  });
});
