import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeBytes } from './free-bytes.ts';

const LENGTH = 1 << 20;

test('memory is given back at once, and may be twice', () => {
  const bytes = Buffer.allocUnsafeSlow(LENGTH);
  const before = process.memoryUsage().arrayBuffers;
  freeBytes(bytes);
  assert.equal(bytes.length, 0);
  assert.ok(before - process.memoryUsage().arrayBuffers >= LENGTH);
  freeBytes(bytes);
});

test('what others may look at is kept', () => {
  const whole = Buffer.alloc(LENGTH, 7);
  freeBytes(whole.subarray(0, LENGTH - 1));
  freeBytes(whole.subarray(1));
  assert.equal(whole[LENGTH - 1], 7);
  const small = Buffer.from('of a pool');
  freeBytes(small);
  assert.equal(small.toString(), 'of a pool');
  const shared = new Uint8Array(new SharedArrayBuffer(LENGTH));
  freeBytes(shared);
  assert.equal(shared.length, LENGTH);
});
