import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Lease, MemoryPool } from '../lib/memory-pool.ts';
import { encodeBlock } from '../records/block.ts';
import { leasedBlock, passingPayload } from '../records/leased-block.ts';
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

test('blocks without payloads of their own are kept longer; what was read does not push them out', () => {
  const blocks = recentBlocks(2, 8 * weightOfOne());
  for (let sequence = 7; sequence <= 20; sequence++) blocks.add(0, sequence, recent);
  for (let sequence = 1; sequence <= 6; sequence++) blocks.addRead(0, sequence, recent);
  assert.deepEqual(held(blocks, 0), [5, 6, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
  assert.equal(blocks.bytes, 14 * weightOfOne());
  blocks.trim(0, 18);
  assert.deepEqual(held(blocks, 0), [18, 19, 20]);
});

test('another block with the same sequence takes the place of the first, wherever that is', () => {
  const blocks = recentBlocks(1, 4 * weightOfOne());
  const named = (id: string): RecentBlock => ({ ...recent, id });
  for (let sequence = 1; sequence <= 8; sequence++) blocks.add(0, sequence, named('first'));
  for (const sequence of [4, 8]) blocks.add(0, sequence, named('second'));
  for (const sequence of [4, 8]) assert.equal(blocks.get(0, sequence)?.id, 'second');
  for (let sequence = 9; sequence <= 10; sequence++) blocks.add(0, sequence, named('later'));
  assert.equal(blocks.get(0, 8)?.id, 'second');
});

test('the newest blocks outlast their payloads in memory, and stay what they are', async () => {
  const { world, add, lease } = await leasedBlocks(2);
  add(1);
  const { payload, block } = add(2);
  add(3);
  assert.equal(lease(1).bytes, undefined, 'its memory is free');
  assert.ok(lease(2).bytes);
  const first = world.get(0, 1)?.block;
  assert.deepEqual(first?.starts, block.starts);
  assert.equal(first?.payloadCrc, block.payloadCrc);
  assert.ok(first && first.heldBytes < block.heldBytes);
  assert.ok(payload.equals(passingPayload(first)));
});

describe('a reader that fell behind', () => {
  test('finds the payload of what it reads next, as far as there is room', async () => {
    const { world, add, lease } = await leasedBlocks(4);
    for (let sequence = 1; sequence <= 5; sequence++) add(sequence);
    world.reads(0, 2);
    // Four are the newest, two more are wanted.
    for (let sequence = 6; sequence <= 12; sequence++) add(sequence);
    const inMemory = () =>
      Array.from({ length: 12 }, (_, at) => at + 1).filter((sequence) => lease(sequence).bytes);
    assert.deepEqual(inMemory(), [2, 3, 9, 10, 11, 12]);
    world.reads(0, 3);
    assert.deepEqual(inMemory(), [3, 9, 10, 11, 12]);
    assert.ok(world.get(0, 2), 'another reader finds it');
  });

  test('and is never heard of again leaves its room to others', async () => {
    const { world, add, lease } = await leasedBlocks(4);
    for (let sequence = 1; sequence <= 5; sequence++) add(sequence);
    world.reads(0, 2);
    for (let sequence = 6; sequence <= 40; sequence++) add(sequence);
    assert.equal(lease(2).bytes, undefined);
    world.reads(0, 38);
    for (let sequence = 41; sequence <= 44; sequence++) add(sequence);
    assert.ok(lease(38).bytes);
  });

  test('of what is not in memory any more wants nothing', async () => {
    const { world, add, lease } = await leasedBlocks(4);
    for (let sequence = 101; sequence <= 106; sequence++) add(sequence);
    world.reads(0, 1);
    for (let sequence = 107; sequence <= 110; sequence++) add(sequence);
    assert.equal(lease(104).bytes, undefined);
  });
});

/** Room for `count` of the newest blocks, whose payloads lie in memory that is used again. */
async function leasedBlocks(count: number) {
  const pool = new MemoryPool(2 ** 20, true);
  const { index, payload } = layOut('usage', [{ text: JSON.stringify({ pad: 'x'.repeat(20_000) }) }]);
  const encoded = await encodeBlock(index, payload, 0);
  const leases = new Map<number, Lease>();
  const make = () => {
    const lease = pool.take(payload.length);
    lease.bytes?.set(payload);
    return { lease, block: leasedBlock(index, lease, 0, encoded) };
  };
  const world = recentBlocks(1, count * (make().block.heldBytes + 2048));
  return {
    world,
    lease: (sequence: number) => leases.get(sequence) as Lease,
    add: (sequence: number) => {
      const { lease, block } = make();
      leases.set(sequence, lease);
      world.add(0, sequence, { block, storedLength: encoded.length }, encoded);
      lease.release();
      return { payload: Buffer.from(payload), block };
    },
  };
}

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
