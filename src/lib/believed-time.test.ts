import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createArrivalTime, createBelievedTime } from './believed-time.ts';
import { ManualClock } from './manual-clock.fixture.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function setUp() {
  const clock = new ManualClock();
  const now = createBelievedTime(clock, HOUR);
  const begun = now();
  return { clock, since: () => now() - begun };
}

test('a leap ahead that is set right within the hour was none', async () => {
  for (const leap of [120_000, HOUR, DAY, 3_650 * DAY]) {
    const { clock, since } = setUp();
    await clock.advance(10_000);
    clock.jump(leap);
    assert.equal(since(), 10_000);
    await clock.advance(HOUR - 1);
    assert.equal(since(), HOUR + 9_999);
    clock.jump(-leap);
    assert.equal(since(), HOUR + 9_999);
    clock.jump(leap);
    assert.equal(since(), HOUR + 9_999, 'the next one lasts from its own beginning');
  }
});

test('a leap ahead that lasts is believed: the clock was behind before', async () => {
  const { clock, since } = setUp();
  clock.jump(DAY);
  assert.equal(since(), 0);
  await clock.advance(HOUR);
  assert.equal(since(), DAY + HOUR);
  await clock.advance(5);
  assert.equal(since(), DAY + HOUR + 5);
});

test('small steps and steps back are believed at once', async () => {
  const { clock, since } = setUp();
  for (const [step, expected] of [
    [60_000, 60_000],
    [-5_000, 55_000],
    [-DAY, 55_000 - DAY],
  ] as const) {
    clock.jump(step);
    assert.equal(since(), expected);
  }
});

test('a clock that leaps about is not believed: each leap lasts for itself', async () => {
  const { clock, since } = setUp();
  for (let leap = 0; leap < 10; leap++) {
    clock.jump(DAY);
    since();
    await clock.advance(HOUR / 5);
    assert.equal(since(), clock.monotonic());
  }
});

test('a clock that was behind for a moment is right again at once', async () => {
  const { clock, since } = setUp();
  clock.jump(-DAY);
  assert.equal(since(), -DAY);
  await clock.advance(1_000);
  clock.jump(DAY);
  assert.equal(since(), 1_000);
});

test('what arrives while the clock is behind arrives by the time that it was, until the leap has lasted', async () => {
  const clock = new ManualClock();
  const now = createArrivalTime(clock, HOUR);
  const begun = now();
  await clock.advance(10_000);
  clock.jump(-2 * HOUR);
  assert.equal(now() - begun, 10_000);
  await clock.advance(1_000);
  assert.equal(now() - begun, 11_000);
  clock.jump(2 * HOUR);
  assert.equal(now() - begun, 11_000);
  clock.jump(-30_000);
  assert.equal(now() - begun, -19_000, 'a small step is a correction');
  clock.jump(DAY);
  assert.equal(now() - begun, DAY - 19_000, 'nobody knows whether it was behind before');
  clock.jump(-DAY);
  assert.equal(now() - begun, -19_000);
  clock.jump(-2 * HOUR);
  now();
  await clock.advance(HOUR);
  assert.equal(now() - begun, -19_000 - HOUR, 'it was ahead before');
});
