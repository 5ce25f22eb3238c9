import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArrivalOrder } from './arrival-order.ts';

/** Lane of a record: its tens. Numbers are arrivals, words are restarts. */
function judge(...steps: readonly (number | 'crashed' | 'stopped')[]): ArrivalOrder {
  const order = new ArrivalOrder((record) => Math.floor(record / 10));
  for (const step of steps) {
    if (typeof step === 'number') order.arrive(step);
    else order.restarted(step);
  }
  return order;
}

test('lanes may be mixed, each in its order', () => {
  assert.deepEqual(judge(1, 11, 2, 12, 21).faults, []);
  assert.equal(judge(1, 12, 11).faults.length, 1);
});

test('after a crash the end may come again, in the same order', () => {
  const order = judge(1, 11, 2, 'crashed', 11, 2, 3);
  assert.deepEqual(order.faults, []);
  assert.deepEqual(order.repeated, [2]);
  assert.equal(order.moved, 1);
  assert.equal(order.count, 4);
});

test('a crash while records come again may go back again, but not further', () => {
  assert.deepEqual(judge(1, 2, 3, 4, 'crashed', 2, 3, 'crashed', 3, 4, 5).faults, []);
  assert.deepEqual(judge(1, 2, 3, 4, 'crashed', 2, 3, 'crashed', 2, 3, 4, 5).faults, []);
  assert.equal(judge(1, 2, 3, 4, 'crashed', 2, 3, 4, 'crashed', 1, 2, 3, 4).faults.length, 1);
});

test('what one start found committed, a later one finds as well', () => {
  const faults = ['place 1 came again, though 2 had been committed'];
  assert.deepEqual(judge(1, 2, 'crashed', 3, 4, 'crashed', 2, 3, 4).faults, faults);
});

test('a crash without any repetition, and one in which nothing arrived', () => {
  const order = judge(1, 2, 'crashed', 'crashed', 3, 'crashed', 4);
  assert.deepEqual(order.faults, []);
  assert.deepEqual(order.repeated, []);
});

test('what comes again without a crash, or after a stop, is a fault', () => {
  assert.equal(judge(1, 2, 2).faults.length, 1);
  assert.equal(judge(1, 2, 3, 'stopped', 3, 4).faults.length, 1);
  assert.equal(judge(1, 2, 'crashed', 3, 2).faults.length, 1);
});

test('what is left out, or comes in another order, while records come again is a fault', () => {
  assert.equal(judge(1, 2, 3, 'crashed', 1, 3).faults.length, 1);
  assert.equal(judge(1, 2, 3, 'crashed', 1, 4).faults.length, 1);
  assert.equal(judge(1, 2, 3, 4, 'crashed', 1, 2, 'crashed', 4, 5).faults.length, 1);
});
