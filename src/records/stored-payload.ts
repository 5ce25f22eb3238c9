import { crc32 } from 'node:zlib';
import { type Lease, MemoryPool, SMALLEST_LEASED } from '../lib/memory-pool.ts';
import { BlockFault, payloadCrcOf } from './block.ts';
import { placePayload } from './payload-place.ts';
import { Unpacked } from './unpacked.ts';
import { decompressNow } from './zstd-now.ts';

/**
 * For all blocks of the process. A stream usually sends a block of one organisation once, as a whole: the first budget has
 * room for the largest batch. Several streams take parts of the other blocks, and one batch spreads over many of them.
 */
const UNPACKED = { whole: new Unpacked(8 * 2 ** 20), mixed: new Unpacked(32 * 2 ** 20) };
/** Decompressed payloads come and go with each block of a backlog. A few blocks of the usual size wait for the next ones. */
const MEMORY = new MemoryPool(4 * 2 ** 20);

interface Room {
  readonly whole: Unpacked;
  readonly mixed: Unpacked;
  readonly memory: MemoryPool;
}

/**
 * The payload of an encoded block, decompressed at the first use. It stays in memory while the budget has room for
 * it, or a caller holds its lease. The memory is reused, unless a caller of the function itself has it: it is unknown
 * for how long.
 * @param encoded a block with a checked header
 * @param check whether to compare the bytes with their checksum: they come from a disk or a network
 */
export function payloadOf(
  encoded: Uint8Array,
  check: boolean,
  { whole, mixed, memory }: Room = { ...UNPACKED, memory: MEMORY },
): () => Uint8Array {
  const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  const length = bytes.readUInt32LE(16);
  const stored = bytes.subarray(bytes.length - bytes.readUInt32LE(20));
  const isPlain = bytes[6] === 0;
  const unpacked = bytes.readUInt32LE(12) > 1 ? mixed : whole;
  let checked = !check;
  let lease: Lease | undefined;
  /** For callers that keep views, and for small payloads. */
  let given: Uint8Array | undefined;

  const verify = () => {
    if (!checked && crc32(stored) !== payloadCrcOf(bytes))
      throw new BlockFault('the payload of the block does not match its checksum');
    checked = true;
    if (isPlain && stored.length !== length)
      throw new BlockFault('the payload of the block has the wrong length');
  };
  const passing = (): Uint8Array => {
    const there = given ?? lease?.bytes;
    if (there) return there;
    verify();
    if (isPlain) return stored;
    const fresh = unpack(stored, memory.take(length));
    // The lease of memory that belongs to no pool never ends: only the budget decides how long these bytes stay.
    if (length < SMALLEST_LEASED) given = fresh.bytes;
    else lease = fresh;
    unpacked.add(length, () => {
      given = undefined;
      fresh.release();
    });
    return fresh.bytes as Uint8Array;
  };
  const payload = () => {
    const there = passing();
    if (lease?.bytes === there) {
      given = there;
      lease.giveUp();
      lease = undefined;
    }
    return there;
  };
  placePayload(payload, { passing, lease: () => (lease?.bytes ? lease : undefined) });
  return payload;
}

function unpack(stored: Uint8Array, lease: Lease): Lease {
  try {
    decompressNow(stored, lease.bytes as Uint8Array);
    return lease;
  } catch (error) {
    lease.release();
    throw new BlockFault(`the payload of the block cannot be decompressed: ${(error as Error).message}`);
  }
}
