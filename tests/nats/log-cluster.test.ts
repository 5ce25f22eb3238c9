import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TimeoutError } from '@nats-io/transport-node';
import { systemClock } from '../../src/lib/system-clock.ts';
import type { RecordLog } from '../../src/log/log.ts';
import { createNatsLog } from '../../src/log/nats.ts';
import { labelOf, newBlock, startFollower } from '../../src/log/world.fixture.ts';
import { createNatsRegistry } from '../../src/registry/nats.ts';
import type { Change, Entry, Registry } from '../../src/registry/registry.ts';
import { type Nats, openNats, StoreUnavailable } from '../../src/storage/nats.ts';
import { publisher } from '../../src/storage/nats-publish.ts';
import { watchQuorum } from '../../src/storage/nats-quorum.ts';
import { type NatsServers, natsMissing, startNats } from '../support/nats-server.ts';
import { waitFor } from '../support/wait-for.ts';

const skip = natsMissing() ?? false;
const RETENTION_MS = 7 * 86_400_000;
const WRITERS = 4;
const BEFORE = 100;
const AFTER = 50;

describe('the record log on three NATS servers', { skip }, () => {
  let servers: NatsServers;
  let appending: Nats;
  let following: Nats;
  before(async () => {
    servers = await startNats({ servers: 3 });
    // Two nodes: one of them loses its own connection when the leader is killed, or none does.
    appending = await openNats({ servers: servers.urls, replicas: 3, clock: systemClock });
    following = await openNats({ servers: servers.urls, replicas: 3, clock: systemClock });
  });
  after(async () => {
    await appending?.close();
    await following?.close();
    await servers?.dispose();
  });

  test('the leader is killed while blocks are appended and followed: none lost, none twice, order kept', async () => {
    const options = { partitions: 1, clock: systemClock, retentionMs: RETENTION_MS };
    const log = await createNatsLog(appending, options);
    const follower = startFollower(await createNatsLog(following, options), 0, 1);

    const acknowledged: { label: string; sequence: number | undefined }[] = [];
    const reached = (count: number) => () => acknowledged.length >= count;
    let enough = false;
    const write = async (writer: number) => {
      for (let i = 0; !enough; i++) {
        const label = `${writer}.${i}`;
        acknowledged.push({ label, sequence: await appendUntilStored(log, label) });
      }
    };
    const writers = Array.from({ length: WRITERS }, (_, writer) => write(writer));
    await until(reached(BEFORE));
    const leader = await leaderOf(appending, 'simstream-log-0');
    await servers.kill(leader);
    const atKill = acknowledged.length;
    await until(reached(atKill + WRITERS + AFTER));
    await servers.restart(leader);
    enough = true;
    await Promise.all(writers);

    const { next } = await log.extent(0);
    await follower.until(next - 1);
    await follower.stop();
    const seen = follower.seen.map((stored) => ({
      sequence: stored.sequence,
      label: labelOf(stored).slice(`${stored.sequence}:`.length),
    }));
    assert.deepEqual(
      seen.map(({ sequence }) => sequence),
      seen.map((_, i) => i + 1),
    );
    assert.deepEqual(
      seen.map(({ label }) => label).toSorted(),
      acknowledged.map(({ label }) => label).toSorted(),
    );
    for (const { label, sequence } of acknowledged)
      if (sequence !== undefined) assert.equal(seen[sequence - 1]?.label, label);
    for (let writer = 0; writer < WRITERS; writer++) {
      const own = seen.map(({ label }) => label).filter((label) => label.startsWith(`${writer}.`));
      assert.deepEqual(
        own,
        own.map((_, i) => `${writer}.${i}`),
      );
    }
  });
});

