import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ApiError } from '../errors.ts';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import {
  BUDGET_SECONDS,
  createBuckets,
  createBudget,
  createRateLimits,
  createWindow,
  DEFAULT_RATE_LIMITS,
  OPERATOR_SHARE,
} from './rate-limit.ts';

const FIVE_MINUTES = 5 * 60_000;

function retryAfterOf(call: () => void): number | undefined {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof ApiError);
    assert.deepEqual([error.token, error.status, error.body().error_code], ['TooManyRequests', 429, 1105]);
    return error.retryAfter;
  }
  return undefined;
}

describe('rate limits', () => {
  test('100 logins per address in five minutes', async () => {
    const clock = new ManualClock();
    const limits = createRateLimits(clock);
    for (let call = 0; call < 100; call++) limits.authenticate('192.0.2.1');
    assert.equal(
      retryAfterOf(() => limits.authenticate('192.0.2.1')),
      300,
    );
    assert.equal(
      retryAfterOf(() => limits.authenticate('::ffff:192.0.2.1')),
      300,
    );
    limits.authenticate('192.0.2.2');
    await clock.advance(FIVE_MINUTES - 500);
    assert.equal(
      retryAfterOf(() => limits.authenticate('192.0.2.1')),
      1,
    );
    await clock.advance(500);
    for (let call = 0; call < 100; call++) limits.authenticate('192.0.2.1');
    assert.equal(
      retryAfterOf(() => limits.authenticate('192.0.2.1')),
      300,
    );
  });

  test('requests in general only when the operator sets it', () => {
    const clock = new ManualClock();
    const open = createRateLimits(clock);
    for (let call = 0; call < 3000; call++) open.request('192.0.2.1');
    const set = createRateLimits(clock, { ...DEFAULT_RATE_LIMITS, requestsPerIp: 2 });
    set.request('2001:db8::1');
    set.request('2001:db8::2');
    assert.equal(
      retryAfterOf(() => set.request('2001:db8::3')),
      300,
    );
    set.request('2001:db8:0:1::3');
  });

  test('calls without a valid token from an address 50 times a second, 1,000 at once; scrapers apart', async () => {
    const clock = new ManualClock();
    const limits = createRateLimits(clock);
    for (let call = 0; call < 1_000; call++) limits.anonymous(`2001:db8::${call % 9}`, 'call');
    const over = () => limits.anonymous('2001:db8::ffff', 'call');
    assert.equal(retryAfterOf(over), 1);
    assert.throws(over, /calls without a valid token from this address \(50 a second\)/);
    limits.anonymous('2001:db8::1', 'scrape');
    limits.anonymous('2001:db8:0:1::1', 'call');
    await clock.advance(1_000);
    for (let call = 0; call < 50; call++) limits.anonymous('2001:db8::1', 'call');
    assert.equal(retryAfterOf(over), 1);
  });

  test('programs of an organisation read and change something 10 times a second, 20 at once', async () => {
    const clock = new ManualClock();
    const limits = createRateLimits(clock);
    const program = { organisationId: 1, actor: 'application:5' };
    for (const kind of ['read', 'write'] as const) {
      const call = () => retryAfterOf(() => limits.call(program, kind));
      for (let n = 0; n < 20; n++) assert.equal(call(), undefined, kind);
      assert.equal(call(), 1);
      assert.throws(() => limits.call({ ...program, actor: 'application:6' }, kind), /10 a second.*in 1 s/);
      limits.call({ ...program, organisationId: 2 }, kind);
      await clock.advance(100);
      assert.equal(call(), undefined);
      assert.equal(call(), 1);
      let passed = 0;
      for (let tick = 0; tick < 100; tick++) {
        await clock.advance(50);
        if (call() === undefined) passed++;
      }
      assert.equal(passed, 50);
    }
  });

  test('programs close the portal to nobody, and users not to each other', () => {
    const limits = createRateLimits(new ManualClock());
    const user = { organisationId: 1, actor: 'user:ada' };
    for (let n = 0; n < 21; n++)
      retryAfterOf(() => limits.call({ organisationId: 1, actor: 'application:5' }, 'read'));
    for (let n = 0; n < 60; n++) limits.call(user, n % 2 === 0 ? 'read' : 'write');
    assert.equal(
      retryAfterOf(() => limits.call(user, 'read')),
      1,
    );
    limits.call({ ...user, actor: 'user:bob' }, 'read');
  });

  test('an organisation whose calls were costly waits until its budget is even; its people and others do not', async () => {
    const clock = new ManualClock();
    const program = { organisationId: 1, actor: 'application:5' };
    const { work, traffic } = DEFAULT_RATE_LIMITS;
    for (const [cost, name] of [
      [{ loopMs: (BUDGET_SECONDS + 3) * work, bytes: 0 }, /computing time for calls by programs .*100 ms/],
      [{ loopMs: 0, bytes: (BUDGET_SECONDS + 3) * traffic * 1024 }, /bytes in calls by programs .*4096 KiB/],
    ] as const) {
      const limits = createRateLimits(clock);
      limits.call(program, 'read');
      limits.charge(program, { loopMs: 1, bytes: 1 });
      limits.call(program, 'read');
      limits.charge(program, cost);
      assert.equal(
        retryAfterOf(() => limits.call(program, 'read')),
        4,
      );
      assert.throws(() => limits.call({ ...program, actor: 'application:6' }, 'write'), name);
      limits.call({ organisationId: 1, actor: 'user:ada' }, 'read');
      limits.call({ ...program, organisationId: 2 }, 'read');
      await clock.advance(3_900);
      limits.call(program, 'read');
    }
  });

  test('the people of an organisation share a budget', () => {
    const limits = createRateLimits(new ManualClock());
    const loopMs = DEFAULT_RATE_LIMITS.work * BUDGET_SECONDS;
    limits.charge({ organisationId: 1, actor: 'user:ada' }, { loopMs: loopMs + 1, bytes: 0 });
    assert.throws(() => limits.call({ organisationId: 1, actor: 'user:bob' }, 'read'), /by people of this/);
    limits.call({ organisationId: 1, actor: 'application:1' }, 'read');
  });

  test('the operator has a budget of its own, three times as large', async () => {
    const clock = new ManualClock();
    const limits = createRateLimits(clock);
    const loopMs = DEFAULT_RATE_LIMITS.work * BUDGET_SECONDS * OPERATOR_SHARE;
    limits.chargeOperator(loopMs - 1);
    limits.operatorCall();
    limits.chargeOperator(1 + (DEFAULT_RATE_LIMITS.work * OPERATOR_SHARE) / 2);
    assert.throws(() => limits.operatorCall(), /of the operator \(300 ms a second\); try again in 1 s/);
    limits.call({ organisationId: 1, actor: 'application:1' }, 'read');
    await clock.advance(1_000);
    limits.operatorCall();
  });

  test('0 switches a limit off', () => {
    const clock = new ManualClock();
    const none = {
      authenticatePerIp: 0,
      requestsPerIp: 0,
      anonymous: 0,
      reads: 0,
      writes: 0,
      portal: 0,
      work: 0,
      traffic: 0,
    };
    const limits = createRateLimits(clock, none);
    for (let call = 0; call < 1000; call++) {
      limits.authenticate('192.0.2.1');
      limits.anonymous('192.0.2.1', 'call');
      limits.call({ organisationId: 1, actor: 'user:ada' }, 'read');
      limits.call({ organisationId: 1, actor: 'application:1' }, 'write');
      limits.charge({ organisationId: 1, actor: 'application:1' }, { loopMs: 1e6, bytes: 1e12 });
    }
  });

  test('memory is bounded: beyond 100,000 callers the oldest is forgotten, the newest is not', () => {
    const clock = new ManualClock();
    for (const limit of [createWindow(clock, 1, FIVE_MINUTES), createBuckets(clock, 0.001, 1)]) {
      assert.equal(limit('first'), 0);
      for (let other = 0; other < 99_999; other++) limit(`other-${other}`);
      assert.ok(limit('other-99998') > 0, 'the newest is remembered');
      limit('one-more');
      limit('and-another');
      assert.equal(limit('first'), 0, 'the oldest is forgotten');
    }
    const budget = createBudget(clock, 0.001, 1);
    for (let caller = 0; caller <= 100_000; caller++) budget.charge(`caller-${caller}`, 2);
    assert.equal(budget.overdrawn('caller-0'), 0, 'the oldest is forgotten');
    assert.ok(budget.overdrawn('caller-100000') > 0, 'the newest is remembered');
  });
});
