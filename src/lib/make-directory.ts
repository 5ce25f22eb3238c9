import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** A directory that cannot be made or used; the message says which, and why. */
export class DirectoryFault extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'DirectoryFault';
  }
}

/** Of the directories that are made: what is in them is for their owner alone. */
const OWNER_ONLY = 0o700;

/**
 * Makes a directory and those above it that are missing. `mkdir` of Node.js with `recursive` is no way to do it: where a file
 * system refuses directories with ENOENT, as /proc does, it tries for ever, and no signal reaches the process.
 * @throws DirectoryFault when it cannot be made, is no directory, or cannot be written by this user
 */
export function makeDirectory(path: string): void {
  const whole = resolve(path);
  const missing: string[] = [];
  for (let at = whole; !isDirectory(at, whole); at = dirname(at)) missing.push(at);
  for (const each of missing.toReversed()) {
    try {
      mkdirSync(each, { mode: OWNER_ONLY });
    } catch (error) {
      // Another process may have made it meanwhile.
      if ((error as NodeJS.ErrnoException).code === 'EEXIST' && isDirectory(each, whole)) continue;
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

/** False when there is nothing at this path. */
function isDirectory(path: string, whole: string): boolean {
  try {
    if (statSync(path).isDirectory()) return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    // A part of the path is a file: the loop comes to it, and names it.
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
      return `the file system of ${place} takes no directories`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `there is no room left on the file system of ${place}`;
    case 'ENAMETOOLONG':
      return 'the path is too long';
    case 'ELOOP':
      return 'symbolic links lead in a circle';
    default:
      return message;
  }
}
