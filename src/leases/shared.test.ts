import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { settle } from '../lib/manual-clock.fixture.ts';
import { testLeases } from './leases.contract.ts';
import { LeasesWorld } from './world.fixture.ts';

testLeases('shared', {
  create: async () => {
    const world = new LeasesWorld(1, { partitions: 4 });
    let open = true;
    // Time passes as fast as the work in it: no test waits for real time.
    const passing = (async () => {
      while (open) await world.clock.advance(20);
    })();
    return {
      node: () => world.node().leases,
      settle: () => world.clock.sleep(8_000),
      close: async () => {
        open = false;
        await passing;
      },
      destroy: async () => {},
    };
  },
});

/** A world in which these nodes share all partitions and nothing moves any more. */
async function running(names: string[], options?: ConstructorParameters<typeof LeasesWorld>[1]) {
  const world = new LeasesWorld(7, { partitions: 16, ...options });
  const nodes = names.map((name) => world.start(name));
  await world.clock.advance(8_000);
  assert.ok(world.allHeld(), world.holders().join(' '));
  return { world, nodes };
}

const shareOf = (world: LeasesWorld, name: string) =>
  world.holders().filter((holder) => holder === name).length;

describe('sharing among nodes', () => {
  test('a node that joins has its share within 5 s, and nothing else moves', async () => {
    const { world } = await running(['a', 'b']);
    const before = world.holders();
    world.start('c');
    await world.until(() => world.allHeld() && shareOf(world, 'c') > 0, 5_000);
    await world.clock.advance(10_000);
    const after = world.holders();
    assert.ok(shareOf(world, 'c') >= 2, after.join(' '));
    for (const [partition, holder] of after.entries())
      if (holder !== 'c') assert.equal(holder, before[partition]);
  });

  test('one that leaves hands over at once, and each partition is free only while it is handed over', async () => {
    const { world, nodes } = await running(['a', 'b', 'c']);
    const [a] = nodes;
    const share = shareOf(world, 'a');
    assert.ok(share > 0);
    a?.stop();
    const took = await world.until(() => a?.hasEnded === true && world.allHeld(), 1_000);
    assert.ok(took <= 300, `${took} ms`);
    assert.equal(shareOf(world, 'a'), 0);
    const { nodes: left } = (nodes[1] as (typeof nodes)[number]).leases.nodes.snapshot();
    assert.deepEqual(
      left.map(({ name }) => name),
      ['b', 'c'],
    );
  });

  test('one that dies is replaced within 10 s', async () => {
    const { world, nodes } = await running(['a', 'b', 'c']);
    nodes[0]?.kill();
    const took = await world.until(world.allHeld, 10_000);
    assert.ok(took > 5_000, `after ${took} ms its lease could still have been valid`);
    assert.ok(nodes.flatMap(({ takings }) => takings).some(({ from }) => from === 'lost'));
  });

  test('one that returns after it died has its share within 5 s, though its first document is still there', async () => {
    const { world, nodes } = await running(['a', 'b', 'c']);
    nodes[0]?.kill();
    await world.until(world.allHeld, 10_000);
    world.start('a');
    await world.until(() => shareOf(world, 'a') > 0, 5_000);
    await world.until(() => world.allHeld() && shareOf(world, 'a') >= 2, 5_000);
  });

  test('one that returns under its name has the same share again', async () => {
    const { world, nodes } = await running(['a', 'b', 'c']);
    const before = world.holders();
    nodes[0]?.stop();
    await world.clock.advance(2_000);
    world.start('a');
    await world.clock.advance(5_000);
    assert.deepEqual(world.holders(), before);
  });

  test('where the documents of leases were removed, epochs go on behind those of the last commits', async () => {
    const world = new LeasesWorld(7, { partitions: 4 });
    for (let partition = 0; partition < 3; partition++) world.lastEpochs.set(partition, 40 + partition);
    world.start('a');
    await world.until(() => world.allHeld(), 20_000);
    const epochs = [0, 1, 2, 3].map((partition) => world.live(partition)[0]?.epoch);
    assert.deepEqual(epochs, [41, 42, 43, 1]);
  });

  test('nodes of one name share, too', async () => {
    const { nodes } = await running(['same', 'same', 'same']);
    const views = nodes[0]?.leases.nodes.snapshot().nodes ?? [];
    assert.equal(views.length, 3);
    for (const { partitions } of views) assert.ok(partitions.length > 0);
  });

  test('a run that does not end is waited for, then its lease is given up regardless', async () => {
    const { world, nodes } = await running(['a', 'b']);
    const a = nodes[0] as (typeof nodes)[number];
    a.endingMs = 60_000;
    a.stop();
    await world.clock.advance(15_000);
    assert.ok(!world.allHeld());
    await world.clock.advance(7_000);
    assert.ok(world.allHeld());
    assert.equal(a.hasEnded, false);
    await world.clock.advance(60_000);
    assert.equal(a.hasEnded, true);
  });

  describe('a run that never ends', () => {
    /** A node whose runs never end has to hand partitions over to another that joins. */
    const stuck = async (lateMs = 0) => {
      const { world, nodes } = await running(['a'], { partitions: 4 });
      const [a] = nodes as [(typeof nodes)[number]];
      a.endingMs = Number.MAX_SAFE_INTEGER;
      let failed = '';
      a.ended = a.ended.catch((error: Error) => {
        failed = error.message;
      });
      world.start('b');
      await world.clock.advance(5_000);
      a.lateMs = lateMs;
      return { world, a, failed: () => failed };
    };

    test('ends its node a minute after it was told to end', async () => {
      const { world, failed } = await stuck();
      await world.clock.advance(50_000);
      assert.equal(failed(), '');
      // Its other runs, which do not end either, have their time as well.
      await world.clock.advance(15_000 + 22_000);
      assert.match(failed(), /^the run of partition \d+ has not ended for 6\d{4}/);
    });

    test('ends nothing while the storage is slow, and its node forty seconds after that', async () => {
      const { world, a, failed } = await stuck(30_000);
      await world.clock.advance(120_000);
      assert.equal(failed(), '');
      a.lateMs = 0;
      await world.clock.advance(31_000 + 35_000);
      assert.equal(failed(), '');
      await world.clock.advance(10_000 + 22_000);
      assert.match(failed(), /has not ended/);
    });

    test('is not charged with the time in which the process stood still', async () => {
      const { world, a, failed } = await stuck();
      await world.clock.advance(50_000);
      a.pause();
      await world.clock.advance(120_000);
      a.resume();
      await world.clock.advance(5_000);
      assert.equal(failed(), '');
    });
  });

  test('a heartbeat a second is all that is written while nothing changes', async () => {
    const { world } = await running(['a', 'b', 'c'], { partitions: 64 });
    const before = world.writes;
    await world.clock.advance(60_000);
    const perNode = (world.writes - before) / 3 / 60;
    assert.ok(perNode > 0.9 && perNode < 1.15, `${perNode} a second`);
  });

  test('the document of a lost node is removed after a while', async () => {
    const { world, nodes } = await running(['a', 'b', 'c']);
    nodes[0]?.kill();
    await world.clock.advance(20_000);
    const states = () => nodes[1]?.leases.nodes.snapshot().nodes.map(({ name, state }) => `${name} ${state}`);
    assert.deepEqual(states(), ['a silent', 'b alive', 'c alive']);
    await world.clock.advance(60_000);
    assert.deepEqual(states(), ['b alive', 'c alive']);
  });
});

