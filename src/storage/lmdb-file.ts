import { closeSync, openSync, readSync, statSync } from 'node:fs';

/*
 * What LMDB itself looks at when it opens a file, looked at before: the native code ends the process where it should
 * report a file that is not its own. A file begins with two meta pages of the same layout:
 *
 *   meta page = page header (24 bytes) · magic:u32 · version:u32 · address:u64 · map size:u64 · page size:u32 · …
 */
const MAGIC_AT = 24;
const VERSION_AT = 28;
const PAGE_SIZE_AT = 48;
const MAGIC = 0xbeefc0de;
const VERSION = 2;

/**
 * Passes where there is no file, an empty one, or one that starts like an LMDB store.
 * @throws Error that says what is wrong with the file
 */
export function requireStoreFile(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0) return;
  const descriptor = openSync(path, 'r');
  try {
    const first = readMeta(descriptor, 0);
    requireMeta(first);
    const pageSize = first.readUInt32LE(PAGE_SIZE_AT);
    if (size < 2 * pageSize) throw new Error(`it is cut short at ${size} bytes`);
    requireMeta(readMeta(descriptor, pageSize));
  } finally {
    closeSync(descriptor);
  }
}

function requireMeta(meta: Buffer): void {
  if (meta.readUInt32LE(MAGIC_AT) !== MAGIC)
    throw new Error('it is not an LMDB file, or its head is damaged');
  const version = meta.readUInt32LE(VERSION_AT);
  if (version !== VERSION) throw new Error(`it is of LMDB's file version ${version}, not ${VERSION}`);
}

/** What is beyond the end reads as zeros. */
function readMeta(descriptor: number, position: number): Buffer {
  const meta = Buffer.alloc(PAGE_SIZE_AT + 4);
  readSync(descriptor, meta, 0, meta.length, position);
  return meta;
}
