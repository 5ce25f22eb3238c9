import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  ftruncateSync,
  open,
  openSync,
  readdirSync,
  readSync,
  read as readWith,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
  writev,
} from 'node:fs';
import { open as openFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../lib/make-directory.ts';

/** The files of a segment log. Tests put a file system in its place that loses power. */
export interface SegmentFiles {
  /** The existing files, in the order of their numbers. */
  list(): readonly SegmentFileInfo[];
  /**
   * Makes a new file, and as many zeros in it that a write changes no metadata. Its name is durable when it resolves.
   * A file of that number that was never used is replaced.
   */
  create(number: number, zeros: number): Promise<SegmentWriter>;
  /** Opens a file that has no footer yet, to end it. */
  reopen(number: number): Promise<SegmentWriter>;
  /** Fewer bytes than asked for at the end of the file. Throws when the disk cannot read. */
  readNow(number: number, position: number, length: number): Buffer;
  read(number: number, position: number, length: number): Promise<Buffer>;
  remove(numbers: readonly number[]): Promise<void>;
  freeBytes(): number;
  close(): void;
}

export interface SegmentFileInfo {
  readonly number: number;
  readonly bytes: number;
}

/** A file that is written to. One call at a time. */
export interface SegmentWriter {
  /** Resolves when all parts are durable; rejects if that is unknown. */
  write(parts: readonly Uint8Array[], position: number): Promise<void>;
  /** Cuts the file, durably with the next write. Throws when the disk cannot. */
  truncate(bytes: number): void;
  /** A description, when somebody deleted the file. */
  fault(): string | undefined;
  close(): void;
}

export const SEGMENT_DIRECTORY = 'segments';
const NAME = /^(\d{10})\.segment$/;
export const segmentName = (number: number) => `${String(number).padStart(10, '0')}.segment`;

const MODE = 0o600;
/** Each write waits for the disk: one trip through the thread pool, where a write and a sync are two. */
const DURABLE = process.platform === 'linux' ? constants.O_DSYNC : 0;
/** Zeros go to the disk a few at a time, so that records do not wait behind them. */
const ZEROS_AT_ONCE = 256 * 2 ** 10;
/**
 * One page a write: the kernel keeps what a write brings as one unit of its cache, and would count all of it for each small
 * write that follows.
 */
const ZEROS = Buffer.alloc(4_096);
/** Open files for reading. */
const MOST_OPEN = 64;

/** The segments of a data directory. Makes their directory if there is none. */
export function openSegmentFiles(dataDirectory: string): SegmentFiles {
  const directory = join(dataDirectory, SEGMENT_DIRECTORY);
  makeDirectory(directory);
  const readers = new Readers(directory);
  const pathOf = (number: number) => join(directory, segmentName(number));
  return {
    list: () => listSegments(directory),
    create: async (number, zeros) => {
      const path = pathOf(number);
      rmSync(path, { force: true });
      const { O_RDWR, O_CREAT, O_EXCL } = constants;
      const descriptor = await openDescriptor(path, O_RDWR | O_CREAT | O_EXCL);
      try {
        await writeZeros(descriptor, zeros);
        await syncDirectory(directory);
        return writerOf(await openDescriptor(path, O_RDWR | DURABLE), path);
      } catch (error) {
        rmSync(path, { force: true });
        throw error;
      } finally {
        closeSync(descriptor);
      }
    },
    reopen: async (number) => {
      const path = pathOf(number);
      return writerOf(await openDescriptor(path, constants.O_RDWR | DURABLE), path);
    },
    readNow: (number, position, length) => readers.readNow(number, position, length),
    read: (number, position, length) => readers.read(number, position, length),
    remove: async (numbers) => {
      for (const number of numbers) {
        readers.forget(number);
        await rm(pathOf(number), { force: true });
      }
      if (numbers.length > 0) await syncDirectory(directory);
    },
    freeBytes: () => {
      const { bavail, bsize, blocks } = statfsSync(directory);
      // Some file systems do not say how large they are.
      return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
    },
    close: () => readers.close(),
  };
}

/** @param directory that of the segments; it need not exist */
export function listSegments(directory: string): SegmentFileInfo[] {
  if (!statSync(directory, { throwIfNoEntry: false })) return [];
  return readdirSync(directory)
    .flatMap((name) => {
      const number = NAME.exec(name)?.[1];
      return number === undefined
        ? []
        : [{ number: Number(number), bytes: statSync(join(directory, name)).size }];
    })
    .sort((a, b) => a.number - b.number);
}

function openDescriptor(path: string, flags: number): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, flags, MODE, (error, descriptor) => (error ? reject(error) : resolve(descriptor)));
  });
}

