import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { createHeldRefusals } from './held-refusals.ts';

const CALLS = 300;

test('an organisation gets 20 refusals a second at once, and the others a second later; beyond 200 none waits', async () => {
  const clock = new ManualClock();
  const hold = createHeldRefusals(clock);
  const done: number[] = [];
  const refuse = (organisationId: number, at: number) => hold(organisationId).then(() => void done.push(at));
  const all = Array.from({ length: CALLS }, (_, at) => refuse(1, at));
  await clock.advance(0);
  assert.deepEqual(done, [
    ...Array.from({ length: 20 }, (_, at) => at),
    ...Array.from({ length: CALLS - 220 }, (_, at) => at + 220),
  ]);
  await refuse(2, -1);
  assert.equal(done.at(-1), -1, 'another organisation does not wait');
  await clock.advance(999);
  assert.equal(done.length, CALLS - 200 + 1);
  await clock.advance(1);
  await Promise.all(all);
  assert.equal(done.length, CALLS + 1);
  await refuse(1, -2);
  assert.equal(done.at(-1), -2, 'in the next second it counts anew');
});
