import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RecentBlock, recentBlocks } from './recent-blocks.ts';
import { newBlock } from './world.fixture.ts';

const recent: RecentBlock = { block: (await newBlock(0, ['a'])).block, storedLength: 1 };

/** The weight of one such block. */
function weightOfOne(): number {
  const blocks = recentBlocks(1);
  blocks.add(0, 1, recent);
  return blocks.bytes;
}

const held = (blocks: ReturnType<typeof recentBlocks>, partition: number) =>
  Array.from({ length: 20 }, (_, i) => i + 1).filter((sequence) => blocks.get(partition, sequence));

test('the newest blocks of all partitions stay within the budget', () => {
  const blocks = recentBlocks(2, 4 * weightOfOne());
  for (let sequence = 1; sequence <= 3; sequence++) blocks.add(0, sequence, recent);
  for (let sequence = 11; sequence <= 13; sequence++) blocks.add(1, sequence, recent);
  assert.deepEqual(held(blocks, 0), [3]);
  assert.deepEqual(held(blocks, 1), [11, 12, 13]);
  assert.equal(blocks.bytes, 4 * weightOfOne());
});

test('a block larger than the budget is not kept', () => {
  const blocks = recentBlocks(1, weightOfOne() - 1);
  blocks.add(0, 1, recent);
  assert.equal(blocks.get(0, 1), undefined);
  assert.equal(blocks.bytes, 0);
});

test('trimmed blocks give their room to others', () => {
  const blocks = recentBlocks(2, 4 * weightOfOne());
  for (let sequence = 1; sequence <= 3; sequence++) blocks.add(0, sequence, recent);
  blocks.trim(0, 3);
  assert.deepEqual(held(blocks, 0), [3]);
  for (let sequence = 1; sequence <= 3; sequence++) blocks.add(1, sequence, recent);
  assert.deepEqual(held(blocks, 0), [3]);
  assert.deepEqual(held(blocks, 1), [1, 2, 3]);
  blocks.trim(0, 100);
  blocks.trim(1, 100);
  assert.equal(blocks.bytes, 0);
});

test('the books stay right over many blocks', () => {
  const blocks = recentBlocks(1, 8 * weightOfOne());
  for (let sequence = 1; sequence <= 10_000; sequence++) blocks.add(0, sequence, recent);
  assert.equal(blocks.bytes, 8 * weightOfOne());
  for (let sequence = 9_993; sequence <= 10_000; sequence++) assert.ok(blocks.get(0, sequence));
});

test('what was read does not push out the newest; the stored bytes of the newest outlast them', () => {
  const blocks = recentBlocks(1, 4 * weightOfOne());
  const bytes = new Uint8Array(16);
  for (let sequence = 11; sequence <= 18; sequence++) blocks.add(0, sequence, recent, bytes);
  for (let sequence = 1; sequence <= 9; sequence++) blocks.addRead(0, sequence, recent);
  assert.deepEqual(held(blocks, 0), [8, 9, 15, 16, 17, 18]);
  assert.equal(blocks.bytesOf(0, 11), bytes);
  blocks.addRead(0, 9, recent);
  blocks.trim(0, 18);
  assert.deepEqual(held(blocks, 0), [18]);
  assert.equal(blocks.bytesOf(0, 17), undefined);
});
