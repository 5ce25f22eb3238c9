import type { Random } from '../../lib/clock.ts';
import type { Range } from './world.ts';

/** Time to the next of events that come independently of each other, `mean` apart; Infinity for an infinite mean. */
export function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random.next()) * mean;
}

/** Between low and high, evenly over orders of magnitude: many small ones, few great ones. */
export function logUniform(random: Random, [low, high]: Range): number {
  return low * (high / low) ** random.next();
}

export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[Math.floor(random.next() * items.length)] as Item;
}

/** A version 4 UUID. */
export function uuid(random: Random): string {
  const bytes = Uint8Array.from(random.bytes(16));
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = Buffer.from(bytes).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
