import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StreamArrivals } from './stream-arrivals.ts';

test('a record that is skipped, or comes again without a reason, is a fault', () => {
  const arrivals = new StreamArrivals();
  arrivals.arrive(0, 0);
  arrivals.arrive(1, 10);
  arrivals.disrupt(4_000);
  arrivals.arrive(1, 4_100);
  assert.deepEqual(arrivals.faults, []);
  arrivals.disrupt(60_000);
  arrivals.arrive(0, 60_001);
  arrivals.arrive(3, 60_002);
  assert.equal(arrivals.faults.length, 2);
  assert.equal(arrivals.repeated, 2);
});

test('nothing may come again while nothing went wrong', () => {
  const arrivals = new StreamArrivals();
  arrivals.arrive(0, 0);
  arrivals.arrive(0, 1);
  assert.equal(arrivals.faults.length, 1);
});
