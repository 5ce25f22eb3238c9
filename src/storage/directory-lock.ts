import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * Keeps a second process out of a data directory. The lock is a SQLite file that stays locked while this process lives.
 * The kernel grants the lock to one process at a time and takes it back when the process ends, even after `kill -9`, so no
 * stale lock prevents a restart. SQLite supports the locks of every platform. It also knows the holders within one
 * process, which POSIX locks do not.
 */
interface DirectoryLock {
  release(): void;
}

/** Stays in the directory: removing it could remove the file that another process has just locked. */
const LOCK_FILE = 'in-use.lock';
/** https://www.sqlite.org/rescode.html: another process, or another part of this one, holds the lock. */
const SQLITE_BUSY = 5;

/**
 * Takes the lock.
 * @param directory exists
 * @throws Error with what to do, when another process (or another part of this one) holds it, or locking is impossible
 */
export function lockDirectory(directory: string): DirectoryLock {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(directory, LOCK_FILE), { timeout: 0 });
    // With its journal in memory the file stays empty: only its lock matters.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    throw refusal(directory, error as Error & { errcode?: number });
  }
  const held = database;
  return { release: () => held.close() };
}

function refusal(directory: string, error: Error & { errcode?: number }): Error {
  if (error.errcode === SQLITE_BUSY) {
    return new Error(
      `the data directory ${directory} is in use by another simstream process: ` +
        'stop that process, or set SIMSTREAM_DATA_DIR to another directory',
    );
  }
  return new Error(
    `the data directory ${directory} cannot be locked (${error.message}): it must be writable, on a file system ` +
      `with file locks; a file ${LOCK_FILE} there that is no lock of simstream may be deleted`,
    { cause: error },
  );
}
