import { type Lmdb, StoreFailure, type Table, type TableChange } from '../storage/lmdb.ts';
import { type BlockStore, type RememberedRequest, requireSamePartitions } from './block-store.ts';
import type { Extent } from './log.ts';

/**
 * The record log's tables in LMDB. Integers are big-endian, so that keys sort by them.
 *
 *   log.blocks    = partition:u32 · sequence:u48           → the block
 *   log.extents   = "partitions"                           → count:u48, written once
 *                 | "segments"                             → oldest:u48 · newest:u48, the segments in use (segments.ts)
 *                 | "requests"                             → segment:u48 · offset:u48: the keys before it are in log.requests
 *                 | partition:u32                          → next:u48 · first:u48, written when blocks are removed;
 *                                                            first is missing where an older version wrote it
 *   log.requests  = SHA-256 of the idempotency key         → at:u48 · fingerprint (UTF-8)
 *   log.requests-by-time = at:u48 · SHA-256                → one byte, 0
 */

const BLOCKS = 'log.blocks';
const PARTITIONS = Buffer.from('partitions');
const LAST_SEQUENCE = 2 ** 48 - 1;
/** So small that a write does not wait long for its turn. */
const REMOVED_AT_ONCE = 256;
const FORGOTTEN_AT_ONCE = 2_000;

/** The tables, as a store of blocks and for a log that has its blocks in segments. */
export interface LmdbStore extends BlockStore {
  prefetch(partition: number, sequences: readonly number[]): Promise<undefined>;
  /** Whether any block of the partition is in the table. */
  hasBlocks(partition: number): boolean;
  /** Keeps where a partition begins and goes on. */
  keepExtent(partition: number, extent: Extent): Promise<void>;
  /** A pair of numbers that is kept beside the extents. */
  pair(name: PairName): readonly [number, number] | undefined;
  keepPair(
    name: PairName,
    pair: readonly [number, number],
    requests?: readonly RememberedRequest[],
  ): Promise<void>;
}

type PairName = 'segments' | 'requests';

