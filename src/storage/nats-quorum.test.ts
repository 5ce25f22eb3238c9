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
  /** A write that has no answer within two seconds. */
  const unanswered = async () => {
    const write = quorum.watch(async () => {
      await clock.sleep(2_000);
      throw new TimeoutError();
    });
    const failed = assert.rejects(write);
    await clock.advance(2_000);
    await failed;
  };
  return { clock, quorum, seen, stored, unanswered };
}

test('Q1: a server that stores nothing for some seconds is left, and the next one gets as much time', async () => {
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
