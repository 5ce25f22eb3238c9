import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keepWithin } from './kept-blocks.ts';

const values = (budget: number) => keepWithin<number>({ budget, partitions: 2, weight: (value) => value });

const held = (kept: ReturnType<typeof values>, partition: number) =>
  Array.from({ length: 20 }, (_, i) => i + 1).filter((sequence) => kept.get(partition, sequence));

test('the last values of all partitions stay within the budget', () => {
  const kept = values(40);
  for (let sequence = 1; sequence <= 3; sequence++) kept.add(0, sequence, 10);
  for (let sequence = 11; sequence <= 13; sequence++) kept.add(1, sequence, 10);
  assert.deepEqual(held(kept, 0), [3]);
  assert.deepEqual(held(kept, 1), [11, 12, 13]);
  assert.equal(kept.bytes, 40);
});

test('a value larger than the budget is not kept', () => {
  const kept = values(40);
  kept.add(0, 1, 41);
  assert.equal(kept.get(0, 1), undefined);
  assert.equal(kept.bytes, 0);
});

test('trimmed values give their room to others', () => {
  const kept = values(40);
  for (let sequence = 1; sequence <= 3; sequence++) kept.add(0, sequence, 10);
  kept.trim(0, 3);
  assert.deepEqual(held(kept, 0), [3]);
  for (let sequence = 1; sequence <= 3; sequence++) kept.add(1, sequence, 10);
  assert.deepEqual(held(kept, 0), [3]);
  assert.deepEqual(held(kept, 1), [1, 2, 3]);
  kept.trim(0, 100);
  kept.trim(1, 100);
  assert.equal(kept.bytes, 0);
});

test('the books stay right over many values', () => {
  const kept = values(80);
  for (let sequence = 1; sequence <= 10_000; sequence++) kept.add(0, sequence, 10);
  assert.equal(kept.bytes, 80);
  for (let sequence = 9_993; sequence <= 10_000; sequence++) assert.ok(kept.get(0, sequence));
});

test('what makes room for another leaves while it is still here; what is trimmed does not', () => {
  const told: string[] = [];
  const kept = keepWithin<number>({
    budget: 20,
    partitions: 1,
    weight: (value) => value,
    kept: (value) => told.push(`kept ${value}`),
    left: (_, sequence) => told.push(`left ${sequence}`),
    forgotten: (value, _, sequence) => told.push(`forgotten ${value} ${sequence}`),
  });
  kept.add(0, 1, 10);
  kept.add(0, 2, 11);
  kept.trim(0, 3);
  assert.deepEqual(told, ['kept 10', 'kept 11', 'left 1', 'forgotten 10 1', 'forgotten 11 2']);
});
