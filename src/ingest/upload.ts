import type { Readable } from 'node:stream';
import { ApiError } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import { freeBytes } from '../lib/free-bytes.ts';
import type { Lease, MemoryPool } from '../lib/memory-pool.ts';
import { Turns } from '../lib/turns.ts';
import { inItsOwnMemory } from './decode.ts';

interface UploadOptions {
  /** Content-Length, if the caller announced one: it bounds the body, and takes no memory before bytes arrive. */
  readonly length: number | undefined;
  /** The most bytes that are read. */
  readonly limit: number;
  readonly clock: Clock;
  readonly memory: MemoryPool;
  /** Asked for memory before it is used. While a promise is open, nothing more of the body is read. */
  letIn(bytes: number): boolean | Promise<boolean>;
  /** Called when the body holds fewer bytes than before: `bytes`. */
  holds(bytes: number): void;
  /** The errors of a body that was not let in, and of one that is longer than `limit`. */
  busy(): ApiError;
  tooLarge(): ApiError;
}

/** A producer that sends nothing for this long has stopped; networks that lose packets recover within 3 s. */
export const IDLE_MS = 10_000;
/** How often an upload is checked: the limit has this precision. */
const LOOK_MS = 2_000;
/**
 * After the first 10 s, an upload must have this many bytes a second on average. 300 uploads at the limit hold 24 MiB in
 * their first ten seconds. A mobile modem sends ten times as fast, and producers are servers.
 */
export const LEAST_RATE = 8 * 1024;
const GRACE_MS = 10_000;

/** A socket is read in pieces of 64 KiB; a body of this size often arrives in one of them, together with its headers. */
const MOST_ARRIVED = 16 * 1024;

/** The first buffer of a body of unknown length; later ones are twice as long each. */
const FIRST_STEP = 64 * 1024;
/** Memory of a chunk beside its bytes: a peer that sends single bytes must not hold more memory than is counted. */
const CHUNK_OVERHEAD = 512;

/** Uploads that stopped together are given up one after the other: each of them is an answer. */
const givenUp = new Turns();

/** A body. Its reader holds the lease; without one, the bytes are in memory of their own. */
interface Upload {
  readonly bytes: Uint8Array;
  readonly lease: Lease | undefined;
}

/**
 * Reads a request's body into one buffer. Memory follows the bytes that have arrived, not the announced
 * length: at most three times as much is held. When it throws, the rest of the stream is discarded, so that an answer can
 * reach a client that is still sending.
 * @throws ApiError of `tooLarge` and `busy`; BadRequest (cut short); and BadRequest with status 408 (too slow)
 */
export function readUpload(stream: Readable, options: UploadOptions): Promise<Upload> {
  const whole = readArrived(stream, options);
  if (whole) return Promise.resolve(whole);
  const { length, limit, clock, letIn, holds, busy, tooLarge } = options;
  return new Promise((resolve, reject) => {
    const memory = new UploadMemory(options);
    const started = clock.monotonic();
    let lastAt = started;
    let cancelTimer = () => {};
    let settled = false;
    /** Since when the body waits for memory; undefined: it does not wait. */
    let pausedAt: number | undefined;
    /** How long it waited in all, which is not the fault of its sender. */
    let paused = 0;

    const fail = (error: ApiError) => {
      settle();
      memory.drop();
      stream.resume();
      reject(error);
    };
    const giveUp = (message: string) =>
      givenUp.next(() => {
        if (!settled) fail(tooSlow(message));
      });
    const look = () => {
      cancelTimer = clock.after(LOOK_MS, look);
      if (pausedAt !== undefined) return;
      const now = clock.monotonic();
      const elapsed = now - started - paused;
      if (now - lastAt >= IDLE_MS) return giveUp('No byte of the body arrived for 10 s.');
      const least = ((elapsed - GRACE_MS) / 1000) * LEAST_RATE;
      if (memory.filled < least) giveUp('The body arrives with less than 8 KiB/s.');
    };
    const take = (chunk: Buffer, admitted: boolean) => {
      if (!admitted) return fail(busy());
      if (memory.add(chunk)) holds(memory.size);
    };
    const onData = (chunk: Buffer) => {
      lastAt = clock.monotonic();
      if (memory.filled + chunk.length > limit) return fail(tooLarge());
      const needed = memory.needs(chunk.length);
      const admitted = needed === undefined || letIn(needed);
      if (typeof admitted === 'boolean') return take(chunk, admitted);
      stream.pause();
      pausedAt = lastAt;
      admitted.then((later) => {
        if (settled) return;
        lastAt = clock.monotonic();
        paused += lastAt - (pausedAt as number);
        pausedAt = undefined;
        take(chunk, later);
        stream.resume();
      }, reject);
    };
    const onEnd = () => {
      settle();
      if (length !== undefined && memory.filled < length) {
        memory.drop();
        reject(cutShort());
      } else resolve(memory.whole());
    };
    const onCutShort = () => {
      settle();
      memory.drop();
      reject(cutShort());
    };
    const settle = () => {
      settled = true;
      cancelTimer();
      stream.off('data', onData);
      stream.off('end', onEnd);
      stream.off('close', onCutShort);
      stream.off('error', onCutShort);
      // A later fault of the connection must not be an unhandled error.
      stream.on('error', () => undefined);
    };
    if (stream.destroyed) return onCutShort();
    stream.on('end', onEnd);
    stream.on('close', onCutShort);
    stream.on('error', onCutShort);
    stream.on('data', onData);
    cancelTimer = clock.after(LOOK_MS, look);
  });
}

