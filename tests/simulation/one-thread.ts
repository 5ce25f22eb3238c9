import { syncBuiltinESMExports } from 'node:module';
import zlib from 'node:zlib';

/**
 * Makes compression run on the simulation's own thread. The real one runs on a pool, which answers whenever it likes:
 * the same seed would no longer give the same trace. To be imported before the block codec.
 */
class CompressedAtOnce {
  readonly #options: zlib.ZstdOptions;
  #told: (part: Uint8Array) => void = () => {};
  #payload: Uint8Array = new Uint8Array();

  constructor(options: zlib.ZstdOptions) {
    this.#options = options;
  }

  on(event: string, told: (part: Uint8Array) => void): void {
    if (event === 'data') this.#told = told;
  }

  once(): void {}
  off(): void {}
  destroy(): void {}

  write(payload: Uint8Array): void {
    this.#payload = payload;
  }

  flush(_: number, done: () => void): void {
    this.#told(zlib.zstdCompressSync(this.#payload, this.#options));
    queueMicrotask(done);
  }
}

Object.defineProperty(zlib, 'createZstdCompress', {
  value: (options: zlib.ZstdOptions) => new CompressedAtOnce(options),
});
syncBuiltinESMExports();

// Contexts are kept as long as the process lives. All are made now, so that the second world finds what the first one finds.
const { compressed } = await import('../../src/records/compressor.ts');
await Promise.all(Array.from({ length: 8 }, () => compressed(new Uint8Array(1))));
