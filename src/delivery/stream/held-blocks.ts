import type { Lease } from '../../lib/memory-pool.ts';
import type { Block } from '../../records/block.ts';
import { leaseOf } from '../../records/leased-block.ts';

/**
 * The most that one stream may buffer. Other streams find their next records among the newest blocks, or decompress
 * them.
 */
const MOST_RETAINED = 8 * 2 ** 20;

/**
 * Blocks that wait in memory for delivery, each counted once however many data streams wait for records of it.
 * Payloads in reused memory stay for as long, up to a bound, so that the next request needs no decompression.
 */
export class HeldBlocks {
  readonly #most: number;
  readonly #mostRetained: number;
  readonly #holders = new Map<Block, number>();
  readonly #leases = new Map<Block, Lease>();
  #bytes = 0;
  /** Bytes of the held payloads. */
  #retained = 0;

  /**
   * @param most bytes
   * @param mostRetained bytes of payloads
   */
  constructor(most: number, mostRetained = MOST_RETAINED) {
    this.#most = most;
    this.#mostRetained = mostRetained;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A stream that already has records to send buffers no more; others may still take one block. */
  get full(): boolean {
    return this.#bytes >= this.#most;
  }

  add(block: Block): void {
    const holders = this.#holders.get(block) ?? 0;
    if (holders === 0) {
      this.#bytes += block.heldBytes;
      this.#retain(block);
    }
    this.#holders.set(block, holders + 1);
  }

  remove(block: Block): void {
    const holders = this.#holders.get(block) ?? 0;
    if (holders > 1) {
      this.#holders.set(block, holders - 1);
      return;
    }
    if (!this.#holders.delete(block)) return;
    this.#bytes -= block.heldBytes;
    const lease = this.#leases.get(block);
    if (!lease) return;
    this.#leases.delete(block);
    this.#retained -= block.payloadLength;
    lease.release();
  }

  #retain(block: Block): void {
    const lease = leaseOf(block);
    if (!lease?.bytes || this.#retained + block.payloadLength > this.#mostRetained) return;
    lease.retain();
    this.#leases.set(block, lease);
    this.#retained += block.payloadLength;
  }
}
