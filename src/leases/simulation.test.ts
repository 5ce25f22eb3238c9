import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MOST_AHEAD_MS } from './cluster-clock.ts';
import { LeasesWorld, type TestRun } from './world.fixture.ts';

/** Two minutes of mishaps in a world of up to five nodes, then calm. */
async function simulate(seed: number, aloneMs: number): Promise<void> {
  const world = new LeasesWorld(seed, { partitions: 6, timing: { aloneMs } });
  const { clock, random } = world;
  const epochs = new Map<number, number>();
  const context = () => `seed ${seed}, ${clock.monotonic()} ms`;
  /** When something was wrong last between each node and the registry. */
  const away = new Map<string, number>();
  let names = 0;

  const check = () => {
    for (const node of world.nodes) if (node.away) away.set(node.name, clock.monotonic());
    for (let partition = 0; partition < world.partitions; partition++) {
      const sending = world.sending(partition);
      const named = sending.map(({ node, epoch }) => `${node.name}/${epoch}`);
      assert.ok(sending.length < 2, `two may send for ${partition}: ${named}; ${context()}`);
      // An older run that waits for the registry may still be there, but not for long after it is back.
      const live = world.live(partition);
      const waiting = live.filter(({ node }) => clock.monotonic() - (away.get(node.name) ?? -60_000) < 5_000);
      assert.ok(
        live.length < 2 || (aloneMs > 0 && live.length - waiting.length <= 1),
        `two runs of ${partition}; ${context()}`,
      );
    }
  };
  world.onRun = ({ partition, epoch }: TestRun) => {
    assert.ok(epoch > (epochs.get(partition) ?? 0), `epoch ${epoch} of ${partition}; ${context()}`);
    epochs.set(partition, epoch);
    check();
  };
  const advance = async (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += 100) {
      await clock.advance(100);
      check();
    }
  };
  const pick = <T>(from: readonly T[]): T | undefined => from[Math.floor(random.next() * from.length)];
  const mishaps: (() => void)[] = [
    () => {
      if (world.nodes.filter((node) => node.running && !node.hasEnded).length < 5) world.start(`n${names++}`);
    },
    () => pick(world.nodes.filter(({ running }) => running))?.stop(),
    () => pick(world.nodes.filter(({ running }) => running))?.kill(),
    () => pick(world.nodes.filter(({ running }) => running))?.pause(),
    () => pick(world.nodes)?.resume(),
    () => {
      const node = pick(world.nodes);
      if (node) node.cut = !node.cut;
    },
    () => {
      world.up = !world.up;
    },
    () => {
      const node = pick(world.nodes);
      if (node) node.losesLeases += 1 + Math.floor(random.next() * 6);
    },
    () => {
      const node = pick(world.nodes);
      if (node) node.deaf = true;
    },
    () => {
      const node = pick(world.nodes);
      if (node) node.unanswered = !node.unanswered;
    },
    () => {
      const node = pick(world.nodes);
      if (node) node.mute = !node.mute;
    },
    () => {
      const node = pick(world.nodes);
      if (node) node.skewMs = (random.next() - 0.5) * 4 * MOST_AHEAD_MS;
    },
    () => {
      const node = pick(world.nodes);
      if (node) node.hangs += 1 + Math.floor(random.next() * 4);
    },
    () => {
      const node = pick(world.nodes);
      if (node) node.readsOf = node.readsOf === undefined ? clock.monotonic() : undefined;
    },
    // By so much that no revision comes up twice: where one does, no compare-and-set can help, only the epoch in each commit.
    () => world.rollBack(10_000),
  ];

  for (let i = 0; i < 3; i++) world.start(`n${names++}`);
  await advance(3_000);
  for (let i = 0; i < 24; i++) {
    pick(mishaps)?.();
    await advance(500 + random.next() * (random.next() < 0.3 ? 12_000 : 3_000));
  }
  world.up = true;
  for (const node of world.nodes) {
    node.cut = false;
    node.unanswered = false;
    node.mute = false;
    node.hangs = 0;
    node.readsOf = undefined;
    node.resume();
  }
  world.start(`n${names++}`);
  await advance(40_000);
  assert.ok(world.allHeld(), `${world.holders().join(' ')}; ${context()}`);
  const settled = world.live();
  const writes = world.writes;
  await advance(20_000);
  assert.deepEqual(world.live(), settled, `something still moves; ${context()}`);
  const nodes = world.nodes.filter((node) => node.running && !node.hasEnded).length;
  assert.ok((world.writes - writes) / 20 <= nodes * 1.2, `${world.writes - writes} writes; ${context()}`);
}

const SEEDS = Array.from({ length: 4 }, (_, seed) => seed);

test('no two nodes hold a partition, epochs grow, and in the end every partition is held', async () => {
  for (const seed of SEEDS) await simulate(seed, 0);
});

test('a node that was cut off keeps its runs, sends nothing while another may hold them, and goes on', async () => {
  for (const seed of SEEDS) await simulate(1_000 + seed, 300_000);
});
