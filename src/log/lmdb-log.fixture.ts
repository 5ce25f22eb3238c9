import type { Clock } from '../lib/clock.ts';
import type { Lmdb } from '../storage/lmdb.ts';
import { createEmbeddedLog } from './embedded-log.ts';
import { lmdbStore } from './lmdb.ts';
import type { RecordLog } from './log.ts';

interface LmdbLogOptions {
  readonly partitions: number;
  readonly clock: Clock;
  readonly recentBytes?: number;
}

/** A record log as a store of version 2 has it: with its blocks in LMDB. */
export async function createLmdbLog(lmdb: Lmdb, options: LmdbLogOptions): Promise<RecordLog> {
  const { partitions, clock, recentBytes } = options;
  const store = await lmdbStore(lmdb, partitions);
  return createEmbeddedLog(store, recentBytes === undefined ? { clock } : { clock, recentBytes });
}