async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await openFile(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeZeros(descriptor: number, bytes: number): Promise<void> {
  for (let at = 0; at < bytes; ) {
    for (const end = Math.min(bytes, at + ZEROS_AT_ONCE); at < end; at += ZEROS.length)
      writeSync(descriptor, ZEROS, 0, ZEROS.length, at);
    await new Promise<void>((resolve, reject) => {
      fdatasync(descriptor, (error) => (error ? reject(error) : resolve()));
    });
  }
}

function writerOf(descriptor: number, path: string): SegmentWriter {
  // Elsewhere the flag is missing, or leaves the bytes in the cache of the disk.
  const syncThen = (resolve: () => void, reject: (error: Error) => void) =>
    fdatasync(descriptor, (error) => (error ? reject(error) : resolve()));
  return {
    write: (parts, position) =>
      new Promise((resolve, reject) => {
        const next = (rest: readonly Uint8Array[], at: number) =>
          writev(descriptor, rest as NodeJS.ArrayBufferView[], at, (error, written) => {
            if (error) return reject(error);
            const left = after(rest, written);
            if (left.length === 0) return DURABLE ? resolve() : syncThen(resolve, reject);
            if (written === 0) return reject(new Error('the disk takes no more bytes'));
            next(left, at + written);
          });
        next(parts, position);
      }),
    truncate: (bytes) => ftruncateSync(descriptor, bytes),
    fault: () => (fstatSync(descriptor).nlink === 0 ? `${path} was deleted` : undefined),
    close: () => closeSync(descriptor),
  };
}

/** The rest of the parts after `written` bytes of them. */
function after(parts: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let skipped = 0;
  for (const [index, part] of parts.entries()) {
    if (skipped + part.length > written) return [part.subarray(written - skipped), ...parts.slice(index + 1)];
    skipped += part.length;
  }
  return [];
}

interface Reader {
  readonly descriptor: number;
  /** Reads that have not ended. */
  reading: number;
  /** No longer among the open files: the last read closes it. */
  forgotten: boolean;
}

/** Files that are open for reading, the least recently used first. */
class Readers {
  readonly #directory: string;
  readonly #open = new Map<number, Reader>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  readNow(number: number, position: number, length: number): Buffer {
    const { descriptor } = this.#take(number);
    const bytes = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length) {
      const read = readSync(descriptor, bytes, filled, length - filled, position + filled);
      if (read === 0) break;
      filled += read;
    }
    return bytes.subarray(0, filled);
  }

  async read(number: number, position: number, length: number): Promise<Buffer> {
    const reader = this.#take(number);
    const bytes = Buffer.allocUnsafeSlow(length);
    reader.reading++;
    try {
      let filled = 0;
      while (filled < length) {
        const read = await readOnce(reader.descriptor, bytes.subarray(filled), position + filled);
        if (read === 0) break;
        filled += read;
      }
      return bytes.subarray(0, filled);
    } finally {
      reader.reading--;
      if (reader.forgotten && reader.reading === 0) closeSync(reader.descriptor);
    }
  }

  forget(number: number): void {
    const reader = this.#open.get(number);
    if (!reader) return;
    this.#open.delete(number);
    reader.forgotten = true;
    if (reader.reading === 0) closeSync(reader.descriptor);
  }

  close(): void {
    for (const number of [...this.#open.keys()]) this.forget(number);
  }

  #take(number: number): Reader {
    let reader = this.#open.get(number);
    if (reader) this.#open.delete(number);
    else {
      const descriptor = openSync(join(this.#directory, segmentName(number)), 'r');
      reader = { descriptor, reading: 0, forgotten: false };
    }
    this.#open.set(number, reader);
    if (this.#open.size > MOST_OPEN) this.forget(this.#open.keys().next().value as number);
    return reader;
  }
}

function readOnce(descriptor: number, into: Buffer, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    readWith(descriptor, into, 0, into.length, position, (error, read) =>
      error ? reject(error) : resolve(read),
    );
  });
}
