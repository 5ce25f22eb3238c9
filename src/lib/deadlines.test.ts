import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deadlines, deadlinesOf } from './deadlines.ts';
import { ManualClock } from './manual-clock.fixture.ts';
import { fc } from './property.fixture.ts';

const WITHIN_MS = 100;

test('each is late at its own time, unless it ended before', async () => {
  const steps = fc.array(fc.record({ pause: fc.nat(60), lasts: fc.integer({ min: 1, max: 200 }) }), {
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(steps, async (pieces) => {
      const clock = new ManualClock();
      const deadlines = new Deadlines(clock, WITHIN_MS);
      const late: { piece: number; at: number }[] = [];
      const expected: { piece: number; at: number }[] = [];
      let begins = 0;
      for (const [piece, { pause, lasts }] of pieces.entries()) {
        begins += pause;
        const at = begins;
        if (lasts > WITHIN_MS) expected.push({ piece, at: at + WITHIN_MS });
        clock.after(at, () => {
          const one = deadlines.begin(() => late.push({ piece, at: clock.monotonic() }));
          clock.after(lasts, () => deadlines.end(one));
        });
      }
      await clock.advance(begins + 1_000);
      assert.deepEqual(late, expected);
      assert.equal(clock.waiting, 0);
    }),
    { numRuns: 30 },
  );
});

test('a thousand that end in time set one timer', async () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock, WITHIN_MS);
  for (let n = 0; n < 1_000; n++) deadlines.end(deadlines.begin(() => assert.fail('it was in time')));
  assert.equal(clock.waiting, 1);
  await clock.advance(WITHIN_MS);
  assert.equal(clock.waiting, 0);
});

test('what is late may begin another one', async () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock, WITHIN_MS);
  const late: number[] = [];
  const again = () => {
    late.push(clock.monotonic());
    if (late.length < 3) deadlines.begin(again);
  };
  deadlines.begin(again);
  await clock.advance(1_000);
  assert.deepEqual(late, [100, 200, 300]);
});

test('those of the same time are shared, and go with the last one', async () => {
  const clock = new ManualClock();
  const deadlines = deadlinesOf(clock, WITHIN_MS);
  deadlines.end(deadlines.begin(() => assert.fail('it was in time')));
  assert.equal(deadlinesOf(clock, WITHIN_MS), deadlines);
  await clock.advance(WITHIN_MS);
  assert.notEqual(deadlinesOf(clock, WITHIN_MS), deadlines);
});
