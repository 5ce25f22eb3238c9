import { freeBytes } from './free-bytes.ts';

/**
 * Memory that is used again, for large bodies that come and go all the time. V8 counts such memory and marks its whole heap once
 * for each 64 MB of it, and the kernel clears each new page: for bodies that live for a tenth of a second, both cost more than
 * reading them.
 *
 *  M1  A buffer has one lease at a time. A lease begins with one holder, who took it.
 *  M2  Code that uses the bytes behind an `await` is a holder: `retain` before, `release` after. The buffer is free for the next
 *      lease when the last holder has released it, and not before.
 *  M3  A lease that is over has no bytes. So a holder that has only the lease cannot see the bytes of the next lease.
 *  M4  If it is unknown how long bytes are used (a broken socket, a caller that keeps views), `giveUp` takes them out
 *      of the pool: they are never used again, and the collector frees them.
 *  M5  Free buffers have at most `mostFree` bytes.
 */
export class MemoryPool {
  readonly #mostFree: number;
  readonly #poison: boolean;
  readonly #free = new Map<number, ArrayBuffer[]>();
  #freeBytes = 0;
  #usedBytes = 0;

  /** @param poison overwrites memory when it becomes free: for tests */
  constructor(mostFree: number, poison = false) {
    this.#mostFree = mostFree;
    this.#poison = poison;
  }

  /** Bytes of buffers that wait for their next lease. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** Bytes of buffers that have a lease, and were not given up. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** A lease of `length` bytes, whose content is undefined. The caller is its holder. */
  take(length: number): Lease {
    if (length < SMALLEST_LEASED) return new Lease(Buffer.allocUnsafeSlow(length), undefined);
    const size = sizeFor(length);
    const free = this.#free.get(size)?.pop();
    if (free) this.#freeBytes -= size;
    const buffer = free ?? Buffer.allocUnsafeSlow(size).buffer;
    this.#usedBytes += size;
    return new Lease(new Uint8Array(buffer, 0, length), (again) => {
      this.#usedBytes -= size;
      if (again) this.#takeBack(buffer);
    });
  }

  #takeBack(buffer: ArrayBuffer): void {
    const size = buffer.byteLength;
    if (this.#poison) new Uint8Array(buffer).fill(POISON);
    if (this.#freeBytes + size > this.#mostFree) {
      freeBytes(new Uint8Array(buffer));
      return;
    }
    const free = this.#free.get(size);
    if (free) free.push(buffer);
    else this.#free.set(size, [buffer]);
    this.#freeBytes += size;
  }
}

/** Below this, memory of its own is as cheap. */
export const SMALLEST_LEASED = 16 * 1024;
/** Is no text, and no JSON begins with it. */
const POISON = 0xdb;

/** Four sizes for each power of two: at most a fifth of a buffer is unused. */
function sizeFor(length: number): number {
  const step = 2 ** Math.max(12, Math.floor(Math.log2(length)) - 2);
  return Math.ceil(length / step) * step;
}

/** The right to use some memory of a pool; see there. */
export class Lease {
  #bytes: Uint8Array | undefined;
  #end: ((again: boolean) => void) | undefined;
  #holders = 1;

  /**
   * @param end called once: `again` when the lease is over, not when it is given up; undefined: the memory belongs to
   * no pool
   */
  constructor(bytes: Uint8Array, end: ((again: boolean) => void) | undefined) {
    this.#bytes = bytes;
    this.#end = end;
  }

  /** undefined: the lease is over. */
  get bytes(): Uint8Array | undefined {
    return this.#bytes;
  }

  /** Makes the caller a holder. Only while the lease has bytes: a lease that was given up has them for ever. */
  retain(): void {
    if (this.#bytes === undefined) throw new Error('a lease that is over has a new holder');
    this.#holders++;
  }

  /** Each holder calls it once. */
  release(): void {
    if (this.#holders === 0) throw new Error('a lease is released once more than it has holders');
    this.#holders--;
    const end = this.#end;
    if (this.#holders > 0 || !end) return;
    this.#bytes = undefined;
    this.#end = undefined;
    end(true);
  }

  /** M4: nothing ever overwrites the bytes. No effect if the lease is over. */
  giveUp(): void {
    this.#end?.(false);
    this.#end = undefined;
  }

  /** Uses only the beginning from now on. */
  shorten(length: number): void {
    this.#bytes = this.#bytes?.subarray(0, length);
  }
}
