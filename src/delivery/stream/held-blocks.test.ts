import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryPool } from '../../lib/memory-pool.ts';
import { newBlock } from '../../log/world.fixture.ts';
import { encodeBlock } from '../../records/block.ts';
import { leasedBlock } from '../../records/leased-block.ts';
import { layOut } from '../../records/record-index.fixture.ts';
import { HeldBlocks } from './held-blocks.ts';

test('a block counts once, until the last stream that waits for records of it has let it go', async () => {
  const [one, other] = [(await newBlock(0, ['a'])).block, (await newBlock(0, ['bc'])).block];
  const held = new HeldBlocks(one.heldBytes + other.heldBytes);
  held.add(one);
  held.add(one);
  assert.equal(held.bytes, one.heldBytes);
  assert.equal(held.full, false);
  held.add(other);
  assert.equal(held.full, true);
  held.remove(one);
  assert.equal(held.bytes, one.heldBytes + other.heldBytes);
  held.remove(one);
  held.remove(other);
  assert.equal(held.bytes, 0);
  held.remove(other);
  assert.equal(held.bytes, 0, 'what is not held is not counted below nothing');
});

test('a payload in memory that is used again stays until the last stream has let its block go, up to a bound', async () => {
  const pool = new MemoryPool(2 ** 20, true);
  const { index, payload } = layOut('usage', [{ text: JSON.stringify({ pad: 'x'.repeat(20_000) }) }]);
  const encoded = await encodeBlock(index, payload, 0);
  const leased = () => {
    const lease = pool.take(payload.length);
    lease.bytes?.set(payload);
    return { lease, block: leasedBlock(index, lease, 0, encoded) };
  };
  const [one, other] = [leased(), leased()];
  const held = new HeldBlocks(2 ** 20, payload.length);
  for (const block of [one.block, one.block, other.block]) held.add(block);
  for (const { lease } of [one, other]) lease.release();
  assert.ok(one.lease.bytes);
  assert.equal(other.lease.bytes, undefined, 'there is room for one');
  held.remove(one.block);
  assert.ok(one.lease.bytes);
  held.remove(one.block);
  assert.equal(one.lease.bytes, undefined);
  held.remove(other.block);
  assert.equal(held.bytes, 0);
});
