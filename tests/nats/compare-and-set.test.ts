import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '../../src/lib/system-clock.ts';
import { createNatsRegistry } from '../../src/registry/nats.ts';
import type { Registry } from '../../src/registry/registry.ts';
import { type Nats, openNats } from '../../src/storage/nats.ts';
import { type NatsServers, natsMissing, startNats } from '../support/nats-server.ts';

const skip = natsMissing() ?? false;
const SERVERS = 3;
/** With the server's own comparison alone (2.9.10), each run lost some forty of so many increments. */
const INCREMENTS = 150;
const ROUNDS = 50;

describe('compare-and-set on three NATS servers, by clients of each', { skip }, () => {
  let servers: NatsServers;
  let connections: Nats[];
  let registries: Registry[];
  before(async () => {
    servers = await startNats({ servers: SERVERS });
    connections = await Promise.all(
      servers.urls.map((url) => openNats({ servers: [url], replicas: SERVERS, clock: systemClock })),
    );
    registries = await Promise.all(connections.map((nats) => createNatsRegistry(nats)));
  });
  after(async () => {
    await Promise.all(connections.map((nats) => nats.close()));
    await servers.dispose();
  });

  const first = () => registries[0] as Registry;
  const revisionOf = async (key: string) => (await first().get(key))?.revision ?? 0;

  /** What the clients do at the same moment: one of them may. */
  const oneOf = async (contest: (registry: Registry, client: number) => ReturnType<Registry['put']>) => {
    const outcomes = await Promise.all(registries.map(contest));
    const types = outcomes.map(({ type }) => type).sort();
    assert.deepEqual(types, ['conflict', 'conflict', 'stored']);
  };

  test('no increment of a counter is lost', async () => {
    await first().put('counter.one', 0);
    const increment = async (registry: Registry): Promise<number> => {
      let stored = 0;
      for (let turn = 0; turn < INCREMENTS; turn++) {
        const entry = await registry.get('counter.one');
        assert.ok(entry);
        const outcome = await registry.put('counter.one', Number(entry.value) + 1, entry.revision);
        if (outcome.type === 'stored') stored++;
        else assert.equal(outcome.type, 'conflict');
      }
      return stored;
    };
    const stored = await Promise.all(registries.map(increment));
    const sum = stored.reduce((total, count) => total + count, 0);
    assert.equal((await first().get('counter.one'))?.value, sum);
  });

  test('of those that create, change, delete and create again, one succeeds each time', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const key = `contest.${round}`;
      await oneOf((registry, client) => registry.put(key, client, 0));
      let revision = await revisionOf(key);
      await oneOf((registry, client) =>
        client === 1 ? registry.delete(key, revision) : registry.put(key, client, revision),
      );
      revision = await revisionOf(key);
      if (revision > 0) await first().delete(key, revision);
      await oneOf((registry, client) => registry.put(key, client, 0));
    }
  });
});
