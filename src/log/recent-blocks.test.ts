import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryPool } from '../lib/memory-pool.ts';
import { encodeBlock } from '../records/block.ts';
import { leasedBlock } from '../records/leased-block.ts';
import { layOut } from '../records/record-index.fixture.ts';
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

test('a block in memory that is used again is held as long as it is here', async () => {
  const pool = new MemoryPool(2 ** 20);
  const { index, payload } = layOut('usage', [{ text: JSON.stringify({ pad: 'x'.repeat(20_000) }) }]);
  const lease = pool.take(payload.length);
  lease.bytes?.set(payload);
  const block = leasedBlock(index, lease, 0, await encodeBlock(index, payload, 0));
  const blocks = recentBlocks(2, 2 * (block.heldBytes + 2048));
  for (const sequence of [1, 2]) blocks.add(0, sequence, { block, storedLength: 1 });
  lease.release();
  blocks.trim(0, 2);
  assert.ok(lease.bytes, 'the second one is here');
  blocks.add(1, 1, { block: (await newBlock(1, ['b'.repeat(60_000)])).block, storedLength: 1 });
  assert.equal(lease.bytes, undefined);
  assert.ok(pool.freeBytes > 0);
});
