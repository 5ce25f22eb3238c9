import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { compressNow, decompressNow } from './zstd-now.ts';

/** Bytes that repeat some, so that frames have blocks of several kinds. */
const payloads = fc
  .tuple(
    fc.uint8Array({ maxLength: 300 }),
    fc.integer({ min: 1, max: 200 }),
    fc.uint8Array({ maxLength: 3000 }),
  )
  .map(([part, times, rest]) => Buffer.concat([...Array.from({ length: times }, () => part), rest]));

describe('zstd on the spot', () => {
  test('makes frames that zlib reads, and reads those of zlib', () => {
    fc.assert(
      fc.property(payloads, (payload) => {
        assert.ok(zstdDecompressSync(compressNow(payload)).equals(payload));
        const target = Buffer.alloc(payload.length);
        decompressNow(zstdCompressSync(payload), target);
        assert.ok(target.equals(payload));
      }),
    );
  });

  test('refuses damaged frames, and reads the next one right', () => {
    fc.assert(
      fc.property(payloads, fc.nat(), fc.integer({ min: 0, max: 7 }), fc.nat(), (payload, at, bit, cut) => {
        const frame = Buffer.from(compressNow(payload));
        const damaged = Buffer.from(frame);
        damaged[at % frame.length] = (damaged[at % frame.length] as number) ^ (1 << bit);
        for (const bad of [damaged, frame.subarray(0, cut % frame.length)]) {
          const target = Buffer.alloc(payload.length);
          try {
            decompressNow(bad, target);
          } catch {
            // A frame has no checksum of its own: some damaged ones are other frames of the same length.
          }
          decompressNow(frame, target);
          assert.ok(target.equals(payload));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('refuses the frame of another length', () => {
    const frame = zstdCompressSync(Buffer.from('12345678901234567890'));
    for (const length of [0, 1, 19, 21, 40])
      assert.throws(() => decompressNow(frame, Buffer.alloc(length)), `a target of ${length} bytes`);
    const target = Buffer.alloc(20);
    decompressNow(frame, target);
    assert.equal(target.toString(), '12345678901234567890');
  });
});