describe('the registry on three NATS servers', { skip }, () => {
  test('the leader is killed: no write is lost or taken for a conflict, reads see it, a watcher is told the last of each', async () => {
    const servers = await startNats({ servers: 3 });
    const writing = await openNats({ servers: servers.urls, replicas: 3, clock: systemClock });
    const watching = await openNats({ servers: servers.urls, replicas: 3, clock: systemClock });
    const stop = new AbortController();
    try {
      const registry = await createNatsRegistry(writing);
      const told = new Map<string, Change>();
      const elsewhere = await createNatsRegistry(watching);
      const tell = (change: Change) => {
        const before = told.get(change.key);
        assert.ok(!before || change.revision > before.revision, 'told twice or backwards');
        told.set(change.key, change);
      };
      await elsewhere.watch('counter', tell, stop.signal);

      await retriesAreNoConflicts(writing);

      const count = async (key: string, until: () => boolean) => {
        let [value, revision] = [0, 0];
        while (!until()) {
          revision = await putUntilStored(registry, { key, value: ++value, revision });
          written++;
        }
        return { key, value, revision };
      };
      let written = 0;
      let enough = Number.POSITIVE_INFINITY;
      const counts = ['counter.a', 'counter.b', 'counter.c'].map((key) => count(key, () => written > enough));
      await until(() => written > BEFORE);
      await servers.kill(await leaderOf(writing, 'KV_simstream-registry'));
      enough = written + AFTER;
      const last = await Promise.all(counts);
      for (const entry of last) {
        assert.deepEqual(await elsewhere.get(entry.key), entry);
        await waitFor(
          `${entry.key} is told`,
          () => told.get(entry.key)?.revision === entry.revision || undefined,
        );
      }
      const listed: Entry[] = [];
      for await (const entry of elsewhere.list('counter')) listed.push(entry);
      assert.deepEqual(listed, last);
    } finally {
      stop.abort();
      await writing.close();
      await watching.close();
      await servers.dispose();
    }
  });
});

/** An acknowledgement is lost: the second try meets what the first one stored. */
async function retriesAreNoConflicts(nats: Nats): Promise<void> {
  const subject = '$KV.simstream-registry.retried';
  const bytes = Buffer.from('1');
  const losing = (between: () => Promise<unknown>) => {
    let lost = false;
    const publish: Nats['jetstream']['publish'] = async (...call) => {
      const ack = await nats.jetstream.publish(...call);
      if (lost) return ack;
      lost = true;
      await between();
      throw new TimeoutError();
    };
    return publisher(
      nats.manager,
      { ...nats.jetstream, publish },
      nats.ask,
      watchQuorum(systemClock, () => false),
      systemClock,
    );
  };
  const first = await nats.publish(subject, bytes, { id: nats.uniqueId(), expected: 0 });
  assert.ok(first.type === 'stored');
  const nothing = async () => {};
  const second = await losing(nothing)(subject, bytes, { id: nats.uniqueId(), expected: first.sequence });
  assert.deepEqual(second, { type: 'stored', sequence: first.sequence + 1, duplicate: true });
  const replace = () => nats.publish(subject, bytes, { id: nats.uniqueId() });
  const third = losing(replace)(subject, bytes, { id: nats.uniqueId(), expected: first.sequence + 1 });
  await assert.rejects(third, StoreUnavailable);
}

/** As a producer does: the same request under the same key until it is acknowledged. */
async function appendUntilStored(log: RecordLog, label: string): Promise<number | undefined> {
  const block = await newBlock(0, [label]);
  for (;;) {
    const outcome = await log.append([block], { idempotencyKey: label });
    if (outcome.type === 'stored') return outcome.positions[0]?.sequence;
    if (outcome.type === 'duplicate') return undefined;
    assert.equal(outcome.type, 'unavailable');
  }
}

/**
 * Nobody else writes the key: a conflict is a fault. A write whose outcome is not known, because no leader was elected in
 * time, is looked for, and made again if it is not there.
 * @param next the value, and the revision that it replaces
 * @returns its revision
 */
async function putUntilStored(registry: Registry, { key, value, revision }: Entry): Promise<number> {
  for (;;) {
    const outcome = await registry.put(key, value, revision);
    if (outcome.type === 'stored') return outcome.revision;
    assert.equal(outcome.type, 'unavailable', `${key}=${value} after revision ${revision}`);
    const there = await waitFor(`${key} is read`, () => registry.get(key).catch(() => undefined));
    if (there.value === value) return there.revision;
    assert.equal(there.revision, revision, `${key} holds ${JSON.stringify(there)} in place of ${value}`);
  }
}

async function leaderOf({ manager }: Nats, stream: string): Promise<number> {
  const { cluster } = await manager.streams.info(stream);
  const leader = /^n(\d)$/.exec(cluster?.leader ?? '')?.[1];
  assert.ok(leader, `${stream} has no leader`);
  return Number(leader);
}

async function until(reached: () => boolean): Promise<void> {
  await waitFor('enough blocks are acknowledged', () => reached() || undefined);
}
