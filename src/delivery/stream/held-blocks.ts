import type { Block } from '../../records/block.ts';

/** Blocks that wait in memory for delivery, each counted once however many data streams wait for records of it. */
export class HeldBlocks {
  readonly #most: number;
  readonly #holders = new Map<Block, number>();
  #bytes = 0;

  /** @param most bytes */
  constructor(most: number) {
    this.#most = most;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Nothing is refused then: but who has something to deliver takes no more. */
  get full(): boolean {
    return this.#bytes >= this.#most;
  }

  add(block: Block): void {
    const holders = this.#holders.get(block) ?? 0;
    if (holders === 0) this.#bytes += block.heldBytes;
    this.#holders.set(block, holders + 1);
  }

  remove(block: Block): void {
    const holders = this.#holders.get(block) ?? 0;
    if (holders > 1) {
      this.#holders.set(block, holders - 1);
      return;
    }
    if (this.#holders.delete(block)) this.#bytes -= block.heldBytes;
  }
}
