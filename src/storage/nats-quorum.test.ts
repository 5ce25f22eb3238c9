import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TimeoutError } from '@nats-io/transport-node';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { watchQuorum } from './nats-quorum.ts';

/** A server, and how often it was left. */
function world() {
  const clock = new ManualClock();
  const seen = { left: 0 };
  const quorum = watchQuorum(clock, () => ++seen.left > 0);
  const stored = () => quorum.watch(async () => undefined);
  /** A write that has no answer in time. */
  const unanswered = async (milliseconds = 2_000) => {
    const write = quorum.watch(async () => {
      await clock.sleep(milliseconds);
      throw new TimeoutError();
    });
    const failed = assert.rejects(write);
    await clock.advance(milliseconds);
    await failed;
  };
  /** The server is left, and another one connected. */
  const leaves = async () => {
    const before = seen.left;
    while (seen.left === before) await unanswered();
    quorum.reconnected();
  };
  return { clock, quorum, seen, stored, unanswered, leaves };
}

test('Q1: a server that stores nothing for some seconds is left, and the next one gets no less', async () => {
  const { seen, unanswered } = world();
  await unanswered();
  assert.equal(seen.left, 0);
  await unanswered();
  assert.equal(seen.left, 1);
  await unanswered();
  assert.equal(seen.left, 1);
});

test('Q1: one write that is stored, an answer that says why it is not, or a new connection begins anew', async () => {
  const { quorum, seen, stored, unanswered } = world();
  await unanswered();
  await stored();
  await unanswered();
  await assert.rejects(quorum.watch(() => Promise.reject(new Error('wrong last sequence'))));
  await unanswered();
  quorum.reconnected();
  await unanswered();
  assert.equal(seen.left, 0);
});

test('Q4: while no server stores anything, each gets more time, and so does each write; one that is stored ends that', async () => {
  const { clock, quorum, seen, stored, unanswered, leaves } = world();
  const pauses: number[] = [];
  const attempts: number[] = [];
  let leftAt = clock.monotonic();
  while (pauses.length < 5) {
    const before = seen.left;
    await unanswered(quorum.attemptMs);
    if (seen.left === before) continue;
    pauses.push(clock.monotonic() - leftAt);
    attempts.push(quorum.attemptMs);
    leftAt = clock.monotonic();
    quorum.reconnected();
  }
  assert.deepEqual(attempts, [4_000, 5_000, 5_000, 5_000, 5_000]);
  assert.deepEqual(pauses, [4_000, 8_000, 10_000, 10_000, 10_000]);
  await stored();
  assert.equal(quorum.attemptMs, 2_000);
  await leaves();
  assert.equal(seen.left, 6);
});

test('Q3: writes that began on the server before, and fail now, are not counted against the next one', async () => {
  const { clock, quorum, seen, unanswered, leaves } = world();
  const failing: Promise<void>[] = [];
  const begin = (milliseconds: number) => {
    const write = quorum.watch(async () => {
      await clock.sleep(milliseconds);
      throw new TimeoutError();
    });
    failing.push(assert.rejects(write));
  };
  // Many writes wait when the server is left.
  for (let each = 0; each < 20; each++) begin(3_500 + 300 * each);
  await leaves();
  assert.equal(seen.left, 1);
  await clock.advance(6_000);
  await Promise.all(failing);
  assert.equal(seen.left, 1);
  // A write of its own counts.
  await unanswered(4_000);
  await unanswered(4_000);
  assert.equal(seen.left, 2);
});

test('Q3: while the next connection is made, and where there is no other server, nothing is left again', async () => {
  const { seen, unanswered } = world();
  for (let each = 0; each < 10; each++) await unanswered();
  assert.equal(seen.left, 1);
  const clock = new ManualClock();
  const alone = watchQuorum(clock, () => false);
  for (let each = 0; each < 10; each++) {
    const write = assert.rejects(
      alone.watch(() => clock.sleep(2_000).then(() => Promise.reject(new TimeoutError()))),
    );
    await clock.advance(2_000);
    await write;
  }
  assert.equal(alone.attemptMs, 2_000);
});
