import { closeSync, constants, fchmodSync, fstatSync, openSync, type Stats, statSync } from 'node:fs';
import { tryLock } from 'fs-native-extensions';

/**
 * Keeps a second process away from a store. The lock is on the store's own file: it cannot be deleted without the data that
 * it protects. The kernel grants it to one open file at a time and takes it back when the process ends, even after `kill -9`,
 * so no stale lock prevents a restart. It holds within one process too.
 */
interface FileLock {
  /** Why the path no longer leads to the locked file; undefined while it does. */
  fault(): string | undefined;
  release(): void;
}

/** One byte far behind any data: on Windows a locked byte cannot be read by LMDB's own descriptor. */
const LOCKED_BYTE = 2 ** 52;

/**
 * Takes the lock, and creates an empty file if there is none.
 * @param path of the file; its directory exists
 * @throws Error with what to do, when another process (or another part of this one) holds it, or locking is impossible
 */
export function lockFile(path: string): FileLock {
  for (;;) {
    const descriptor = open(path);
    let held: Stats;
    try {
      if (!tryLock(descriptor, LOCKED_BYTE, 1)) throw new InUse(path);
      held = fstatSync(descriptor);
      if ((held.mode & OTHERS) !== 0) closeToOthers(descriptor);
    } catch (error) {
      closeSync(descriptor);
      if (error instanceof InUse) throw error;
      throw refusal(path, error);
    }
    const lock = {
      fault: () => faultOf(path, held),
      release: () => closeSync(descriptor),
    };
    // The file was replaced between the opening and the locking: lock the present one.
    if (lock.fault() === undefined) return lock;
    lock.release();
  }
}

/** Rights of everybody but the owner. A store of an older version, or a copied one, may grant some. */
const OTHERS = 0o077;

function closeToOthers(descriptor: number): void {
  try {
    fchmodSync(descriptor, 0o600);
  } catch {
    // The file belongs to another user, who shares it on purpose; or the file system has no rights.
  }
}

/** Another process holds the lock. */
export class InUse extends Error {
  constructor(path: string) {
    super(
      `${path} is in use by another simstream process: stop that process, or set SIMSTREAM_DATA_DIR to another directory`,
    );
  }
}

function open(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  } catch (error) {
    throw refusal(path, error);
  }
}

function refusal(path: string, error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error);
  return new Error(
    `${path} cannot be locked (${reason}): it must be a file that this user can write to, on a file system with file locks`,
    { cause: error },
  );
}

function faultOf(path: string, held: Stats): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return `${path} was deleted`;
  if (found.ino !== held.ino || found.dev !== held.dev) return `${path} was replaced by another file`;
  return undefined;
}
