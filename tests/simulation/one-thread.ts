import { syncBuiltinESMExports } from 'node:module';
import zlib from 'node:zlib';

/**
 * Makes compression run on the simulation's own thread. The real one runs on a pool, which answers whenever it likes:
 * the same seed would no longer give the same trace. To be imported before the block codec.
 */
const compress = (
  bytes: Uint8Array,
  options: zlib.ZstdOptions,
  done: (error: null, result: Buffer) => void,
) => {
  const result = zlib.zstdCompressSync(bytes, options);
  queueMicrotask(() => done(null, result));
};
Object.assign(zlib, { zstdCompress: compress });
syncBuiltinESMExports();
