import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryPool } from '../lib/memory-pool.ts';
import { encodeBlock } from './block.ts';
import { leasedBlock, leaseOf, passingPayload } from './leased-block.ts';
import { layOut } from './record-index.fixture.ts';

async function leased() {
  const pool = new MemoryPool(2 ** 20, true);
  const records = Array.from({ length: 1000 }, (_, i) => ({
    text: `{"id":${i},"name":"heat-meter-${i % 7}"}`,
  }));
  const { index, payload } = layOut('usage', records);
  const lease = pool.take(payload.length);
  lease.bytes?.set(payload);
  const block = leasedBlock(index, lease, 5, await encodeBlock(index, payload, 5));
  return { pool, lease, block, payload: Buffer.from(payload) };
}

describe('a block whose payload lies in memory that is used again', () => {
  test('has the same payload when the lease is over', async () => {
    const { pool, lease, block, payload } = await leased();
    assert.ok(payload.equals(passingPayload(block)));
    lease.release();
    assert.ok(pool.freeBytes > 0, 'its memory is free again');
    pool.take(payload.length).bytes?.fill(1);
    assert.ok(payload.equals(passingPayload(block)));
    assert.ok(payload.equals(block.payload()));
  });

  test('a copy of it with another payload has no lease', async () => {
    const { block } = await leased();
    const other = Buffer.from('other');
    assert.equal(passingPayload({ ...block, payload: () => other }), other);
    const later = { ...block, arrivedAt: 6 };
    assert.notEqual(leaseOf(later), undefined);
  });

  test('gives up its memory to a caller that may keep views of it', async () => {
    const { pool, lease, block, payload } = await leased();
    const kept = block.payload();
    lease.release();
    assert.equal(pool.freeBytes, 0);
    assert.ok(payload.equals(kept));
    assert.equal(block.payload(), kept);
  });
});
