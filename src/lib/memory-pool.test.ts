import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryPool } from './memory-pool.ts';
import { fc } from './property.fixture.ts';

const KIB = 1024;

/** Smaller memory belongs to no pool. */
const pooled = (size: number) => (size < 16 * KIB ? 0 : size);

describe('a pool of memory', () => {
  test('memory is used again when its last holder has released it', () => {
    const pool = new MemoryPool(2 ** 20, true);
    const lease = pool.take(100 * KIB);
    const { buffer } = lease.bytes as Uint8Array;
    lease.retain();
    lease.release();
    assert.notEqual(pool.take(100 * KIB).bytes?.buffer, buffer, 'one holder is left');
    lease.bytes?.fill(7);
    lease.release();
    assert.equal(lease.bytes, undefined);
    const next = pool.take(99 * KIB);
    assert.equal(next.bytes?.buffer, buffer);
    assert.equal(next.bytes?.length, 99 * KIB);
    assert.ok(
      next.bytes?.every((byte) => byte === 0xdb),
      'poisoned',
    );
  });

  test('memory that was given up is never used again, and stays as it is', () => {
    const pool = new MemoryPool(2 ** 20, true);
    const lease = pool.take(100 * KIB);
    const bytes = (lease.bytes as Uint8Array).fill(7);
    lease.giveUp();
    lease.release();
    assert.equal(pool.freeBytes, 0);
    assert.equal(lease.bytes, bytes);
    assert.ok(bytes.every((byte) => byte === 7));
    assert.notEqual(pool.take(100 * KIB).bytes?.buffer, bytes.buffer);
  });

  test('what was given up, or belongs to no pool, can be held again after its last holder', () => {
    const pool = new MemoryPool(2 ** 20, true);
    const givenUp = pool.take(100 * KIB);
    givenUp.giveUp();
    for (const lease of [givenUp, pool.take(10)]) {
      for (let n = 0; n < 3; n++) {
        lease.release();
        assert.ok(lease.bytes);
        lease.retain();
      }
    }
    assert.equal(pool.freeBytes, 0);
  });

  test('a lease has as many ends as holders', () => {
    const lease = new MemoryPool(2 ** 20).take(100 * KIB);
    lease.release();
    assert.throws(() => lease.release(), /once more/);
    lease.giveUp();
    assert.equal(lease.bytes, undefined);
    assert.throws(() => lease.retain(), /over/);
  });

  test('whatever is taken and released: no two leases share memory, and free memory is bounded', () => {
    const most = 512 * KIB;
    const action = fc.record({
      take: fc.integer({ min: 0, max: 300 * KIB }),
      which: fc.nat(),
      what: fc.constantFrom('take', 'release', 'giveUp'),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const pool = new MemoryPool(most, true);
        const held: { lease: ReturnType<MemoryPool['take']>; mark: number }[] = [];
        for (const [at, { take, which, what }] of actions.entries()) {
          if (what === 'take') {
            const lease = pool.take(take);
            assert.equal(lease.bytes?.length, take);
            lease.bytes?.fill(at);
            held.push({ lease, mark: at });
          } else if (held.length > 0) {
            const [one] = held.splice(which % held.length, 1);
            if (what === 'giveUp') one?.lease.giveUp();
            one?.lease.release();
          }
          assert.ok(pool.freeBytes <= most);
          const used = held.reduce((sum, { lease }) => sum + pooled(lease.bytes?.buffer.byteLength ?? 0), 0);
          assert.equal(pool.usedBytes, used);
          for (const { lease, mark } of held) {
            const bytes = lease.bytes as Uint8Array;
            for (const place of [0, bytes.length >> 1, bytes.length - 1])
              if (bytes.length > 0) assert.equal(bytes[place], mark);
          }
        }
      }),
      { numRuns: 100 },
    );
  });
});
