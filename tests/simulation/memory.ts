import { HeldBlocks } from '../../src/delivery/stream/held-blocks.ts';
import type { State } from '../../src/delivery/stream/state.ts';
import type { MemoryBudgets } from '../../src/delivery/stream/stream-context.ts';
import { Shares } from '../../src/lib/shares.ts';
import type { Chance } from './chance.ts';

/** How much memory the nodes of a world have for deliveries, bytes. */
export interface MemorySizes {
  readonly inFlight: number;
  readonly reserve: number;
  readonly least: number;
  readonly waiting: number;
}

/** Some worlds have so little that a few requests fill it. */
export function memorySizes(chance: Chance): MemorySizes {
  return chance.pick([
    { inFlight: 2 ** 20, reserve: 2 ** 18, least: 2 ** 10, waiting: 2 ** 20 },
    { inFlight: 40_000, reserve: 10_000, least: 2_000, waiting: 30_000 },
    { inFlight: 12_000, reserve: 3_000, least: 1_500, waiting: 6_000 },
  ]);
}

/** What a block may take beyond its own bytes: where its records are of the lanes that are held up, of twenty endpoints at most. */
const PARKED_BYTES = 20 * 64;

/** The memory of one node, and what never may be with it. */
export class Memory {
  readonly #sizes: MemorySizes;
  readonly budgets: MemoryBudgets;
  /** The largest block that was seen: a stream that has room takes one, whatever its size. */
  #largest = 0;

  constructor(sizes: MemorySizes) {
    const { inFlight, reserve, least, waiting } = sizes;
    const shares = () => new Shares({ capacity: inFlight, reserve, small: 2 * least, least });
    this.#sizes = sizes;
    this.budgets = { healthy: shares(), failing: shares(), waiting: new HeldBlocks(waiting) };
  }

  /** @throws Error when more memory is held than may be; after each step of a machine */
  check({ window, settings, phase }: State): void {
    const { healthy, failing } = this.budgets;
    const { inFlight, reserve } = this.#sizes;
    const parked = window.slots > 1 ? PARKED_BYTES : 0;
    if (window.held > settings.liveBytes + this.#largest + parked && window.keepsBlocks)
      throw new Error(
        `a stream that is ${phase} holds ${window.held} bytes, and ${settings.liveBytes} are allowed`,
      );
    for (const { used } of [healthy, failing])
      if (used > inFlight + reserve) throw new Error(`${used} bytes are granted, of ${inFlight + reserve}`);
  }

  saw(bytes: number): void {
    this.#largest = Math.max(this.#largest, bytes);
  }

  /** What is held though no stream has anything to do; undefined: nothing. */
  get leftOver(): string | undefined {
    const { healthy, failing, waiting } = this.budgets;
    const held = { healthy: healthy.used, failing: failing.used, waiting: waiting.bytes };
    return Object.values(held).some((bytes) => bytes > 0) ? JSON.stringify(held) : undefined;
  }
}
