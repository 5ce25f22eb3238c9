import { type ChildProcess, type ForkOptions, fork, type SpawnOptions, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Child processes and temporary directories that must not outlive this process. Whatever way it ends (done, failed, a
 * signal), the children are killed and the directories removed; only `kill -9` of this process itself leaves them.
 */
const children = new Set<ChildProcess>();
const directories = new Set<string>();
let watching = false;

export function spawnOwned(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  return own(spawn(command, args, options));
}

/** A child that runs one of our own modules and talks to us; it ends by itself when this process is gone. */
export function forkOwned(module: string, args: readonly string[], options: ForkOptions): ChildProcess {
  return own(fork(module, args, options));
}

/** A new directory, removed when this process ends or by `removeDirectory`. */
export function temporaryDirectory(): string {
  watch();
  const directory = mkdtempSync(join(tmpdir(), 'simstream-'));
  directories.add(directory);
  return directory;
}

export function removeDirectory(directory: string): void {
  // Again, should a process that was just killed still be writing there.
  rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  directories.delete(directory);
}

function own(child: ChildProcess): ChildProcess {
  watch();
  children.add(child);
  child.once('exit', () => children.delete(child));
  // Never started, so there is nothing to end.
  child.once('error', () => child.pid === undefined && children.delete(child));
  return child;
}

function watch(): void {
  if (watching) return;
  watching = true;
  process.on('exit', () => {
    for (const child of children) child.kill('SIGKILL');
    for (const directory of directories) removeDirectory(directory);
  });
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
  ] as const) {
    process.once(signal, () => process.exit(128 + number));
  }
}
