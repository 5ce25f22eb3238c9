import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HeldPoints } from './held-sums.ts';

const record = (id: string, timestamp: number, cost: string) => ({ id, timestamp, interval: 60, cost });
const valuesOf = (held: HeldPoints, stream: string) =>
  held
    .ofStream(stream)
    .of('cost a')
    ?.map(({ values }) => values.cost);

describe('the points that Datadog has', () => {
  test('add up exactly, once for each record, and apart for each stream', () => {
    const held = new HeldPoints();
    held.ofStream('one').take('cost a', [record('1', 5, '0.1'), record('2', 5, '0.2')], 0);
    held.ofStream('one').take('cost a', [record('2', 5, '0.2'), record('3', 6, '1')], 0);
    held.ofStream('two').take('cost a', [record('1', 5, '7')], 0);
    assert.deepEqual(valuesOf(held, 'one'), ['0.3', '1']);
    assert.deepEqual(valuesOf(held, 'two'), ['7']);
  });

  test('are forgotten after a quarter of an hour', () => {
    const held = new HeldPoints();
    held.ofStream('one').take('cost a', [record('1', 5, '1')], 0);
    held.ofStream('one').take('cost a', [record('2', 6, '2')], 10 * 60_000);
    held.ofStream('two').take('cost a', [record('3', 7, '3')], 16 * 60_000);
    assert.deepEqual(valuesOf(held, 'one'), ['2']);
    held.ofStream('two').take('cost a', [record('4', 8, '4')], 26 * 60_000);
    assert.equal(valuesOf(held, 'one'), undefined);
  });

  test('are no more than a bound, over all streams: the oldest go first', () => {
    const held = new HeldPoints(3);
    for (let n = 0; n < 100; n++) held.ofStream(`${n % 2}`).take('cost a', [record(`${n}`, n, `${n}`)], 0);
    assert.deepEqual(valuesOf(held, '1'), ['97', '99']);
    assert.deepEqual(valuesOf(held, '0'), ['98']);
  });
});
