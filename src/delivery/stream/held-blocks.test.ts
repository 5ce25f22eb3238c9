import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newBlock } from '../../log/world.fixture.ts';
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
