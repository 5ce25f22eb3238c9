import { closeSync, openSync, readSync, statSync } from 'node:fs';

/*
 * What LMDB itself looks at when it opens a file, looked at before: the native code ends the process where it should
 * report a file that is not its own. A file begins with two meta pages of the same layout:
 *
 *   meta page = page header (24 bytes) · magic:u32 · version:u32 · address:u64 · map size:u64 · page size:u32 · …
 *               · last page:u64 (at 144) · transaction:u64
 *
 * The meta page with the greater transaction holds. A file that is shorter than its last page was cut: reading behind its end
 * would end the process with SIGBUS.
 */
const MAGIC_AT = 24;
const VERSION_AT = 28;
const PAGE_SIZE_AT = 48;
const LAST_PAGE_AT = 144;
const TRANSACTION_AT = 152;
const META_END = 160;
/** LMDB need not write the very last pages of a transaction that freed them again. */
const UNWRITTEN_PAGES = 64;
const MAGIC = 0xbeefc0de;
const VERSION = 2;

/**
 * Accepts a missing file, an empty file that was never used, or one that starts like an LMDB store.
 * @param used whether the directory shows that it had a store: then an empty file means that the store was lost
 * @throws Error that says what is wrong with the file
 */
export function requireStoreFile(path: string, used: boolean): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) return;
  // A process that was killed at its very first start leaves an empty file behind.
  if (size === 0 && !used) return;
  if (size === 0) throw new Error(`it is empty, although the directory was in use; ${RESTORE}`);
  const descriptor = openSync(path, 'r');
  try {
    const first = readMeta(descriptor, 0);
    requireMeta(first);
    const pageSize = first.readUInt32LE(PAGE_SIZE_AT);
    if (size < 2 * pageSize) throw new Error(`it is cut short at ${size} bytes; ${RESTORE}`);
    const second = readMeta(descriptor, pageSize);
    requireMeta(second);
    requireLength(size, pageSize, [first, second]);
  } finally {
    closeSync(descriptor);
  }
}

const RESTORE = 'restore it from a backup, or start with an empty data directory';

function requireLength(size: number, pageSize: number, metas: readonly Buffer[]): void {
  const transaction = (meta: Buffer) => meta.readBigUInt64LE(TRANSACTION_AT);
  const [newest] = metas.toSorted((a, b) => (transaction(a) > transaction(b) ? -1 : 1)) as [Buffer];
  const pages = Number(newest.readBigUInt64LE(LAST_PAGE_AT)) + 1;
  if (size >= (pages - UNWRITTEN_PAGES) * pageSize) return;
  throw new Error(`it is cut short: it has ${size} bytes, and its data ${pages * pageSize}; ${RESTORE}`);
}

function requireMeta(meta: Buffer): void {
  if (meta.readUInt32LE(MAGIC_AT) !== MAGIC)
    throw new Error(`it is not an LMDB file, or its head is damaged; ${RESTORE}`);
  const version = meta.readUInt32LE(VERSION_AT);
  if (version !== VERSION) throw new Error(`it is of LMDB's file version ${version}, not ${VERSION}`);
}

/** What is beyond the end reads as zeros. */
function readMeta(descriptor: number, position: number): Buffer {
  const meta = Buffer.alloc(META_END);
  readSync(descriptor, meta, 0, meta.length, position);
  return meta;
}
