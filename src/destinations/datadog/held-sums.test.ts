import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HeldPoints } from './held-sums.ts';

const record = (id: string, timestamp: number, cost: string) => ({ id, timestamp, interval: 60, cost });
/** Taken as soon as they arrived. */
const at = (now: number) => ({ now, arrivedAt: now });
const valuesOf = (held: HeldPoints, stream: string) =>
  held
    .ofStream(stream)
    .of('cost a')
    ?.map(({ values }) => values.cost);

describe('the points that Datadog has', () => {
  test('add up exactly, once for each record, and apart for each stream', () => {
    const held = new HeldPoints();
    held.ofStream('one').take('cost a', [record('1', 5, '0.1'), record('2', 5, '0.2')], at(0));
    held.ofStream('one').take('cost a', [record('2', 5, '0.2'), record('3', 6, '1')], at(0));
    held.ofStream('two').take('cost a', [record('1', 5, '7')], at(0));
    assert.deepEqual(valuesOf(held, 'one'), ['0.3', '1']);
    assert.deepEqual(valuesOf(held, 'two'), ['7']);
  });

  test('are forgotten after a quarter of an hour, as soon as the stream delivers', () => {
    const held = new HeldPoints();
    held.ofStream('one').take('cost a', [record('1', 5, '1')], at(0));
    held.ofStream('one').take('cost a', [record('2', 6, '2')], at(10 * 60_000));
    held.ofStream('one').take('cost a', [record('3', 7, '3')], at(16 * 60_000));
    assert.deepEqual(valuesOf(held, 'one'), ['2', '3']);
    held.ofStream('one').take('cost b', [record('4', 8, '4')], at(40 * 60_000));
    assert.equal(valuesOf(held, 'one'), undefined);
  });

  test('stay while records go out that arrived in the same quarter of an hour: after an outage they come late', () => {
    const held = new HeldPoints();
    held.ofStream('one').take('cost a', [record('1', 5, '1')], at(0));
    held.ofStream('one').take('cost a', [record('2', 6, '2')], { now: 50 * 60_000, arrivedAt: 60_000 });
    held.ofStream('one').take('cost a', [record('3', 5, '3')], { now: 51 * 60_000, arrivedAt: 90_000 });
    assert.deepEqual(valuesOf(held, 'one'), ['4', '2']);
  });

  test('are no more than a bound, over all streams: the oldest go first', () => {
    const held = new HeldPoints(3);
    for (let n = 0; n < 100; n++)
      held.ofStream(`${n % 2}`).take('cost a', [record(`${n}`, n, `${n}`)], at(0));
    assert.deepEqual(valuesOf(held, '1'), ['97', '99']);
    assert.deepEqual(valuesOf(held, '0'), ['98']);
  });

  test('of a bound that is reached within one call, the newest stay', () => {
    const held = new HeldPoints(2);
    const all = [1, 2, 3, 4, 5].map((n) => record(`${n}`, n, `${n}`));
    held.ofStream('one').take('cost a', all, at(0));
    assert.deepEqual(valuesOf(held, 'one'), ['4', '5']);
    held.ofStream('two').take('cost a', all.slice(0, 2), at(0));
    assert.equal(valuesOf(held, 'one'), undefined);
    held.ofStream('one').take('cost a', all, at(0));
    assert.deepEqual(valuesOf(held, 'one'), ['4', '5']);
  });
});
