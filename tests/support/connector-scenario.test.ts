import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkArrivals, SAMPLES } from './connector-scenario.ts';

const ingested = ['a1', 'b1', 'a2', 'b2', 'a2', 'a3'];
const arrivals = (...texts: string[]) => texts.map((text) => ({ key: text.slice(0, 1), text }));

describe('the judgement of what arrived', () => {
  test('any order of keys, and what comes again within what was in flight, is right', () => {
    checkArrivals(arrivals(...ingested), ingested, 0);
    checkArrivals(arrivals('b1', 'b2', 'a1', 'a2', 'a2', 'a3'), ingested, 0);
    checkArrivals(arrivals('a1', 'b1', 'a1', 'b1', 'a2', 'b2', 'a2', 'a3'), ingested, 2);
  });

  test('a record that is missing, strange or out of order, or that comes too often, is not', () => {
    const judged =
      (texts: string[], duplicates = 5) =>
      () =>
        checkArrivals(arrivals(...texts), ingested, duplicates);
    assert.throws(judged(['a1', 'b1', 'a2', 'b2', 'a2']), /never came/);
    assert.throws(judged([...ingested, 'c1']), /nobody ingested c1/);
    assert.throws(judged(['a2', 'a1', 'b1', 'b2', 'a2', 'a3']), /record 0 of a came after record 2/);
    assert.throws(judged([...ingested, 'a1', 'a1'], 1), /2 duplicates, 1 were in flight/);
  });
});

test('of each kind a sample comes twice', () => {
  for (const texts of Object.values(SAMPLES)) assert.ok(new Set(texts).size < texts.length);
});
