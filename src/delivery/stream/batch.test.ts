import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BatchDestination } from '../../destinations/contract.ts';
import { type Block, encodeBlockNow } from '../../records/block.ts';
import { decodeBlock } from '../../records/decode-block.ts';
import { isPacked } from '../../records/leased-block.ts';
import { layOut } from '../../records/record-index.fixture.ts';
import { type Delivery, deliver } from './batch.ts';

/** As it is read from the store: 250 KB of records, compressed. */
function storedBlock(sequence: number): Block {
  const records = Array.from({ length: 1_000 }, (_, id) => ({
    text: JSON.stringify({ id, sequence, name: 'meter '.repeat(40) }),
  }));
  const { index, payload } = layOut('event', records);
  return decodeBlock(encodeBlockNow(index, payload, 1_000));
}

const stream = { id: 1, organisationId: 7, kind: 'event', name: 'a stream' };

test('the blocks of a large request are decompressed one in a turn of the event loop', async () => {
  const blocks = [1, 2, 3, 4].map(storedBlock);
  const chunk = blocks.map((block, at) => ({
    sequence: at + 1,
    from: 0,
    to: 1_000,
    arrivedAt: 1_000,
    block,
  }));
  let packed: number | undefined;
  const destination = {
    takes: 'batches',
    send: async () => {
      packed = blocks.filter(isPacked).length;
      return { type: 'delivered' };
    },
  } as unknown as BatchDestination;
  const delivery = { stream, chunk, id: 'd' } as unknown as Delivery;
  const outcome = deliver(
    destination,
    delivery,
    async () => undefined,
    new AbortController().signal,
    assert.fail,
  );
  let before = blocks.filter(isPacked).length;
  assert.equal(before, 4);
  while (packed === undefined) {
    await nextTurn();
    const now = blocks.filter(isPacked).length;
    assert.ok(before - now <= 1, `${before - now} blocks in one turn`);
    before = now;
  }
  assert.equal(packed, 0);
  assert.deepEqual(await outcome, { type: 'delivered' });
});