describe('a process that stands still', () => {
  test('longer than a lease: it has lost all when it goes on, and gets its share again when it is steady', async () => {
    const { world, nodes } = await running(['a', 'b', 'c']);
    const a = nodes[0] as (typeof nodes)[number];
    const share = shareOf(world, 'a');
    const before = world.holders();
    a.pause();
    await world.until(world.allHeld, 10_000);
    await world.clock.advance(3_000);
    a.resume();
    await settle();
    assert.equal(shareOf(world, 'a'), 0, 'before any time goes by');
    await world.clock.advance(a.endingMs);
    assert.deepEqual(
      a.losses.map(({ reason }) => reason),
      Array.from({ length: share }, () => 'paused'),
    );
    await world.clock.advance(3_000);
    assert.equal(shareOf(world, 'a'), 0, 'it must be steady first');
    await world.clock.advance(5_000);
    assert.deepEqual(world.holders(), before);
  });

  test('for less: nothing happens', async () => {
    const { world, nodes } = await running(['a', 'b']);
    const before = [...world.runs];
    nodes[0]?.pause();
    await world.clock.advance(4_000);
    nodes[0]?.resume();
    await world.clock.advance(10_000);
    assert.deepEqual([...world.runs], before);
  });

  test('a suspended watcher does not take the others for lost', async () => {
    const { world, nodes } = await running(['a', 'b']);
    nodes[0]?.pause();
    await world.clock.advance(60_000);
    const before = world.live();
    nodes[0]?.resume();
    await world.clock.advance(2_000);
    assert.deepEqual(world.live(), before);
  });
});

