import type { Lease } from '../lib/memory-pool.ts';

/** The place of a block's payload in reused memory. */
interface PayloadPlace {
  /** The bytes, for use until the next `await`, or for as long as the caller holds their lease. Throws BlockFault. */
  passing(): Uint8Array;
  /** The lease of the bytes that `passing` returned last; undefined: they are not in memory, or in memory of their own. */
  lease(): Lease | undefined;
}

type PayloadFunction = () => Uint8Array;

/** By the function that returns the payload: a copy of a block with another payload has another place. */
const places = new WeakMap<PayloadFunction, PayloadPlace>();

export function placePayload(payload: PayloadFunction, place: PayloadPlace): void {
  places.set(payload, place);
}

/** undefined: the payload lies in memory of its own, for as long as the block. */
export function placeOf(payload: PayloadFunction): PayloadPlace | undefined {
  return places.get(payload);
}
