import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TestWorld } from '../delivery/world.fixture.ts';
import type { Cause, Outcome } from '../destinations/contract.ts';
import { seededRandom } from '../lib/manual-clock.fixture.ts';
import { runMigration, TestTarget } from './migration.fixture.ts';

const cause: Cause = { code: 'test', message: 'The peer of the test says so.' };
const STREAMS = ['steady', 'stuck', 'paused', 'fussy'];
const POISON = (id: number) => id % 23 === 7;

/**
 * An engine that is stopped in the middle of its work, a migration that is killed again and again, and an engine that
 * goes on at the target: each stream gets every record once, in order, whatever was cut, trimmed or set aside.
 */
describe('a migrated installation goes on where it was', () => {
  for (let seed = 1; seed <= 12; seed++) test(`seed ${seed}`, () => simulate(seed));
});

async function simulate(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const upTo = (most: number) => 1 + Math.floor(random.next() * most);
  const received = new Map(STREAMS.map((id) => [id, [] as number[]]));
  let stuck = true;
  const peer =
    (id: string) =>
    (ids: readonly number[]): Outcome => {
      if (id === 'stuck' && stuck) return { type: 'retry', cause };
      if (id === 'fussy' && ids.some(POISON)) return { type: 'rejected', cause };
      received.get(id)?.push(...ids);
      return { type: 'delivered' };
    };
  const options = { gathering: { by: 'batch', records: upTo(9), bytes: 2 ** 20 } } as const;
  const before = new TestWorld(options);
  await before.organisation(1);
  for (let start = 0; start < upTo(3); start++) {
    await before.start();
    await before.stop();
  }
  let expected: number[] = [];
  const append = async (world: TestWorld) => {
    const ids = Array.from({ length: upTo(30) }, (_, index) => expected.length + 1 + index);
    expected.push(...ids);
    await world.append(
      'usage',
      ids.map((id) => ({ id, organisation: 1 })),
    );
    await world.clock.advance(upTo(3_000));
  };
  // Trimmed before the streams were there: the target begins with a later sequence than 1.
  for (let block = 0; block < upTo(6); block++) await append(before);
  await before.log.trim(0, (await before.log.extent(0)).next);
  expected = [];
  await before.start();
  for (const id of STREAMS) await before.stream(id, peer(id));
  for (let block = 0; block < 5 + upTo(10); block++) {
    await append(before);
    if (block === 3) await before.change('paused', { desired: 'paused' });
  }
  await before.stop();
  const quarantined = await before.quarantined('fussy');

  // Most blocks are longer than this.
  const target = new TestTarget(before.clock, 1, 250);
  const source = { log: before.log, registry: before.registry };
  let killed = 0;
  for (;;) {
    target.killAt = target.steps + upTo(4);
    const outcome = await runMigration(source, target, { clock: before.clock });
    if (outcome.type === 'killed') {
      assert.ok(++killed < 500, 'it never gets to its end');
      continue;
    }
    assert.match(outcome.type, /^done/, JSON.stringify(outcome));
    break;
  }
  assert.ok(killed > 0);
  const copied = await target.log().extent(0);
  assert.ok(copied.next > (await before.log.extent(0)).next, 'no block was cut');

  const after = new TestWorld(options);
  after.log = target.log();
  after.registry = target.registry();
  await after.clock.advance(before.clock.now() - after.clock.now());
  for (const id of STREAMS) after.peer(id, peer(id));
  stuck = false;
  await after.start();
  await after.change('paused', { desired: 'running' });
  for (let block = 0; block < 5; block++) await append(after);
  // A refused record with nothing taken after it is looked at for two minutes before it is quarantined.
  await after.clock.advance(3_600_000);
  await after.stop();

  for (const id of STREAMS.slice(0, 3)) assert.deepEqual(received.get(id), expected, id);
  const poison = expected.filter(POISON);
  assert.deepEqual(
    received.get('fussy'),
    expected.filter((id) => !POISON(id)),
  );
  assert.deepEqual(await after.quarantined('fussy'), poison);
  assert.deepEqual(poison.slice(0, quarantined.length), quarantined);
  for (const id of STREAMS) {
    const { counters, status, pending } = await after.progress(id);
    const set = id === 'fussy' ? poison.length : 0;
    assert.deepEqual(
      [counters, status.state, pending],
      [{ delivered: expected.length - set, filtered: 0, quarantined: set, expired: 0 }, 'running', 0],
    );
  }
  assert.deepEqual(after.faults, []);
}