describe('while the registry does not answer', () => {
  test('because nothing of it runs: every run goes on and may send, and is the same when it is back', async () => {
    const { world } = await running(['a', 'b', 'c']);
    const before = world.live();
    world.up = false;
    await world.clock.advance(60_000);
    assert.deepEqual(world.live(), before);
    assert.deepEqual(world.sending(), before);
    world.up = true;
    await world.clock.advance(30_000);
    assert.deepEqual(world.live(), before);
  });

  test('and it is not certain that nothing of it runs: the run waits, and goes on with its permit', async () => {
    const { world, nodes } = await running(['a']);
    const a = nodes[0] as (typeof nodes)[number];
    const before = world.live();
    let woken = 0;
    before[0]?.permit.onGranted(() => woken++);
    a.cut = true;
    await world.clock.advance(4_000);
    assert.deepEqual(world.sending(), before);
    await world.clock.advance(3_000);
    assert.deepEqual(world.sending(), []);
    await world.clock.advance(20_000);
    assert.deepEqual([world.sending(), world.live(), woken], [[], before, 0]);
    a.cut = false;
    await world.clock.advance(10_000);
    assert.deepEqual([world.sending(), world.live()], [before, before]);
    assert.ok(woken > 0);
  });

  test('a run goes on only when its node knows what people changed meanwhile', async () => {
    const { world, nodes } = await running(['a']);
    const a = nodes[0] as (typeof nodes)[number];
    const before = world.live();
    a.cut = true;
    await world.clock.advance(10_000);
    a.catchUpMs = 15_000;
    a.cut = false;
    await world.clock.advance(12_000);
    assert.deepEqual([world.sending(), world.live()], [[], before]);
    await world.clock.advance(15_000);
    assert.deepEqual(world.sending(), before);
  });

  test('a node that died meanwhile is replaced when it is back', async () => {
    const { world, nodes } = await running(['a', 'b', 'c']);
    world.up = false;
    await world.clock.advance(20_000);
    nodes[0]?.kill();
    await world.clock.advance(20_000);
    assert.ok(!world.allHeld());
    world.up = true;
    await world.until(world.allHeld, 10_000);
  });

  test('for one node alone: the others take its share, and it ends its own when it hears of that', async () => {
    const { world, nodes } = await running(['a', 'b', 'c']);
    const a = nodes[0] as (typeof nodes)[number];
    const share = shareOf(world, 'a');
    a.cut = true;
    await world.clock.advance(15_000);
    assert.equal(world.live().length, 16 + share);
    assert.equal(world.sending().length, 16);
    a.cut = false;
    await world.clock.advance(2_000);
    assert.equal(world.live().length, 16);
    assert.ok(a.losses.length === share && a.losses.every(({ reason }) => reason === 'taken'));
  });

  test('for too long: it is given up', async () => {
    const { world, nodes } = await running(['a', 'b']);
    world.up = false;
    await world.clock.advance(320_000);
    assert.equal(world.live().length, 0);
    assert.ok(nodes.every(({ losses }) => losses.every(({ reason }) => reason === 'no contact')));
    world.up = true;
    await world.until(world.allHeld, 10_000);
  });

  test('a node that stops does not wait for it', async () => {
    const { world, nodes } = await running(['a', 'b']);
    world.up = false;
    await world.clock.advance(10_000);
    nodes[0]?.stop();
    await world.until(() => nodes[0]?.hasEnded === true, 10_000);
  });

  test('a node that starts and is stopped before there was an answer ends', async () => {
    const world = new LeasesWorld();
    world.up = false;
    const node = world.start();
    await world.clock.advance(3_000);
    node.stop();
    await world.until(() => node.hasEnded, 10_000);
  });
});
