import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { StorageType } from '@nats-io/jetstream';
import { systemClock } from '../../src/lib/system-clock.ts';
import { type Nats, openNats } from '../../src/storage/nats.ts';
import { differ, readCopies } from '../../src/storage/nats-copies.ts';
import { compareReplicas, copyAnew, restoreReplicas } from '../../src/storage/nats-rebuild.ts';
import { type NatsServers, natsMissing, startNats } from '../support/nats-server.ts';

const MESSAGES = 200;
const SERVERS = ['n0', 'n1', 'n2'];

describe('replicas on three NATS servers', { skip: natsMissing() ?? false }, () => {
  let servers: NatsServers;
  let nats: Nats;
  before(async () => {
    servers = await startNats({ servers: 3 });
    nats = await openNats({ servers: servers.urls, replicas: 3, clock: systemClock });
    await nats.ensureStream({ name: 'x', subjects: ['x'], storage: StorageType.File });
    for (let i = 0; i < MESSAGES; i++) await nats.publish('x', Buffer.from(`${i}`), { id: `${i}` });
  });
  after(async () => {
    await nats?.close();
    await servers?.dispose();
  });

  const untilSame = async () => {
    for (;;) {
      await restoreReplicas(nats, 'x');
      const outcome = await compareReplicas(nats, 'x', 1);
      if (outcome.type !== 'later') return outcome;
      await systemClock.sleep(100);
    }
  };

  test('each server’s replica is read, and they are the same', async () => {
    assert.equal((await untilSame()).type, 'same');
    const copies = await readCopies(nats, 'x', SERVERS, 1);
    assert.deepEqual(
      copies?.map(({ server, messages }) => [server, messages.size]),
      SERVERS.map((server) => [server, MESSAGES]),
    );
  });

  test('a replica is copied anew while messages are stored: none is refused or lost', async () => {
    const { cluster } = await nats.manager.streams.info('x');
    const odd = cluster?.replicas?.[0]?.name as string;
    let done = false;
    const copying = copyAnew(nats, 'x', [odd]).finally(() => {
      done = true;
    });
    let stored = MESSAGES;
    while (!done && stored < 2 * MESSAGES) {
      await nats.publish('x', Buffer.from(`${stored}`), { id: `${stored++}` });
      // As fast as it goes, or without an end, a busy machine would never have a replica that is up to date.
      await systemClock.sleep(20);
    }
    // Where the servers take longer than anybody waits for a copy, the next comparison ends it.
    const copied = await copying;
    assert.deepEqual(copied, copied.length > 0 ? [odd] : []);
    const outcome = await untilSame();
    assert.deepEqual(outcome.type, 'same');
    const { config, state } = await nats.manager.streams.info('x');
    assert.deepEqual([config.num_replicas, state.messages], [3, stored]);
  });

  test('a stream that lost a replica, and the node that removed it, gets it back', async () => {
    const { cluster } = await nats.manager.streams.info('x');
    const peer = cluster?.replicas?.[0]?.name as string;
    await nats.connection.request('$JS.API.STREAM.PEER.REMOVE.x', JSON.stringify({ peer }));
    await nats.manager.streams.update('x', { num_replicas: 2 });
    await restoreReplicas(nats, 'x');
    assert.equal((await untilSame()).type, 'same');
  });

  test('another order, and a message that was left out, are differences; what was removed is none', () => {
    const copyOf = (from: number, ids: readonly string[]) => ({
      server: '',
      messages: new Map(ids.map((id, at) => [from + at, { subject: 'x', id }])),
    });
    const leader = copyOf(1, ['a', 'b', 'c', 'd']);
    assert.equal(differ(leader, copyOf(1, ['a', 'b', 'c'])), false);
    assert.equal(differ(leader, copyOf(3, ['c', 'd'])), false);
    assert.equal(differ(leader, copyOf(1, ['a', 'c', 'b', 'd'])), true);
    assert.equal(differ(leader, copyOf(1, ['a', 'c', 'd'])), true);
  });
});
