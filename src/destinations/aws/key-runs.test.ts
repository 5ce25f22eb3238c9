import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../../lib/manual-clock.fixture.ts';
import { KeyRuns } from './key-runs.ts';

const entries = (...keys: string[]) => keys.map((key, index) => ({ key, index }));
const all = () => true;

describe('records of one key in a call', () => {
  test('R1: their number doubles with each call that is taken whole, up to 64', () => {
    const runs = new KeyRuns(new ManualClock());
    const seen = [];
    for (let call = 0; call < 8; call++) {
      seen.push(runs.longest);
      runs.answered(entries('a', 'b'), all);
    }
    assert.deepEqual(seen, [1, 2, 4, 8, 16, 32, 64, 64]);
  });

  test('R2: a refusal sets it back to one, and it grows again', () => {
    const runs = new KeyRuns(new ManualClock());
    for (let call = 0; call < 3; call++) runs.answered(entries('a'), all);
    runs.answered(entries('a', 'a', 'b'), ({ index }) => index === 0);
    assert.equal(runs.longest, 1);
    runs.answered(entries('a'), all);
    assert.equal(runs.longest, 2);
  });

  test('R3: a call that broke the order of a key keeps it at one for ten minutes', async () => {
    const clock = new ManualClock();
    const runs = new KeyRuns(clock);
    runs.answered(entries('a', 'b', 'a'), ({ index }) => index !== 0);
    for (let call = 0; call < 5; call++) runs.answered(entries('a', 'b'), all);
    assert.equal(runs.longest, 1);
    await clock.advance(10 * 60_000);
    runs.answered(entries('a', 'b'), all);
    assert.equal(runs.longest, 2);
  });
});