/**
 * A small body that has arrived with its headers: it needs no timer and no listeners.
 * @returns undefined: it is not complete, not small, or the memory has no room for it
 */
function readArrived(stream: Readable, { length, limit, letIn }: UploadOptions): Upload | undefined {
  if (length === undefined || length === 0 || length > MOST_ARRIVED || length > limit) return undefined;
  if (stream.destroyed || stream.readableLength !== length || letIn(length) !== true) return undefined;
  return { bytes: inItsOwnMemory(stream.read(length) as Buffer), lease: undefined };
}

/**
 * The bytes of a body while it arrives. Of a body of known length, chunks are kept as they are until half of it is
 * there; then one buffer of the whole length is filled, so that each byte is copied once. Of a body of unknown length
 * the buffer doubles.
 */
class UploadMemory {
  filled = 0;
  #chunks: Buffer[] = [];
  #buffer: Buffer | undefined;
  #lease: Lease | undefined;
  /** Node.js may still be parsing the newest chunk: its memory is freed with the next one. */
  #copied: Buffer | undefined;
  readonly #length: number | undefined;
  readonly #limit: number;
  readonly #memory: MemoryPool;

  constructor({ length, limit, memory }: Pick<UploadOptions, 'length' | 'limit' | 'memory'>) {
    this.#memory = memory;
    this.#length = length;
    this.#limit = limit;
  }

  /** Bytes of memory that are held. */
  get size(): number {
    return this.#buffer?.length ?? this.filled + this.#chunks.length * CHUNK_OVERHEAD;
  }

  /** The most bytes that are held while a chunk of this length is added; undefined: no more than now. */
  needs(length: number): number | undefined {
    const needed = this.filled + length;
    if (this.#keepsChunk(needed)) return needed + (this.#chunks.length + 1) * CHUNK_OVERHEAD;
    if (needed <= (this.#buffer?.length ?? 0)) return undefined;
    // Both buffers exist while the bytes are copied.
    return (this.#buffer?.length ?? this.filled) + this.#grownSize(needed);
  }

  /** @returns whether less is held than while it was added */
  add(chunk: Buffer): boolean {
    const needed = this.filled + chunk.length;
    if (this.#keepsChunk(needed)) {
      this.#chunks.push(chunk);
      this.filled = needed;
      return false;
    }
    const grows = needed > (this.#buffer?.length ?? 0);
    if (grows) this.#grow(needed);
    this.#copy(chunk);
    return grows;
  }

  whole(): Upload {
    const lease = this.#lease;
    if (!lease) return { bytes: inItsOwnMemory(Buffer.concat(this.#chunks)), lease };
    lease.shorten(this.filled);
    return { bytes: lease.bytes as Uint8Array, lease };
  }

  drop(): void {
    this.#chunks = [];
    this.#buffer = undefined;
    this.#lease?.release();
    this.#lease = undefined;
  }

  #keepsChunk(needed: number): boolean {
    return this.#buffer === undefined && this.#length !== undefined && needed * 2 < this.#length;
  }

  #grownSize(needed: number): number {
    const doubled = Math.max(needed, FIRST_STEP, (this.#buffer?.length ?? 0) * 2);
    return Math.min(this.#limit, Math.max(needed, this.#length ?? doubled));
  }

  #grow(needed: number): void {
    const old = this.#buffer;
    const before = this.#lease;
    this.#lease = this.#memory.take(this.#grownSize(needed));
    const { buffer, byteOffset, length } = this.#lease.bytes as Uint8Array;
    this.#buffer = Buffer.from(buffer, byteOffset, length);
    const chunks = this.#chunks;
    const filled = this.filled;
    this.#chunks = [];
    this.filled = 0;
    if (old) this.#copy(old.subarray(0, filled));
    else for (const chunk of chunks) this.#copy(chunk);
    before?.release();
  }

  #copy(chunk: Buffer): void {
    chunk.copy(this.#buffer as Buffer, this.filled);
    this.filled += chunk.length;
    if (this.#copied) freeBytes(this.#copied);
    this.#copied = chunk;
  }
}

function tooSlow(message: string): ApiError {
  return new ApiError('BadRequest', `${message} Nothing was stored.`, {
    status: 408,
    headers: { connection: 'close' },
  });
}

function cutShort(): ApiError {
  return new ApiError('BadRequest', 'The connection ended before the whole body had arrived.');
}
