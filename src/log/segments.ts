import type { Clock } from '../lib/clock.ts';
import type { Lmdb } from '../storage/lmdb.ts';
import { openSegmentFiles, type SegmentFiles } from '../storage/segment-files.ts';
import { SegmentLog } from '../storage/segment-log.ts';
import type { BlockStore, Fetched } from './block-store.ts';
import { createEmbeddedLog } from './embedded-log.ts';
import { type LmdbStore, lmdbStore } from './lmdb.ts';
import type { RecordLog } from './log.ts';
import { createRequestIndex, type RequestIndex } from './request-index.ts';

/**
 * The embedded record log: blocks in segments (storage/segment-log.ts), extents and the table of idempotency keys in LMDB.
 *
 * A store of version 2 has its blocks in LMDB. They stay there and are read from there until the retention has removed them;
 * new blocks go to segments. So there is no migration that could be interrupted.
 */
interface SegmentedLogOptions {
  /** Default: those of the directory of the LMDB store. */
  readonly files?: SegmentFiles;
  /** From 1 on; fixed when the log is first created. */
  readonly partitions: number;
  readonly clock: Clock;
  /** Budget of the blocks in memory, for followers that keep up. */
  readonly recentBytes?: number;
  /** Called with a description of damage or of a failure, for people. */
  fault(message: string): void;
}

export interface SegmentedLog {
  readonly log: RecordLog;
  /** Checks the current segment from time to time. Resolves, with a description, when somebody deleted it. */
  watch(): Promise<string>;
  /** Ends the current segment, so that the next start reads little. The LMDB store stays open. */
  close(): Promise<void>;
}

/**
 * Opens the record log, and creates it if necessary.
 * @throws Error that says what to do
 */
export async function createSegmentedLog(lmdb: Lmdb, options: SegmentedLogOptions): Promise<SegmentedLog> {
  const { partitions, clock, recentBytes, fault, files = openSegmentFiles(lmdb.directory) } = options;
  const tables = await lmdbStore(lmdb, partitions);
  const extents = Array.from({ length: partitions }, (_, partition) => tables.extent(partition));
  const range = tables.pair('segments');
  const segments = await SegmentLog.open({
    files,
    clock,
    partitions,
    extents,
    range: range && { oldest: range[0], newest: range[1] },
    keepRange: ({ oldest, newest }) => tables.keepPair('segments', [oldest, newest]),
    fault,
  });
  const requests = createRequestIndex(tables, clock, fault);
  const unindexed = [...segments.requestsFrom(requests.from.segment, requests.from.offset)];
  requests.add(unindexed, segments.place());
  const firsts = extents.map(({ first }) => first);
  // A removal that was interrupted.
  await segments.release(firsts, () => requests.flush());
  const store = segmentedStore(tables, segments, requests, firsts);
  return {
    log: createEmbeddedLog(store, recentBytes === undefined ? { clock } : { clock, recentBytes }),
    watch: () => segments.watch(),
    close: async () => {
      await segments.close();
      await requests.close();
    },
  };
}

function segmentedStore(
  tables: LmdbStore,
  segments: SegmentLog,
  requests: RequestIndex,
  firsts: number[],
): BlockStore {
  const { partitions } = tables;
  const inTables = Array.from({ length: partitions }, (_, partition) => tables.hasBlocks(partition));
  return {
    partitions,
    extent: (partition) => ({ first: firsts[partition] as number, next: segments.next(partition) }),
    write: async (placed, remembered) => {
      const fault = remembered.length > 0 ? requests.fault() : undefined;
      if (fault !== undefined) throw new Error(fault);
      await segments.write(placed, remembered);
      if (remembered.length > 0) requests.add(remembered, segments.place());
    },
    get: (partition, sequence) =>
      segments.get(partition, sequence) ??
      (inTables[partition] ? tables.get(partition, sequence) : undefined),
    prefetch: async (partition, sequences, most): Promise<Fetched> => {
      if (inTables[partition]) await tables.prefetch(partition, sequences);
      return segments.fetch(partition, sequences, most);
    },
    remove: async (partition, before) => {
      const next = segments.next(partition);
      await tables.keepExtent(partition, { first: before, next });
      firsts[partition] = before;
      if (inTables[partition]) {
        await tables.remove(partition, before);
        inTables[partition] = tables.hasBlocks(partition);
      }
      await segments.release([...firsts], () => requests.flush());
    },
    request: (key) => requests.find(key),
    forgetRequests: async (time) => {
      requests.forget(time);
      return false;
    },
    bytes: () => segments.bytes() + tables.bytes(),
    probe: (bytes) => segments.probe(bytes),
  };
}
