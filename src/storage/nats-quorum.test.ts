import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TimeoutError } from '@nats-io/transport-node';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { watchQuorum } from './nats-quorum.ts';

/** A server, and how often it was left. */
function world() {
  const clock = new ManualClock();
  const seen = { left: 0 };
  const quorum = watchQuorum(clock, () => seen.left++);
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
  return { clock, quorum, seen, stored, unanswered };
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

test('Q3: while no server stores anything, each gets more time, and so does each write; one that is stored ends that', async () => {
  const { clock, quorum, seen, stored, unanswered } = world();
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
  await unanswered();
  await unanswered();
  assert.equal(seen.left, 6);
});
