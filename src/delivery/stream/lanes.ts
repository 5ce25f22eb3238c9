import type { Block } from '../../records/block.ts';

/**
 * Which records must stay in order. A lane is the whole stream, or a slot: a hash of the endpoint, so that the records of one
 * device are in one lane and the number of lanes is bounded. A device that waits also delays the other devices of its
 * slot: with 1 % of 1,000 devices throttled that is 2 % of the others.
 */
export const SLOTS = 512;

/** Records without an endpoint have the id 0: they share a slot, and stay in order among themselves. */
function slotOf(block: Block, index: number, slots: number): number {
  if (block.endpoints.length === 0) return 0;
  const low = block.endpoints[index] as number;
  const high = block.endpointsHigh.length === 0 ? 0 : (block.endpointsHigh[index] as number);
  // Ids are often given in sequence: the multiplication spreads those over the slots.
  return ((Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1) >>> 16) & 0xffff) % slots;
}

/** Splits runs of a block by slot: for each slot that has records, pairs of indexes in ascending order. */
export function slotRuns(block: Block, runs: Uint32Array, slots: number): Map<number, Uint32Array> {
  const pairs = new Map<number, number[]>();
  for (let run = 0; run < runs.length; run += 2) {
    for (let index = runs[run] as number; index < (runs[run + 1] as number); index++) {
      const slot = slotOf(block, index, slots);
      const own = pairs.get(slot);
      if (!own) pairs.set(slot, [index, index + 1]);
      else if (own[own.length - 1] === index && index > (runs[run] as number))
        own[own.length - 1] = index + 1;
      else own.push(index, index + 1);
    }
  }
  return new Map([...pairs].map(([slot, own]) => [slot, Uint32Array.from(own)]));
}
