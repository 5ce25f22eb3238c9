import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterLoad } from '../support/cluster-load.ts';
import { ClusterWorld } from '../support/cluster-world.ts';
import { natsMissing } from '../support/nats-server.ts';
import { generator } from '../support/usage-records.ts';

const NODES = 3;
const SERVERS = 3;
/** Rounds of every kind of disruption, each round in an order of its own: one where all tests run, more for a soak. */
const ROUNDS = Number(process.env.SIMSTREAM_TEST_ROUNDS ?? 1);
/** SIMSTREAM_TEST_SEED repeats the choices of a run, though never quite its timing. */
const SEED = Number(process.env.SIMSTREAM_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32));
/** Longer than a lease, and than it takes others to notice. */
const PAUSE_MS = 9_000;
const SETTLE_WITHIN_MS = 60_000;

test('nodes and NATS servers are killed, stopped and drained under load: nothing is lost, all in order', {
  skip: natsMissing(),
  timeout: 120_000 + ROUNDS * 180_000,
}, async (t) => {
  t.diagnostic(`SIMSTREAM_TEST_SEED=${SEED}`);
  const random = generator(SEED);
  const world = new ClusterWorld({ nodes: NODES, servers: SERVERS, replicas: 3, partitions: 8 });
  const load = new ClusterLoad(
    { organisations: 40, streamsEach: 5, receivers: 4, batch: 5, paceMs: 400 },
    () => world.urls,
  );
  t.after(async () => {
    await load.end();
    await world.end();
  });
  await world.begin();
  await load.setUp();
  load.start();

  const any = (count: number) => Math.floor(random() * count);
  const others = (index: number) => [0, 1, 2].filter((each) => each !== index);
  const seconds = (milliseconds: number) => `${(milliseconds / 1_000).toFixed(1)} s`;
  const disruptions: Readonly<Record<string, () => Promise<string>>> = {
    'kill -9 of a node': async () => {
      const node = any(NODES);
      await world.killNode(node);
      const taken = await world.shared(others(node));
      await world.startNode(node);
      return `replaced in ${seconds(taken)}; back, it had its share ${seconds(await world.shared([0, 1, 2]))} after it was ready`;
    },
    'SIGSTOP of a node for longer than a lease': async () => {
      const node = any(NODES);
      world.pauseNode(node, true);
      const [taken] = await Promise.all([world.shared(others(node)), sleep(PAUSE_MS)]);
      world.pauseNode(node, false);
      return `replaced in ${seconds(taken)}; back, it had its share after ${seconds(await world.shared([0, 1, 2]))}`;
    },
    'SIGTERM of a node': async () => {
      const node = any(NODES);
      const started = performance.now();
      const [taken] = await Promise.all([world.shared(others(node)), world.drainNode(node)]);
      const ended = performance.now() - started;
      await world.startNode(node);
      await world.shared([0, 1, 2]);
      return `handed over in ${seconds(taken)}, gone after ${seconds(ended)}`;
    },
    'kill -9 of a NATS server': async () => {
      const server = any(SERVERS);
      await world.nats.kill(server);
      await moreAcknowledged(load);
      await world.nats.restart(server);
      return 'records were taken without it';
    },
  };

  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, disrupt] of shuffled(Object.entries(disruptions), random)) {
      await moreAcknowledged(load);
      for (const arrivals of load.arrivals) arrivals.disrupt(performance.now());
      const told = await disrupt();
      await world.calm();
      t.diagnostic(`${name}: ${told}`);
      assert.deepEqual(faults(load), [], name);
    }
  }
  try {
    await load.settle(SETTLE_WITHIN_MS);
  } catch (error) {
    t.diagnostic(world.output());
    throw error;
  }
  const repeated = load.arrivals.reduce((sum, arrivals) => sum + arrivals.repeated, 0);
  const retries = [...load.retries].map(([what, times]) => `${times} × ${what}`).join(', ');
  t.diagnostic(
    `${load.acknowledged} records acknowledged, each delivered to 5 of ${load.arrivals.length} streams; ` +
      `${repeated} deliveries of a record were repetitions; requests made again: ${retries || 'none'}; ` +
      `the slowest one was acknowledged after ${seconds(load.slowestMs)}`,
  );
  assert.deepEqual(faults(load), []);
  assert.equal(load.missing(), 0);
});

function faults(load: ClusterLoad): string[] {
  return load.arrivals.flatMap((arrivals, stream) =>
    arrivals.faults.map((fault) => `stream ${stream}: ${fault}`),
  );
}

/** Some records of every organisation are on their way. */
async function moreAcknowledged(load: ClusterLoad): Promise<void> {
  const enough = load.acknowledged + 500;
  while (load.acknowledged < enough) await sleep(50);
}

function shuffled<T>(values: readonly T[], random: () => number): T[] {
  return values
    .map((value) => ({ value, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value);
}
