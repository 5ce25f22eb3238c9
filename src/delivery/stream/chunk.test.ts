import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Chunk, deliveryId } from './chunk.ts';

/** The parts of a request, each with its block and its records from (included) to (excluded). */
const chunkOf = (...parts: readonly (readonly [sequence: number, from: number, to: number])[]): Chunk =>
  parts.map(([sequence, from, to]) => ({
    sequence,
    from,
    to,
    block: undefined,
    arrivedAt: 0,
    bytes: 0,
    slot: 0,
  }));

test('requests of two lanes with the same ends and the same count have delivery ids of their own', () => {
  const one = chunkOf([1, 0, 1], [2, 3, 4], [5, 0, 1]);
  const other = chunkOf([1, 0, 1], [3, 3, 4], [5, 0, 1]);
  assert.notEqual(deliveryId('a', one, 16), deliveryId('a', other, 16));
  assert.equal(deliveryId('a', one, 16), deliveryId('a', chunkOf([1, 0, 1], [2, 3, 4], [5, 0, 1]), 16));
  assert.equal(deliveryId('a', one, 1), 'a-1.0-5.0-3', 'with one lane the ends say it');
});
