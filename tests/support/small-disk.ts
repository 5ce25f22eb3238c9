import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { removeDirectory, temporaryDirectory } from './owned.ts';

/** A file system of its own that can really be full. */
interface SmallDisk {
  readonly path: string;
  /** Takes all the room that is left. */
  fill(): void;
  /** Gives the room back. */
  empty(): void;
}

const STEP = Buffer.alloc(64 * 1_024);

/**
 * Mounts a file system in memory, for as long as the test runs.
 * @param options as `mount` takes them, e.g. `ro`
 * @returns undefined where this user may not mount anything
 */
export function smallDisk(t: TestContext, megabytes: number, options = ''): SmallDisk | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  const path = temporaryDirectory();
  try {
    const how = `size=${megabytes}m,mode=700${options && `,${options}`}`;
    execFileSync('mount', ['-t', 'tmpfs', '-o', how, 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    removeDirectory(path);
    return undefined;
  }
  t.after(() => {
    // Lazily: a process that was just killed may still have files open.
    execFileSync('umount', ['-l', path]);
    removeDirectory(path);
  });
  const filler = join(path, 'filler');
  return {
    path,
    fill: () => {
      const descriptor = openSync(filler, 'a');
      try {
        for (;;) writeSync(descriptor, STEP);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        closeSync(descriptor);
      }
    },
    empty: () => rmSync(filler, { force: true }),
  };
}
