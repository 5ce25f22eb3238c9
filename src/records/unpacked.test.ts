import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Unpacked } from './unpacked.ts';

test('the oldest payloads are forgotten, once each, and the books stay right', () => {
  const unpacked = new Unpacked(10_000, (call) => call());
  const forgotten: number[] = [];
  for (let n = 0; n < 5_000; n++) {
    unpacked.add(2_000, () => forgotten.push(n));
    assert.ok(unpacked.bytes <= 10_000);
  }
  assert.deepEqual(
    forgotten,
    Array.from({ length: 4_996 }, (_, n) => n),
  );
});

test('what alone is more than the budget is kept until the next comes', () => {
  const unpacked = new Unpacked(100, (call) => call());
  let forgotten = 0;
  unpacked.add(5_000, () => forgotten++);
  assert.equal(forgotten, 0);
  unpacked.add(1, () => assert.fail());
  assert.equal(forgotten, 1);
});
