import type { Lease } from '../lib/memory-pool.ts';
import { type Block, blockInMemory, type RecordIndex } from './block.ts';
import { placeOf, placePayload } from './payload-place.ts';
import { payloadOf } from './stored-payload.ts';

/**
 * A block whose payload lies in reused memory. When the lease is over, the payload is decompressed from the encoded
 * block like that of any other block. So a holder of the block may keep it for ever.
 *
 *  - `payload()` is for callers that keep views: the memory is given up, because it is unknown how long they keep them.
 *  - `passingPayload` is for callers that need the bytes in this turn only, or that hold the lease.
 *
 * @param encoded the block as the log stores it
 */
export function leasedBlock(index: RecordIndex, lease: Lease, arrivedAt: number, encoded: Uint8Array): Block {
  const plain = blockInMemory(index, lease.bytes as Uint8Array, arrivedAt, encoded);
  const unpacked = payloadOf(encoded, false);
  const payload = () => {
    const { bytes } = lease;
    if (!bytes) return unpacked();
    lease.giveUp();
    return bytes;
  };
  placePayload(payload, {
    passing: () => lease.bytes ?? passing(unpacked),
    lease: () => (lease.bytes ? lease : placeOf(unpacked)?.lease()),
  });
  return { ...plain, payload };
}

/**
 * The same block, without its payload in memory: the payload is decompressed when it is used.
 * @param encoded the block as the log stores it, by this process
 */
export function leanBlock(block: Block, encoded: Uint8Array): Block {
  const heldBytes = block.heldBytes - block.payloadLength + encoded.length;
  return { ...block, heldBytes, payload: payloadOf(encoded, false) };
}

/** A block that lives no longer than the lease of its payload: it is stored nowhere. */
export function passingBlock(index: RecordIndex, lease: Lease, arrivedAt: number): Block {
  const payload = () => {
    const { bytes } = lease;
    if (!bytes) throw new Error('the payload of a block is used after the lease of its memory is over');
    lease.giveUp();
    return bytes;
  };
  placePayload(payload, { passing: () => lease.bytes ?? payload(), lease: () => lease });
  return { ...blockInMemory(index, lease.bytes as Uint8Array, arrivedAt), payload };
}

type Payload = Pick<Block, 'payload'>;

/** The lease of the memory in which the payload lies now; undefined: the payload does not lie in reused memory. */
export function leaseOf({ payload }: Payload): Lease | undefined {
  return placeOf(payload)?.lease();
}

/** The payload, for use until the next `await`, or for as long as the caller holds the block's lease. Throws BlockFault. */
export function passingPayload({ payload }: Payload): Uint8Array {
  return passing(payload);
}

/** Whether the payload would have to be decompressed first, which takes a millisecond for each megabyte. */
export function isPacked({ payload, payloadLength }: Payload & { readonly payloadLength: number }): boolean {
  const place = payloadLength >= LARGE ? placeOf(payload) : undefined;
  return place !== undefined && place.lease() === undefined;
}

/** Decompressing less is not worth a turn of the event loop. */
const LARGE = 128 * 1024;

const passing = (payload: () => Uint8Array): Uint8Array => placeOf(payload)?.passing() ?? payload();

/** The bytes of one record of a block, for use as long as those of `passingPayload`; a view, not a copy. */
export function passingRecord(block: Pick<Block, 'payload' | 'starts' | 'ends'>, index: number): Uint8Array {
  return passingPayload(block).subarray(block.starts[index], block.ends[index]);
}

/**
 * Holds payloads that lie in reused memory, from this turn on.
 * @returns to be called once. `unused`: no view of them is left, and no socket has unwritten bytes of them; otherwise
 * their memory is given up
 */
export function holdPayloads(uses: Iterable<{ readonly block: Payload }>): (unused: boolean) => void {
  const leases = new Set<Lease>();
  for (const { block } of uses) {
    const lease = leaseOf(block);
    if (lease?.bytes) leases.add(lease);
  }
  for (const lease of leases) lease.retain();
  return (unused) => {
    for (const lease of leases) {
      if (!unused) lease.giveUp();
      lease.release();
    }
  };
}
