import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** A directory that cannot be created or used; the message says which one and why. */
export class DirectoryFault extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'DirectoryFault';
  }
}

/** Mode of new directories: only their owner may access them. */
const OWNER_ONLY = 0o700;

/**
 * Creates a directory and its missing parents. Node.js' own recursive `mkdir` cannot be used: if a file system refuses
 * directories with ENOENT, as /proc does, it retries for ever, and no signal reaches the process.
 * @throws DirectoryFault when it cannot be created, is not a directory, or this user cannot write to it
 */
export function makeDirectory(path: string): void {
  const whole = resolve(path);
  const missing: string[] = [];
  for (let at = whole; !isDirectory(at, whole); at = dirname(at)) missing.push(at);
  for (const each of missing.toReversed()) {
    try {
      mkdirSync(each, { mode: OWNER_ONLY });
    } catch (error) {
      // Another process may have created it meanwhile.
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
        if (isDirectory(each, whole)) continue;
        const message = `${each} is a symbolic link to something that does not exist`;
        throw new DirectoryFault(`the directory ${whole} cannot be created: ${message}`, error);
      }
      throw new DirectoryFault(
        `the directory ${whole} cannot be created: ${reasonOf(error, dirname(each))}`,
        error,
      );
    }
  }
  try {
    accessSync(whole, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new DirectoryFault(`the directory ${whole} cannot be used: ${reasonOf(error, whole)}`, error);
  }
}

/** False when nothing exists at this path. */
function isDirectory(path: string, whole: string): boolean {
  try {
    if (statSync(path).isDirectory()) return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    // A part of the path is a file: the loop reaches and names it.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return false;
    throw new DirectoryFault(`the directory ${whole} cannot be used: ${reasonOf(error, path)}`, error);
  }
  throw new DirectoryFault(`the directory ${whole} cannot be used: ${path} is not a directory`, undefined);
}

function reasonOf(error: unknown, place: string): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return `this user may not write to ${place}`;
    case 'EROFS':
      return `the file system of ${place} is read-only`;
    case 'ENOENT':
      return `the file system of ${place} does not support directories`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `the file system of ${place} is full`;
    case 'ENAMETOOLONG':
      return 'the path is too long';
    case 'ELOOP':
      return 'symbolic links lead in a circle';
    default:
      return message;
  }
}

/** The mode of a directory that users other than its owner and its group may enter or list, e.g. `755`; undefined: they may not. */
export function modeForOthers(path: string): string | undefined {
  const mode = statSync(path).mode & 0o777;
  // Windows has no such modes, and reports that everybody may do everything.
  return process.platform !== 'win32' && (mode & 0o007) !== 0 ? mode.toString(8) : undefined;
}
