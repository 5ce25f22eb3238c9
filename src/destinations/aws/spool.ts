import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { writeAll } from './write-all.ts';

/** Stored bytes that can be read more than once. */
export interface Spooled {
  readonly length: number;
  /** Hexadecimal. */
  readonly sha256: string;
  body(): Uint8Array | Readable;
  /** Removes the file, if it exists. */
  remove(): Promise<void>;
}

/** Up to this size the bytes stay in memory: most files are smaller and never touch the disk. */
const IN_MEMORY = 2 ** 20;

/** The errors of the system, in words. */
const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'its disk is full, or has no room for another file',
  EDQUOT: 'its quota on that disk is used up',
  EROFS: 'its file system is read-only',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  ENOENT: 'the directory is gone; restart the node',
  EMFILE: 'this process has too many open files',
  ENFILE: 'the system has too many open files',
  EIO: 'the disk reports an error',
};

/** The disk of this node cannot take the file. */
export class SpoolFault extends Error {}

/**
 * Stores bytes before they are sent, because S3 needs the length and hash of an object before its first byte. Few bytes stay
 * in memory; more go to a file at `path`, so that memory does not grow with them.
 * @throws SpoolFault when the file cannot be written; the errors of `source` and `signal`
 */
export async function spool(
  source: AsyncIterable<Uint8Array>,
  path: string,
  gzip: boolean,
  signal: AbortSignal,
): Promise<Spooled> {
  const spooler = new Spooler(path);
  try {
    const input = Readable.from(source);
    const sink = (bytes: AsyncIterable<Uint8Array>) => spooler.take(bytes);
    await (gzip ? pipeline(input, createGzip(), sink, { signal }) : pipeline(input, sink, { signal }));
    return await spooler.end();
  } catch (error) {
    await spooler.remove();
    throw error;
  }
}

class Spooler {
  readonly #path: string;
  readonly #hash = createHash('sha256');
  #length = 0;
  #parts: Uint8Array[] = [];
  #held = 0;
  #file: FileHandle | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async take(source: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const bytes of source) {
      this.#hash.update(bytes);
      this.#length += bytes.length;
      this.#parts.push(bytes);
      this.#held += bytes.length;
      if (this.#held > IN_MEMORY) await this.#flush();
    }
  }

  async end(): Promise<Spooled> {
    if (this.#file) await this.#flush();
    await this.#file?.close();
    const inMemory = Buffer.concat(this.#parts);
    const path = this.#file && this.#path;
    this.#file = undefined;
    return {
      length: this.#length,
      sha256: this.#hash.digest('hex'),
      body: () => (path === undefined ? inMemory : createReadStream(path)),
      remove: async () => {
        if (path !== undefined) await rm(path, { force: true });
      },
    };
  }

  async remove(): Promise<void> {
    if (!this.#file) return;
    await this.#file.close().catch(() => {});
    await rm(this.#path, { force: true });
  }

  async #flush(): Promise<void> {
    try {
      this.#file ??= await open(this.#path, 'w', 0o600);
      await writeAll(this.#file, this.#parts);
    } catch (error) {
      const { code = 'unknown' } = error as NodeJS.ErrnoException;
      throw new SpoolFault(
        `a file of records cannot be written to the scratch directory of this node: ${REASONS[code] ?? code}`,
        { cause: error },
      );
    }
    this.#parts = [];
    this.#held = 0;
  }
}
