import { existsSync, statfsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { Clock } from '../lib/clock.ts';
import { makeDirectory } from '../lib/make-directory.ts';
import { lockFile } from './file-lock.ts';
import { mendHeads, requireStoreFile, requireStoreHead } from './lmdb-file.ts';

/** One LMDB environment, shared by log and registry, in a data directory that no other process uses. */
export interface Lmdb {
  readonly directory: string;
  /** A named table that maps bytes to bytes, in the order of its keys. At most MOST_TABLES. */
  table(name: string): Table;
  /**
   * Call before the entries of a table from `start` (included) to `end` (excluded) are removed: fixes damaged heads
   * of pages that LMDB would trust when it frees these pages.
   */
  beforeRemoval(table: string, start: Uint8Array, end: Uint8Array): void;
  /** Resolves when all changes are durable together; rejects with StoreFailure when none of them is stored. */
  write(changes: readonly TableChange[]): Promise<void>;
  /** Size of the file. It does not shrink: LMDB uses freed space again. */
  sizeOnDisk(): Promise<number>;
  /**
   * Resolves, with a description, when somebody deleted or replaced the file of the open store. Writes are refused
   * from then on: another process may have opened the new file.
   */
  readonly lost: Promise<string>;
  /** Waits for writes in progress, then releases the directory. */
  close(): Promise<void>;
}

export type Table = Database<Uint8Array, Uint8Array>;

export interface TableChange {
  readonly table: Table;
  readonly key: Uint8Array;
  /** undefined: the key is removed if it exists. */
  readonly value: Uint8Array | undefined;
}

interface LmdbOptions {
  readonly clock: Clock;
}

/** The store could not do this now. Its content is unchanged, and a retry may succeed. */
export class StoreFailure extends Error {
  /** A damaged page was met: a retry meets it again, but a change of other keys may not. */
  readonly damaged: boolean;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreFailure';
    const { code } = (options?.cause ?? {}) as { code?: unknown };
    this.damaged = typeof code === 'number' && DAMAGE_CODES.includes(code);
  }
}

/** MDB_PAGE_NOTFOUND, MDB_CORRUPTED, MDB_BAD_TXN (a change failed inside its transaction), MDB_PROBLEM, as lmdb.h numbers them. */
const DAMAGE_CODES: readonly number[] = [-30_797, -30_796, -30_782, -30_779];

export const LMDB_FILE = 'simstream.mdb';
const MOST_TABLES = 16;
/** Against 4 KiB: writes of 100 KB blocks are a little faster, and 1 KB blocks take half the space (bench/log-append.ts). */
const PAGE_SIZE = 16_384;
/**
 * Address space, not memory and not a limit of the file. LMDB doubles a smaller map as the file grows and keeps the
 * old maps for a while, so that resident memory would count the same pages twice.
 */
const MAP_SIZE = 2 ** 40;
/**
 * A write is refused before the disk is full. LMDB (lmdb-js 3.5.6) writes the report of a disk without room past the end of its
 * memory (100 bytes in mdb_page_flush), and the process may crash. The room is that of the values, twice; of two pages for each
 * changed key, which LMDB copies; and of what other programs may write at the same moment.
 */
const ROOM = { forOthers: 4 * 2 ** 20, ofValues: 2, ofKey: 2 * PAGE_SIZE };
const AFTER_LOSS =
  'its data is gone when this process ends: stop all nodes of this directory, and restore it from a backup';
/** A killed reader (a tool that inspected the store) pins old pages until its entry is removed. */
const READER_CHECK_EVERY = 60_000;
/** Each write checks it, too. An idle node must also notice soon that another node may deliver the same records. */
const FILE_CHECK_EVERY = 2_000;

/**
 * Opens the store. Creates it, and its directory (mode 0700), if it does not exist.
 * @throws DirectoryFault when the directory cannot be made or written
 * @throws Error that says what to do, when another process uses the directory or the file is not a store
 */