export async function lmdbStore(lmdb: Lmdb, partitions: number): Promise<LmdbStore> {
  const blocks = lmdb.table(BLOCKS);
  const extents = lmdb.table('log.extents');
  const requests = lmdb.table('log.requests');
  const requestsByTime = lmdb.table('log.requests-by-time');

  const created = extents.getBinary(PARTITIONS);
  if (created) requireSamePartitions(readU48(created, 0), partitions);
  else await lmdb.write([{ table: extents, key: PARTITIONS, value: u48(partitions) }]);

  const nextOf = (partition: number) => {
    const removedUpTo = extents.getBinary(u32(partition));
    const last = edge(blocks, partition, 'last');
    return Math.max(removedUpTo ? readU48(removedUpTo, 0) : 1, last === undefined ? 1 : last + 1);
  };

  const firstOf = (partition: number, next: number) => {
    const row = extents.getBinary(u32(partition));
    if (!row) return 1;
    return row.length >= 12 ? readU48(row, 6) : (edge(blocks, partition, 'first') ?? next);
  };

  /** Keys in hexadecimal of blocks on damaged pages, which LMDB cannot remove: they take their space until a repair. */
  const stuck = new Set<string>();
  const removeRows = async (extent: TableChange, keys: readonly Uint8Array[]) => {
    const removed = keys.filter((key) => !stuck.has(asBuffer(key).toString('hex')));
    const changes = removed.map((key) => ({ table: blocks, key, value: undefined }));
    try {
      await lmdb.write([extent, ...changes]);
    } catch (error) {
      if (!(error instanceof StoreFailure && error.damaged)) throw error;
      const [only] = removed;
      if (!only) throw error;
      if (removed.length === 1) {
        stuck.add(asBuffer(only).toString('hex'));
        await lmdb.write([extent]);
        return;
      }
      const half = removed.length >> 1;
      await removeRows(extent, removed.slice(0, half));
      await removeRows(extent, removed.slice(half));
    }
  };

  const requestRows = (remembered: readonly RememberedRequest[]): TableChange[] =>
    remembered.flatMap(({ key, fingerprint, at }) => {
      const hash = Buffer.from(key, 'hex');
      return [
        { table: requests, key: hash, value: Buffer.concat([u48(at), Buffer.from(fingerprint, 'utf8')]) },
        { table: requestsByTime, key: Buffer.concat([u48(at), hash]), value: Buffer.alloc(1) },
      ];
    });

  return {
    partitions,
    hasBlocks: (partition) => edge(blocks, partition, 'first') !== undefined,
    keepExtent: (partition, { first, next }) =>
      lmdb.write([{ table: extents, key: u32(partition), value: Buffer.concat([u48(next), u48(first)]) }]),
    pair: (name) => {
      const row = extents.getBinary(Buffer.from(name));
      return row && row.length >= 12 ? [readU48(row, 0), readU48(row, 6)] : undefined;
    },
    keepPair: (name, [one, two], remembered = []) =>
      lmdb.write([
        { table: extents, key: Buffer.from(name), value: Buffer.concat([u48(one), u48(two)]) },
        ...requestRows(remembered),
      ]),
    extent: (partition): Extent => {
      const next = nextOf(partition);
      return { first: firstOf(partition, next), next };
    },
    write: (placed, remembered) =>
      lmdb.write([
        ...placed.map(({ partition, sequence, bytes }) => ({
          table: blocks,
          key: blockKey(partition, sequence),
          value: bytes,
        })),
        ...requestRows(remembered),
      ]),
    get: (partition, sequence) => blocks.getBinary(blockKey(partition, sequence)),
    prefetch: async (partition, sequences) => {
      await blocks.prefetch(sequences.map((sequence) => blockKey(partition, sequence)));
      return undefined;
    },
    remove: async (partition, before) => {
      const next = nextOf(partition);
      const end = blockKey(partition, before);
      const extent = { table: extents, key: u32(partition), value: Buffer.concat([u48(next), u48(before)]) };
      for (let start: Uint8Array = blockKey(partition, 0); ; ) {
        const keys = [...blocks.getKeys({ start, end, limit: REMOVED_AT_ONCE })];
        const last = keys.at(-1);
        if (!last) return;
        lmdb.beforeRemoval(BLOCKS, start, Buffer.concat([last, Buffer.alloc(1)]));
        // L2: the next sequence must remain known after the last block is removed.
        await removeRows(extent, keys);
        start = Buffer.concat([last, Buffer.alloc(1)]);
      }
    },
    request: (key): RememberedRequest | undefined => {
      const row = requests.getBinary(Buffer.from(key, 'hex'));
      // A damaged row counts as missing: the request is then stored again, with the same record ids.
      if (!row || row.length < 6) return undefined;
      return { key, at: readU48(row, 0), fingerprint: asBuffer(row).toString('utf8', 6) };
    },
    forgetRequests: async (time) => {
      const old = [...requestsByTime.getKeys({ end: u48(Math.max(0, time)), limit: FORGOTTEN_AT_ONCE })];
      const changes: TableChange[] = [];
      for (const key of old) {
        const hash = key.subarray(6);
        const row = requests.getBinary(hash);
        // Another request may have used the key since.
        if (row && (row.length < 6 || readU48(row, 0) === readU48(key, 0)))
          changes.push({ table: requests, key: hash, value: undefined });
        changes.push({ table: requestsByTime, key, value: undefined });
      }
      if (changes.length > 0) await lmdb.write(changes);
      return old.length === FORGOTTEN_AT_ONCE;
    },
    bytes: () => usedBytes(blocks),
  };
}

function blockKey(partition: number, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(10);
  key.writeUInt32BE(partition, 0);
  key.writeUIntBE(sequence, 4, 6);
  return key;
}

/** The first or last stored sequence of a partition. */
function edge(blocks: Table, partition: number, which: 'first' | 'last'): number | undefined {
  const [low, high] = [blockKey(partition, 0), blockKey(partition, LAST_SEQUENCE)];
  const range = which === 'first' ? { start: low, end: high } : { start: high, end: low, reverse: true };
  for (const key of blocks.getKeys({ ...range, limit: 1 })) return readU48(key, 4);
  return undefined;
}

interface Statistics {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
  readonly pageSize: number;
}

/** Bytes of the pages that a table uses now, without freed pages. */
function usedBytes(table: Table): number {
  const statistics = table.getStats() as Statistics;
  const { treeBranchPageCount, treeLeafPageCount, overflowPages, pageSize } = statistics;
  return (treeBranchPageCount + treeLeafPageCount + overflowPages) * pageSize;
}

function u32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}

function u48(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(6);
  bytes.writeUIntBE(Math.floor(value), 0, 6);
  return bytes;
}

function readU48(bytes: Uint8Array, offset: number): number {
  return asBuffer(bytes).readUIntBE(offset, 6);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
