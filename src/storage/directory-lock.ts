import { createHash, randomUUID } from 'node:crypto';
import { closeSync, openSync, realpathSync } from 'node:fs';
import { rename, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Keeps a second process out of a data directory. The lock is a Unix socket that this process listens on: who can
 * connect knows that the holder lives, and after a `kill -9` nobody answers, so nothing stale keeps a restart out.
 */
export interface DirectoryLock {
  release(): Promise<void>;
}

/** The file system's own name of the lock in the directory. */
const LOCK_NAME = 'in-use.sock';
/** sockaddr_un has 104 bytes on macOS and 108 on Linux, the terminating zero included; nine are for `removeStale`. */
const LONGEST_ADDRESS = 94;

/**
 * Takes the lock.
 * @param directory exists
 * @throws Error with what to do, when another process (or another part of this one) holds it
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const inside = addressInside(directory);
  if (inside) {
    try {
      return await lockAt(inside.address, directory, inside.done);
    } catch (error) {
      if (error instanceof DirectoryInUse || !isSocketRefusal(error)) throw error;
    }
  }
  // Where the path is too long for an address, or the file system (some network and desktop mounts) has no sockets.
  const name = createHash('sha256').update(realpathSync(directory)).digest('hex').slice(0, 24);
  return lockAt(join(tmpdir(), `simstream-${name}.sock`), directory, () => {});
}

class DirectoryInUse extends Error {
  constructor(directory: string) {
    super(
      `the data directory ${directory} is in use by another simstream process: ` +
        'stop that process, or set SIMSTREAM_DATA_DIR to another directory',
    );
    this.name = 'DirectoryInUse';
  }
}

function isSocketRefusal(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return (
    code === 'EPERM' || code === 'EOPNOTSUPP' || code === 'ENOTSUP' || code === 'EINVAL' || code === 'ENOSYS'
  );
}

/** An address of the lock in the directory that is short enough, if there is one. */
function addressInside(directory: string): { address: string; done: () => void } | undefined {
  const address = join(directory, LOCK_NAME);
  if (Buffer.byteLength(address) <= LONGEST_ADDRESS) return { address, done: () => {} };
  if (process.platform !== 'linux') return undefined;
  const descriptor = openSync(directory, 'r');
  return { address: `/proc/self/fd/${descriptor}/${LOCK_NAME}`, done: () => closeSync(descriptor) };
}

async function lockAt(address: string, directory: string, done: () => void): Promise<DirectoryLock> {
  try {
    // Each round either gets the lock, finds a living holder, or has removed what a dead one left.
    for (;;) {
      const server = await listen(address);
      if (server) {
        return {
          release: () => new Promise((resolve) => server.close(() => resolve(done()))),
        };
      }
      if (await answers(address)) throw new DirectoryInUse(directory);
      await removeStale(address, directory);
    }
  } catch (error) {
    done();
    throw error;
  }
}

/** Binding is atomic: of several processes only one succeeds. undefined: the name is there already. */
function listen(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(address, () => {
      server.unref();
      resolve(server);
    });
  });
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(address);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      // A full backlog is a living holder.
      else if (error.code === 'EAGAIN') resolve(true);
      else reject(error);
    });
  });
}

/** Of several processes that find the same stale name only one moves it away; what it moved is looked at again. */
async function removeStale(address: string, directory: string): Promise<void> {
  const aside = `${address}.${randomUUID().slice(0, 8)}`;
  try {
    await rename(address, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (await answers(aside)) {
    await rename(aside, address);
    throw new DirectoryInUse(directory);
  }
  await unlink(aside);
}
