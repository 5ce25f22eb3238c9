import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { createClusterClock, MOST_AHEAD_MS } from './cluster-clock.ts';
import { LeasesWorld } from './world.fixture.ts';

const START = Date.UTC(2026, 0, 1);

/** A node's clock, and another node whose clock is ahead by `skewMs`. */
function worldOf(skewMs: number) {
  const clock = new ManualClock(START);
  const shared = createClusterClock(clock);
  const other = { skewMs, hear: () => {} };
  other.hear = () => shared.heard('other', { own: clock.now() + other.skewMs, shared: START });
  return { clock, shared, other };
}

test('K2 it is not behind a clock that is ahead, between heartbeats too; a slower one changes nothing', async () => {
  const ahead = worldOf(30_000);
  assert.equal(ahead.shared.now(), START);
  ahead.other.hear();
  assert.equal(ahead.shared.now(), START + 30_000);
  await ahead.clock.advance(700);
  assert.equal(ahead.shared.now(), START + 30_700);
  assert.equal(ahead.shared.skewOf('other'), 30_000);

  const behind = worldOf(-30_000);
  behind.other.hear();
  assert.equal(behind.shared.now(), START);
  assert.equal(behind.shared.skewOf('other'), -30_000);
});

test('K2 heartbeats take time: the one that took least counts', async () => {
  const { clock, shared, other } = worldOf(5_000);
  for (const delay of [900, 20, 400]) {
    const said = { own: clock.now() + other.skewMs, shared: START };
    await clock.advance(delay);
    shared.heard('other', said);
  }
  assert.equal(shared.skewOf('other'), 4_980);
});

test('K1 it never goes back: not when a fast node goes, its clock is set, or the own clock is', async () => {
  const { clock, shared, other } = worldOf(60_000);
  other.hear();
  let last = shared.now();
  const mustNotGoBack = (what: string) => {
    const now = shared.now();
    assert.ok(now >= last, `${what}: ${now - last} ms`);
    last = now;
  };
  other.skewMs = 0;
  for (let beat = 0; beat < 20; beat++) {
    await clock.advance(1_000);
    other.hear();
    mustNotGoBack('its clock was set');
  }
  clock.jump(-20_000);
  mustNotGoBack('the own clock was set back');
  await clock.advance(60_000);
  mustNotGoBack('the other one is not heard');
  assert.equal(shared.skewOf('other'), undefined);
  assert.equal(shared.now(), Math.max(last, clock.now()));
});

test('K1 a node that just started is not behind what another one has used already', () => {
  const { shared } = worldOf(0);
  shared.heard('other', { own: START, shared: START + 40_000 });
  assert.equal(shared.now(), START + 40_000);
});

test('K3 a clock that is ahead by more than a minute is shown, and not followed', () => {
  const { shared, other } = worldOf(MOST_AHEAD_MS + 1_000);
  other.hear();
  assert.equal(shared.now(), START);
  assert.equal(shared.skewOf('other'), MOST_AHEAD_MS + 1_000);
});

test('nodes whose clocks differ by a minute share one time, also when the fast one is gone', async () => {
  const world = new LeasesWorld(3);
  const skews = [0, 30_000, -30_000];
  const nodes = skews.map((skewMs) => {
    const node = world.node();
    node.skewMs = skewMs;
    node.start();
    return node;
  });
  await world.until(world.allHeld, 10_000);
  await world.clock.advance(6_000);
  const times = () => nodes.filter(({ running }) => running).map(({ shared }) => shared.now());
  const apart = () => Math.max(...times()) - Math.min(...times());
  // A heartbeat takes some milliseconds here.
  assert.ok(apart() < 100, `${apart()} ms`);
  const seen = nodes[0]?.leases.nodes.snapshot().nodes.map(({ name, skewMs }) => [name, skewMs]);
  for (const [name, skewMs] of seen ?? [])
    assert.ok(
      Math.abs(Number(skewMs) - (skews[Number(String(name).slice(1))] as number)) < 100,
      `${name}: ${skewMs}`,
    );
  assert.deepEqual(nodes[0]?.skews.map(({ node }) => node).sort(), ['n1', 'n2']);

  const before = times();
  nodes[1]?.kill();
  for (let passed = 0; passed < 60_000; passed += 1_000) {
    await world.clock.advance(1_000);
    for (const time of times()) assert.ok(time >= Math.max(...before) - 100, 'the time went back');
  }
  assert.ok(apart() < 100, `${apart()} ms`);
});
