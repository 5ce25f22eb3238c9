import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { compressed } from './compressor.ts';

/** Bytes that compress to about three quarters, different for each seed. */
function text(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed * 2654435761 + 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = 48 + (state >>> 26);
  }
  return bytes;
}

describe('payloads that are compressed', () => {
  test('each becomes a frame that can be read by itself, whatever is compressed beside it and behind it', async () => {
    const payloads = Array.from({ length: 40 }, (_, i) => text(1 + i * i * 311, i));
    const frames = await Promise.all(payloads.map(compressed));
    // Contexts are used again, and chunks are shared: what is compressed later must not touch what came out before.
    await Promise.all(payloads.map((payload) => compressed(Buffer.from(payload).reverse())));
    for (const [i, frame] of frames.entries())
      assert.ok(zstdDecompressSync(Buffer.concat(frame)).equals(payloads[i] as Buffer), `payload ${i}`);
  });

  test('of more than a chunk come out in several parts', async () => {
    const payload = text(1_000_000, 5);
    const frame = await compressed(payload);
    assert.ok(frame.length > 1);
    assert.ok(zstdDecompressSync(Buffer.concat(frame)).equals(payload));
  });
});
