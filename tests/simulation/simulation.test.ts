import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { command } from './shrink.ts';
import { World } from './world.ts';

/** As many as a quiet machine runs in half a minute; `npm run simulate` tries others. */
const SEEDS = [4, 5, 10, 12, 16, 19, 21, 22, 25, 10_000, 10_001, 10_002, 10_003, 10_004, 10_005, 10_006];
const HOURS = 3;

describe('a simulated installation keeps what is promised', () => {
  for (const seed of SEEDS)
    test(`seed ${seed}`, async () => {
      const { violation } = await new World({ seed, hours: HOURS }).run();
      const { kind, at, text } = violation ?? {};
      assert.equal(violation, undefined, `${kind} at ${at}: ${text}\n${command({ seed, hours: HOURS })}`);
    });
});

describe('the trace', () => {
  const run = (seed: number) => new World({ seed, hours: 1, keep: Number.MAX_SAFE_INTEGER }).run();

  test('of the same seed is the same, byte for byte', async () => {
    for (const seed of [10, 26]) {
      const [once, twice] = [await run(seed), await run(seed)];
      assert.ok(once.trace.length > 10_000);
      assert.equal(once.trace, twice.trace);
      assert.equal(once.checksum, twice.checksum);
    }
  });

  test('of another seed is another', async () => {
    assert.notEqual((await run(4)).checksum, (await run(5)).checksum);
  });
});