export async function openLmdb(directory: string, options: LmdbOptions): Promise<Lmdb> {
  makeDirectory(directory);
  const path = join(directory, LMDB_FILE);
  const lock = lockFile(path);
  let environment: RootDatabase<Uint8Array, Uint8Array>;
  try {
    requireStoreFile(path, wasUsed(directory));
    environment = openEnvironment(path);
  } catch (error) {
    lock.release();
    const cause = error instanceof Error ? error.message : String(error);
    throw new Error(`the store ${path} cannot be opened: ${cause}`, { cause: error });
  }
  const { promise: lost, resolve: lose } = Promise.withResolvers<string>();
  const fileFault = () => {
    const fault = lock.fault();
    if (fault !== undefined) lose(`${fault} while it was in use; ${AFTER_LOSS}`);
    return fault;
  };
  const { clock } = options;
  const stopChecking = [
    every(clock, READER_CHECK_EVERY, () => environment.readerCheck()),
    every(clock, FILE_CHECK_EVERY, fileFault),
  ];
  let closing: Promise<void> | undefined;

  const close = async () => {
    for (const stop of stopChecking) stop();
    await environment.close();
    lock.release();
  };

  return {
    directory,
    table: (name) =>
      environment.openDB<Uint8Array, Uint8Array>(name, { encoding: 'binary', keyEncoding: 'binary' }),
    beforeRemoval: (table, start, end) =>
      mendHeads(path, table, { start, end }, (run) => environment.transactionSync(run)),
    write: async (changes) => {
      if (closing !== undefined) throw new StoreFailure('the store is closed');
      const fault = fileFault();
      if (fault !== undefined) throw new StoreFailure(`${fault} while it was in use`);
      requireRoom(directory, changes);
      try {
        await environment.batch(() => {
          for (const { table, key, value } of changes) {
            if (value) table.put(key, value);
            else table.remove(key);
          }
        });
      } catch (error) {
        throw await storeFailure(directory, error);
      }
    },
    sizeOnDisk: async () => (await stat(path)).size,
    lost,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/**
 * Copies the store of a directory as it is at one moment, also while a node runs on it. The node goes on meanwhile;
 * it reuses freed space when the copy is done.
 * @param to a file that does not exist; it has the mode 0600
 * @throws Error with the fault, when the store is missing or the copy cannot be written
 */
export async function copyLmdb(directory: string, to: string): Promise<void> {
  const path = join(directory, LMDB_FILE);
  requireStoreHead(path);
  const environment = open<Uint8Array, Uint8Array>({
    path,
    noSubdir: true,
    readOnly: true,
    maxDbs: MOST_TABLES,
    mapSize: MAP_SIZE,
  });
  const mask = process.umask(0o077);
  try {
    // Page by page: a damaged one is copied like any other, where a compact copy would follow it.
    await environment.backup(to, false);
  } finally {
    process.umask(mask);
    await environment.close();
  }
}

/** A node that has ever delivered has left the key of its credentials in the directory. */
function wasUsed(directory: string): boolean {
  return existsSync(join(directory, 'secret'));
}

function openEnvironment(path: string): RootDatabase<Uint8Array, Uint8Array> {
  return open<Uint8Array, Uint8Array>({
    path,
    noSubdir: true,
    encoding: 'binary',
    keyEncoding: 'binary',
    maxDbs: MOST_TABLES,
    pageSize: PAGE_SIZE,
    mapSize: MAP_SIZE,
    // The sync belongs to the commit, and a write resolves when both are done. With overlapping syncs (the default) a
    // failed one leaves its transaction visible though not durable, and neither `flushed` nor `close` ever settles.
    overlappingSync: false,
    // `batch` alone decides which writes share a commit. Batching by event turns would add a promise to each commit that no
    // code holds, and that ends the process when the commit fails.
    eventTurnBatching: false,
    // Freed memory of this process, with records of other tenants in it, must not reach the file.
    noMemInit: false,
  });
}

/** Runs `run` now and every `milliseconds` until the returned function is called. */
function every(clock: Clock, milliseconds: number, run: () => void): () => void {
  let cancel = () => {};
  const next = () => {
    run();
    cancel = clock.after(milliseconds, next);
  };
  next();
  return () => cancel();
}

/** LMDB reports a failed commit as a promise of its cause, and a full disk often as a bare I/O error. */
async function storeFailure(directory: string, error: unknown): Promise<StoreFailure> {
  const { commitError } = error as { commitError?: Promise<never> };
  const cause = await Promise.race([
    Promise.resolve(commitError).catch((reason: unknown) => reason),
    nextTurn().then(() => error),
  ]);
  const message = cause instanceof Error ? cause.message : String(cause);
  return new StoreFailure(
    `the store in ${directory} cannot write: ${message} (${inMiB(freeBytesOf(directory))} MiB free on its disk)`,
    { cause },
  );
}

/** @throws StoreFailure when a write could meet a full disk, see ROOM */
function requireRoom(directory: string, changes: readonly TableChange[]): void {
  const values = changes.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
  const needed = ROOM.forOthers + ROOM.ofValues * values + ROOM.ofKey * changes.length;
  const free = freeBytesOf(directory);
  if (free >= needed) return;
  const room = `${inMiB(free)} MiB free on its disk, ${Math.ceil(needed / 2 ** 20)} MiB are needed`;
  throw new StoreFailure(`the store in ${directory} cannot write: no space left (${room})`);
}

function freeBytesOf(directory: string): number {
  const { bavail, bsize, blocks } = statfsSync(directory);
  // Some file systems do not say how large they are.
  return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
}

const inMiB = (bytes: number) => Math.floor(bytes / 2 ** 20);
