import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CrashWorld } from './support/crash-world.ts';
import { generator } from './support/usage-records.ts';
import { waitFor } from './support/wait-for.ts';

/** SIMSTREAM_TEST_ROUNDS sets another number, for a longer run by hand. */
const ROUNDS = Number(process.env.SIMSTREAM_TEST_ROUNDS ?? 30);
/** One round in so many ends while the node is still starting. */
const KILL_WHILE_STARTING = 6;
/** SIMSTREAM_TEST_SEED repeats the choices of a run, though never quite its timing. */
const SEED = Number(process.env.SIMSTREAM_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32));

test(`${ROUNDS} times kill -9 under load: all that was acknowledged arrives, in order`, {
  timeout: 20_000 * ROUNDS,
}, async (t) => {
  t.diagnostic(`SIMSTREAM_TEST_SEED=${SEED}`);
  const random = generator(SEED);
  const world = new CrashWorld(random);
  t.after(() => world.end());
  await world.begin();

  for (let round = 1; round <= ROUNDS; round++) {
    if (round % KILL_WHILE_STARTING === 0) {
      await killWhileStarting(world, random() * 800);
    } else {
      await someLoad(world, random);
      await world.kill();
    }
    assert.deepEqual(world.order.faults, [], `after round ${round}`);
    if (round % KILL_WHILE_STARTING !== KILL_WHILE_STARTING - 1 && round < ROUNDS) await world.start();
  }
  await world.start();
  const { progress } = await world.settle();

  const { order } = world;
  const repeated = order.repeated.reduce((sum, count) => sum + count, 0);
  t.diagnostic(
    `${world.acknowledged} records acknowledged, ${order.count} arrived in ${world.deliveries} deliveries, ` +
      `${repeated} came again after ${order.repeated.length} crashes (at most ${Math.max(0, ...order.repeated)} at once); ` +
      `the cursor moved ${order.moved} times`,
  );
  assert.deepEqual(order.faults, []);
  assert.deepEqual(world.missing(), []);
  assert.deepEqual(world.torn(), [], 'a request is stored as a whole or not at all');
  assert.ok(order.moved > ROUNDS / 2, `the cursor was committed in only ${order.moved} of ${ROUNDS} rounds`);
  assert.equal(progress.quarantined + progress.expired, 0);
});

test('SIGTERM under load: nothing comes twice', { timeout: 180_000 }, async (t) => {
  t.diagnostic(`SIMSTREAM_TEST_SEED=${SEED}`);
  const random = generator(SEED + 1);
  const world = new CrashWorld(random);
  t.after(() => world.end());
  await world.begin();

  for (let round = 1; round <= 3; round++) {
    await someLoad(world, random);
    await world.stop();
    await world.start();
  }
  await world.settle();
  assert.deepEqual(world.order.faults, []);
  assert.deepEqual(world.order.repeated, []);
  assert.deepEqual(world.missing(), []);
  assert.deepEqual(world.torn(), []);
});

/** Lets the node take and deliver a random amount, and then a random while pass, so that anything may be under way. */
async function someLoad(world: CrashWorld, random: () => number): Promise<void> {
  const acknowledged = world.acknowledged + 20 * Math.ceil(random() * 60);
  const deliveries = world.deliveries + Math.ceil(random() * 10);
  await waitFor('the node takes and delivers records', () =>
    world.acknowledged >= acknowledged && world.deliveries >= deliveries ? true : undefined,
  );
  await sleep(random() * 250);
}

/** There is no node now; a new one is killed so many milliseconds after its process began. */
async function killWhileStarting(world: CrashWorld, afterMs: number): Promise<void> {
  const killed = AbortSignal.timeout(Math.floor(afterMs));
  try {
    await world.start(killed);
    await world.kill();
  } catch (error) {
    if (!killed.aborted) throw error;
    world.gone('crashed');
  }
}
