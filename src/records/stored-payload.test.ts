import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryPool } from '../lib/memory-pool.ts';
import { BlockFault, encodeBlockNow } from './block.ts';
import { holdPayloads, leaseOf, passingPayload } from './leased-block.ts';
import { layOut } from './record-index.fixture.ts';
import { payloadOf } from './stored-payload.ts';
import { Unpacked } from './unpacked.ts';

/** Blocks of some 20 KB: the memory of smaller ones is not used again. */
function encodedBlocks(count: number, length = 600) {
  return Array.from({ length: count }, (_, block) => {
    const records = Array.from({ length }, (_, i) => ({
      text: `{"id":${i},"name":"meter-${block}-${i % 7}"}`,
    }));
    const { index, payload } = layOut('usage', records);
    return { payload: Buffer.from(payload), encoded: encodeBlockNow(index, payload, 5) };
  });
}

/** Room for two payloads. What leaves, leaves when `nextTurn` is called, and is overwritten then. */
function room() {
  const calls: (() => void)[] = [];
  const unpacked = () => new Unpacked(45_000, (call) => calls.push(call));
  const memory = new MemoryPool(2 ** 20, true);
  return {
    room: { whole: unpacked(), mixed: unpacked(), memory },
    memory,
    nextTurn: () => {
      for (const call of calls.splice(0)) call();
    },
  };
}

describe('the payload of a stored block', () => {
  test('is right in the turn in which it was read, however many others are read in it', () => {
    const { room: there, nextTurn } = room();
    for (let turn = 0; turn < 3; turn++) {
      const blocks = encodedBlocks(12).map((each) => ({
        ...each,
        block: { payload: payloadOf(each.encoded, true, there) },
      }));
      const views = blocks.map(({ block }) => passingPayload(block));
      for (const [at, { payload }] of blocks.entries()) assert.ok(payload.equals(views[at] as Uint8Array));
      nextTurn();
      for (const { block, payload } of blocks) {
        assert.ok(payload.equals(passingPayload(block)));
        nextTurn();
      }
    }
  });

  test('uses memory again that nobody holds', () => {
    const { room: there, memory, nextTurn } = room();
    for (const { encoded } of encodedBlocks(50)) {
      passingPayload({ payload: payloadOf(encoded, true, there) });
      nextTurn();
    }
    assert.ok(
      memory.usedBytes + memory.freeBytes < 150_000,
      `${memory.usedBytes} and ${memory.freeBytes} bytes`,
    );
  });

  test('that is small leaves with the budget, too', () => {
    const { room: there, nextTurn } = room();
    const payloads = encodedBlocks(30, 200).map(({ encoded }) => payloadOf(encoded, true, there));
    const first = payloads.map((payload) => passingPayload({ payload }));
    nextTurn();
    const again = payloads.filter((payload, at) => passingPayload({ payload }) !== first[at]);
    assert.ok(again.length > 15, `${again.length} of 30 were decompressed again`);
  });

  test('stays for those who hold it', () => {
    const { room: there, nextTurn } = room();
    const [first, ...others] = encodedBlocks(12);
    assert.ok(first);
    const block = { payload: payloadOf(first.encoded, true, there) };
    assert.equal(leaseOf(block), undefined);
    const view = passingPayload(block);
    const letGo = holdPayloads([{ block }]);
    for (const { encoded } of others) passingPayload({ payload: payloadOf(encoded, true, there) });
    nextTurn();
    assert.ok(first.payload.equals(view));
    assert.equal(passingPayload(block), view, 'it is not decompressed again');
    letGo(true);
    assert.equal(leaseOf(block), undefined);
    assert.ok(!first.payload.equals(view), 'its memory is free, and overwritten');
    assert.ok(first.payload.equals(passingPayload(block)));
  });

  test('stays for ever for a caller of the function itself, in whatever order it is used', () => {
    const { room: there, nextTurn } = room();
    const [first, second, ...others] = encodedBlocks(12);
    assert.ok(first && second);
    const alone = payloadOf(first.encoded, true, there);
    const after = payloadOf(second.encoded, true, there);
    const views = [alone(), passingPayload({ payload: after }), after()];
    const letGo = holdPayloads([{ block: { payload: alone } }, { block: { payload: after } }]);
    for (const { encoded } of others) passingPayload({ payload: payloadOf(encoded, true, there) });
    nextTurn();
    letGo(true);
    nextTurn();
    for (const [at, { payload }] of [first, second, second].entries())
      assert.ok(payload.equals(views[at] as Uint8Array), `view ${at}`);
  });

  test('that is damaged is a fault at each use, and leaves no memory behind', () => {
    const { room: there, memory } = room();
    for (const { encoded } of encodedBlocks(3)) {
      const damaged = Buffer.from(encoded);
      damaged[damaged.length - 9] = (damaged[damaged.length - 9] as number) ^ 4;
      const checked = payloadOf(damaged, true, there);
      assert.throws(() => checked(), BlockFault);
      assert.throws(() => checked(), BlockFault);
      // 20 bytes short of what its header says.
      damaged.writeUInt32LE(Buffer.from(encoded).readUInt32LE(16) + 20, 16);
      assert.throws(() => passingPayload({ payload: payloadOf(damaged, false, there) }), BlockFault);
    }
    assert.equal(memory.usedBytes, 0);
  });
});
