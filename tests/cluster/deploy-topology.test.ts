import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connect } from '@nats-io/transport-node';
import { readConfig } from '../../src/config/read-config.ts';
import { systemClock } from '../../src/lib/system-clock.ts';
import { openNats } from '../../src/storage/nats.ts';
import { createApiClient } from '../support/api-client.ts';
import { readCompose } from '../support/deploy-compose.ts';
import { startTopology, type Topology } from '../support/deploy-topology.ts';
import { freePort } from '../support/free-port.ts';
import { natsMissing } from '../support/nats-server.ts';
import { type NodeProcess, OPERATOR_TOKEN, startNode } from '../support/node-process.ts';
import { waitFor } from '../support/wait-for.ts';

/** What /jsz says of the servers that together are JetStream. */
interface MetaCluster {
  readonly leader?: string;
  readonly cluster_size?: number;
}

describe('the compose file, as processes', { skip: natsMissing() }, () => {
  let topology: Topology;
  before(async () => {
    topology = await startTopology(readCompose());
  });
  after(() => topology?.dispose());

  /** The name of the one leader that all the servers given agree on. */
  const leaderOf = (names: readonly string[], before?: string) =>
    waitFor(
      () => topology.nats.map(({ name, output }) => `--- ${name}\n${output()}`).join('\n'),
      async () => {
        const seen = await Promise.all(
          topology.nats.filter(({ name }) => names.includes(name)).map(({ monitor }) => metaCluster(monitor)),
        );
        const leaders = new Set(seen.map((cluster) => cluster?.leader ?? ''));
        if (seen.some((cluster) => cluster?.cluster_size !== topology.nats.length)) return undefined;
        const [leader] = leaders;
        return leaders.size === 1 && leader && leader !== before ? leader : undefined;
      },
    );

  test('three servers form one JetStream cluster with a leader', async () => {
    const names = topology.nats.map(({ name }) => name);
    assert.equal(names.length, 3);
    assert.ok(names.includes(await leaderOf(names)));
  });

  test('their health checks pass', async () => {
    for (const { name, healthUrl } of topology.nats) {
      await waitFor(`${name} is healthy`, async () => ((await fetch(healthUrl)).ok ? true : undefined));
    }
  });

  test('each node has settings with which it reaches them, and keeps three copies', async () => {
    assert.equal(topology.nodes.length, 3);
    for (const { environment } of topology.nodes) {
      const outcome = readConfig({}, environment ?? {});
      assert.ok('config' in outcome, JSON.stringify(outcome));
      assert.equal(outcome.config.natsUrl.length, 3);
      // Each address on its own, so that a wrong one is not hidden by the others.
      for (const url of outcome.config.natsUrl) {
        const nats = await openNats({
          servers: [url],
          replicas: outcome.config.natsReplicas,
          clock: systemClock,
        });
        await nats.close();
      }
    }
    const servers = (topology.nodes[0]?.environment?.SIMSTREAM_NATS_URL ?? '').split(',');
    const nats = await openNats({ servers, replicas: 3, clock: systemClock });
    try {
      const stream = await nats.ensureStream({ name: 'try', subjects: ['try'] });
      assert.equal(stream.config.num_replicas, 3);
      await nats.publish('try', new Uint8Array(3), { id: 'one' });
    } finally {
      await nats.close();
    }
  });

  test('the nodes of the file run on them, and share the partitions', async (t) => {
    const nodes: NodeProcess[] = [];
    t.after(() => Promise.all(nodes.map((node) => node.kill())));
    for (const options of topology.nodes) {
      const environment: Record<string, string> = { ...options.environment, SIMSTREAM_HOST: '127.0.0.1' };
      const port = await freePort();
      const operatorToken = environment.SIMSTREAM_OPERATOR_TOKEN ?? OPERATOR_TOKEN;
      nodes.push(
        await startNode({
          ...options,
          port,
          operatorToken,
          environment: { ...environment, SIMSTREAM_PORT: String(port) },
          readyWithinMs: 60_000,
        }),
      );
    }
    const { url } = nodes[2] as NodeProcess;
    const token = topology.nodes[2]?.environment?.SIMSTREAM_OPERATOR_TOKEN ?? OPERATOR_TOKEN;
    let seen: unknown;
    await waitFor(
      () => `three nodes share all partitions: ${JSON.stringify(seen)}`,
      async () => {
        const answer = await createApiClient(url).call('GET', '/operator/v1/nodes', token);
        assert.equal(answer.status, 200, answer.text);
        const view = JSON.parse(answer.text) as {
          nodes: { partitions: unknown[] }[];
          unheld_partitions: unknown[];
        };
        seen = view;
        const isShared =
          view.nodes.length === 3 && view.nodes.every(({ partitions }) => partitions.length > 0);
        return (isShared && view.unheld_partitions.length === 0) || undefined;
      },
    );
  });

  test('without the password a server takes nobody', async () => {
    for (const password of [undefined, 'other']) {
      const [url = ''] = (topology.nodes[0]?.environment?.SIMSTREAM_NATS_URL ?? '').split(',');
      await assert.rejects(
        connect({
          servers: new URL(url).host,
          reconnect: false,
          timeout: 5_000,
          ...(password === undefined ? {} : { user: 'simstream', pass: password }),
        }),
        /authorization/i,
      );
    }
  });

  test('a server that is told to stop hands its leadership over', async () => {
    const names = topology.nats.map(({ name }) => name);
    const first = await leaderOf(names);
    const leader = topology.nats.find(({ name }) => name === first);
    assert.ok(leader);
    leader.signal(readCompose().services[first]?.stop_signal ?? 'SIGTERM');
    const others = names.filter((name) => name !== first);
    assert.ok(others.includes(await leaderOf(others, first)));
    assert.match(leader.output(), /[Ll]ame duck/);
  });
});

async function metaCluster(monitor: string): Promise<MetaCluster | undefined> {
  try {
    const answer = (await (await fetch(`${monitor}/jsz`)).json()) as { meta_cluster?: MetaCluster };
    return answer.meta_cluster;
  } catch {
    return undefined;
  }
}
