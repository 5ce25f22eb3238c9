import { constants, createZstdCompress, type ZstdCompress } from 'node:zlib';

/* zstd with contexts that live as long as the process. */

/** Level 1: on usage records 8 to 10 times smaller at about 500 MB/s; higher levels cost several times that for a few percent. */
export const COMPRESSION = { [constants.ZSTD_c_compressionLevel]: 1 };

/** As many as Node.js has threads for it. More contexts would only wait for a thread. */
const CONTEXTS = 4;
/** The output is a view into such a chunk. When a chunk is full, a new one is allocated. */
const CHUNK = 64 * 1024;

/**
 * A context of zstd takes about a megabyte. Making one for each block costs as much as compressing 30 KB, and V8 counts its
 * memory: 400 blocks of a second would be reason for ten collections of the whole heap.
 */
class Context {
  readonly #stream: ZstdCompress = createZstdCompress({ params: COMPRESSION, chunkSize: CHUNK });
  #parts: Uint8Array[] = [];

  constructor() {
    this.#stream.on('data', (part: Uint8Array) => this.#parts.push(part));
  }

  /** One frame that can be read by itself. A context works on one payload at a time. */
  compress(payload: Uint8Array): Promise<readonly Uint8Array[]> {
    return new Promise((resolve, reject) => {
      this.#stream.once('error', reject);
      this.#stream.write(payload);
      this.#stream.flush(constants.ZSTD_e_end, () => {
        this.#stream.off('error', reject);
        const parts = this.#parts;
        this.#parts = [];
        resolve(parts);
      });
    });
  }

  close(): void {
    this.#stream.destroy();
  }
}

const idle: Context[] = [];
const waiting: ((context: Context) => void)[] = [];
let contexts = 0;

/** @returns the parts of one zstd frame, in order; they lie in memory that other frames share */
export async function compressed(payload: Uint8Array): Promise<readonly Uint8Array[]> {
  const context = idle.pop() ?? (await nextContext());
  try {
    const parts = await context.compress(payload);
    passOn(context);
    return parts;
  } catch (error) {
    // The next output of a failed context is unknown.
    context.close();
    passOn(new Context());
    throw error;
  }
}

function nextContext(): Context | Promise<Context> {
  if (contexts === CONTEXTS) return new Promise((resolve) => waiting.push(resolve));
  contexts++;
  return new Context();
}

function passOn(context: Context): void {
  const next = waiting.shift();
  if (next) next(context);
  else idle.push(context);
}
