import {
  constants,
  createZstdCompress,
  createZstdDecompress,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib';
import { COMPRESSION } from './compressor.ts';

/*
 * zstd on the spot, with contexts that live as long as the process. `zstdCompressSync` and `zstdDecompressSync` make a context
 * at each call: for a request of ten records that takes six times as long as the compression. And V8 keeps the context's objects
 * until it collects its whole heap, with the request during which they were made: so each small request left 16 KB behind.
 *
 * Node.js has no public call for this. The object behind its streams has one, which `zstdCompressSync` uses, too. A
 * context is used only if it passed a trial; otherwise, and after any fault, the public calls do the work.
 */

/** The object of Node.js behind a stream of zlib. */
interface Engine {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void;
  onerror: (message: string) => void;
}

/** A context. It works on one frame at a time. */
class Context {
  readonly #engine: Engine;
  /** The rest of the last call: bytes of the output, bytes of the input. */
  readonly #left: Uint32Array;
  #failed = false;

  constructor(engine: Engine, left: Uint32Array) {
    this.#engine = engine;
    this.#left = left;
    // Otherwise a fault would be an event of the stream without a listener.
    engine.onerror = () => {
      this.#failed = true;
    };
  }

  /**
   * @returns how many bytes of the output are filled; undefined: a fault, or the output has no room: the context
   * cannot be used any more
   */
  run(flush: number, input: Uint8Array, output: Uint8Array): number | undefined {
    this.#engine.writeSync(flush, input, 0, input.length, output, 0, output.length);
    const [outputLeft = 0, inputLeft = 0] = this.#left;
    return this.#failed || inputLeft > 0 ? undefined : output.length - outputLeft;
  }
}

/** 'none': this Node.js has no such engine. */
type Kept = Context | 'none' | undefined;
let compressing: Kept;
let decompressing: Kept;

/** The last output. It grows to the largest payload that is compressed on the spot. */
let scratch = new Uint8Array(0);

/** zstd's bound for the output of `length` incompressible bytes, and some more. */
const mostCompressed = (length: number) => length + (length >>> 7) + 1024;

/** @returns one zstd frame, in memory that the next call overwrites */
export function compressNow(payload: Uint8Array): Uint8Array {
  compressing ??= tried(contextOf(createZstdCompress({ params: COMPRESSION })), makesFrames);
  if (compressing !== 'none') {
    const most = mostCompressed(payload.length);
    if (scratch.length < most) scratch = new Uint8Array(most);
    const length = compressing.run(constants.ZSTD_e_end, payload, scratch);
    // A full output may lack the frame's end.
    if (length !== undefined && length < scratch.length) return scratch.subarray(0, length);
    compressing = undefined;
  }
  return zstdCompressSync(payload, { params: COMPRESSION });
}

/**
 * Decompresses one frame into `target`, which it must fill.
 * @throws Error when the bytes are damaged, or are not the frame of so many bytes
 */
export function decompressNow(frame: Uint8Array, target: Uint8Array): void {
  decompressing ??= tried(contextOf(createZstdDecompress()), readsFrames);
  if (decompressing !== 'none') {
    if (decompressing.run(constants.ZSTD_e_continue, frame, target) === target.length) return;
    // It may be in the middle of a frame that has no end.
    decompressing = undefined;
  }
  const bytes = zstdDecompressSync(frame, { maxOutputLength: Math.max(1, target.length) });
  if (bytes.length !== target.length) throw new Error(`it has ${bytes.length} bytes`);
  target.set(bytes);
}

function contextOf(stream: object): Context | undefined {
  const { _handle: engine, _writeState: left } = stream as {
    _handle?: Partial<Engine>;
    _writeState?: unknown;
  };
  if (typeof engine?.writeSync !== 'function' || !(left instanceof Uint32Array)) return undefined;
  return new Context(engine as Engine, left);
}

function tried(context: Context | undefined, works: (context: Context) => boolean): Context | 'none' {
  try {
    return context && works(context) ? context : 'none';
  } catch {
    return 'none';
  }
}

const TRIAL = Buffer.from('a trial, a trial, a trial, and another trial');

function makesFrames(context: Context): boolean {
  const output = new Uint8Array(mostCompressed(TRIAL.length));
  // Twice: the second frame must not depend on the first one.
  return [1, 2].every(() => {
    const length = context.run(constants.ZSTD_e_end, TRIAL, output);
    return length !== undefined && zstdDecompressSync(output.subarray(0, length)).equals(TRIAL);
  });
}

function readsFrames(context: Context): boolean {
  const frame = zstdCompressSync(TRIAL);
  return [1, 2].every(() => {
    const output = Buffer.alloc(TRIAL.length);
    return context.run(constants.ZSTD_e_continue, frame, output) === TRIAL.length && output.equals(TRIAL);
  });
}
