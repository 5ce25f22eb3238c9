import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';

/*
 * Reads an LMDB file without LMDB, which ends the process where it meets a damaged page. For the check of a store
 * before it is opened, and for `check` and `repair`. Little-endian; a page number counts pages from the start of the
 * file.
 *
 *   page      = page number:u64 · transaction:u64 · pad:u16 · flags:u16 · lower:u16 · upper:u16 · content
 *               (an overflow page has its number of pages:u32 in place of lower and upper)
 *   meta page = page · magic:u32 · version:u32 · address:u64 · map size:u64 · tree of free pages · tree of tables
 *               · last page:u64 · transaction:u64 ; the first two pages, of which the newer one holds
 *   tree      = pad:u32 (page size in the first one) · flags:u16 · depth:u16 · branch pages:u64 · leaf pages:u64
 *               · overflow pages:u64 · entries:u64 · root page:u64
 *   branch, leaf = page with lower / 2 places:u16 of nodes, counted from the end of the page's header
 *   node of a branch = page number:u48 · key length:u16 · key
 *   node of a leaf   = data length:u32 · flags:u16 · key length:u16 · key · data
 *               flag 1: the data is on overflow pages: page number:u64 · transaction:u64 · pages:u64
 *               flag 2: the data is the tree of a table, and the key its name
 *   free pages = tree whose keys are transactions and whose values are: words:u64 · word:i64 × words, where a positive
 *               word is a free page, and a negative one -n says that the next word is the first of n free pages
 */
export const HEADER = 24;
export const FLAGS_AT = 18;
export const LOWER_AT = 20;
export const UPPER_AT = 22;
const NODE_HEADER = 8;
export const BRANCH = 1;
export const LEAF = 2;
const OVERFLOW = 4;
const ON_OVERFLOW = 1;
export const IS_TABLE = 2;
const OVERFLOW_NODE = 24;
export const TREE_LENGTH = 48;
const META_END = 160;
const MAGIC = 0xbeefc0de;
const VERSION = 2;
const PAGE_SIZES = [16_384, 4_096, 8_192, 32_768, 65_536] as const;
const NO_STORE = 'it is not an LMDB file, or its head is damaged';
const NO_PAGE = 0xffff_ffff_ffff_ffffn;
/** Overflow pages in a row, as the entry that they belong to describes them. */
export interface PageRun {
  readonly page: number;
  readonly pages: number;
  readonly transaction: bigint;
}

/** A file's newer meta page. */
interface Meta {
  readonly pageSize: number;
  /** The greatest page number in use. */
  readonly lastPage: number;
  /** The last one that was committed. No page is of a later one: LMDB would write to it in place. */
  readonly transaction: bigint;
  readonly freePages: Tree;
  readonly tables: Tree;
}

export interface Tree {
  /** Levels of pages; the leaves are the last one. */
  readonly depth: number;
  readonly entries: number;
  /** undefined: the tree is empty. */
  readonly root: number | undefined;
}

/** A file that is open for reading its pages. */
export interface PageFile {
  readonly size: number;
  readonly meta: Meta;
  close(): void;
  /** `length` bytes from a page on; fewer at the end of the file. */
  read(page: number, length: number): Buffer;
  /** Writes the start of a page. */
  write(page: number, bytes: Buffer): void;
}

/**
 * @param mode `r+` for `mendHead`
 * @param earlier the file as it was one transaction before: LMDB has not yet used the pages again that the last one freed
 * @throws Error that names the fault of the head of the file
 */
export function openPages(
  path: string,
  { mode = 'r', earlier = false }: { readonly mode?: 'r' | 'r+'; readonly earlier?: boolean } = {},
): PageFile {
  const descriptor = openSync(path, mode);
  try {
    const { size } = fstatSync(descriptor);
    const read = (at: number, length: number) => {
      const bytes = Buffer.alloc(length);
      const count = readSync(descriptor, bytes, 0, length, at);
      return bytes.subarray(0, count);
    };
    const meta = readMeta(size, read, earlier);
    return {
      size,
      meta,
      close: () => closeSync(descriptor),
      read: (page, length) => read(page * meta.pageSize, length),
      write: (page, bytes) => void writeSync(descriptor, bytes, 0, bytes.length, page * meta.pageSize),
    };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** The meta page that holds, or with `earlier` the one before it: a head that is half damaged has at least one. */
function readMeta(size: number, read: (at: number, length: number) => Buffer, earlier: boolean): Meta {
  const pageSize = pageSizeOf(read, earlier);
  if (size < 2 * pageSize) throw new Error(`it is cut short at ${size} bytes`);
  const metas = [0, pageSize].map((at) => read(at, META_END));
  const [newest, other] = (earlier ? metas.filter(isMeta) : metas.map(requireMeta)).toSorted((a, b) =>
    transactionOf(a) > transactionOf(b) ? -1 : 1,
  );
  const meta = earlier ? (other ?? newest) : newest;
  if (!meta) throw new Error(NO_STORE);
  return {
    pageSize,
    lastPage: Number(meta.readBigUInt64LE(META_END - 16)),
    transaction: transactionOf(meta),
    freePages: readTree(meta, 48),
    tables: readTree(meta, 48 + TREE_LENGTH),
  };
}

function pageSizeOf(read: (at: number, length: number) => Buffer, earlier: boolean): number {
  const first = read(0, META_END);
  if (earlier && !isMeta(first))
    return PAGE_SIZES.find((size) => isMeta(read(size, META_END))) ?? PAGE_SIZES[0];
  const pageSize = requireMeta(first).readUInt32LE(2 * HEADER);
  if (PAGE_SIZES.some((size) => size === pageSize)) return pageSize;
  throw new Error(`its head is damaged: it names a page size of ${pageSize} bytes`);
}

function transactionOf(meta: Buffer): bigint {
  return meta.readBigUInt64LE(META_END - 8);
}

function isMeta(meta: Buffer): boolean {
  return (
    meta.length === META_END &&
    meta.readUInt32LE(HEADER) === MAGIC &&
    meta.readUInt32LE(HEADER + 4) === VERSION
  );
}

function requireMeta(meta: Buffer): Buffer {
  if (meta.length < META_END || meta.readUInt32LE(HEADER) !== MAGIC) throw new Error(NO_STORE);
  const version = meta.readUInt32LE(HEADER + 4);
  if (version !== VERSION) throw new Error(`it is of LMDB's file version ${version}, not ${VERSION}`);
  return meta;
}

export function readTree(bytes: Buffer, at: number): Tree {
  const root = bytes.readBigUInt64LE(at + 40);
  return {
    depth: bytes.readUInt16LE(at + 6),
    entries: Number(bytes.readBigUInt64LE(at + 32)),
    root: root === NO_PAGE ? undefined : Number(root),
  };
}

/**
 * Whether the head of overflow pages differs from their entry. LMDB believes the head when it frees the pages: with a
 * damaged one it would free others, such as those of the file's own head.
 */
export function headDiffers(file: PageFile, run: PageRun): boolean {
  const head = file.read(run.page, HEADER);
  return (
    head.length < HEADER ||
    Number(head.readBigUInt64LE(0)) !== run.page ||
    head.readBigUInt64LE(8) !== run.transaction ||
    head.readUInt16LE(FLAGS_AT) !== OVERFLOW ||
    head.readUInt32LE(LOWER_AT) !== run.pages
  );
}

/** Writes the head of overflow pages again, from their entry; their content stays as it is. */
export function mendHead(file: PageFile, run: PageRun): void {
  const head = Buffer.alloc(HEADER);
  head.writeBigUInt64LE(BigInt(run.page), 0);
  head.writeBigUInt64LE(run.transaction, 8);
  head.writeUInt16LE(OVERFLOW, FLAGS_AT);
  head.writeUInt32LE(run.pages, LOWER_AT);
  file.write(run.page, head);
}

/** One entry of a leaf. */
export interface LeafNode {
  readonly page: number;
  readonly flags: number;
  readonly key: Buffer;
  readonly data: Buffer;
  readonly length: number;
}

/** The places of the nodes in a page. */
export function placesOf(page: Buffer): number[] {
  const count = page.readUInt16LE(LOWER_AT) / 2;
  return Array.from({ length: count }, (_, index) => page.readUInt16LE(HEADER + 2 * index) + HEADER);
}

/** A node of a branch: the least key of the page that it points to. */
export function branchNode(
  page: Buffer,
  place: number,
): { readonly page: number; readonly key: Buffer } | undefined {
  if (place < lowestNode(page) || place + NODE_HEADER > page.length) return undefined;
  const key = place + NODE_HEADER;
  const end = key + page.readUInt16LE(place + 6);
  return end > page.length ? undefined : { page: page.readUIntLE(place, 6), key: page.subarray(key, end) };
}

export function leafNode(page: Buffer, place: number, number: number): LeafNode | undefined {
  if (place < lowestNode(page) || place + NODE_HEADER > page.length) return undefined;
  const length = page.readUInt32LE(place);
  const flags = page.readUInt16LE(place + 4);
  const keyLength = page.readUInt16LE(place + 6);
  const data = place + NODE_HEADER + keyLength;
  const end = data + (flags & ON_OVERFLOW ? OVERFLOW_NODE : length);
  if (keyLength === 0 || (flags !== 0 && flags !== ON_OVERFLOW && flags !== IS_TABLE) || end > page.length)
    return undefined;
  return {
    page: number,
    flags,
    key: page.subarray(place + NODE_HEADER, data),
    data: page.subarray(data, end),
    length,
  };
}

export function runOf({ flags, data }: LeafNode): PageRun | undefined {
  if (!(flags & ON_OVERFLOW)) return undefined;
  return {
    page: Number(data.readBigUInt64LE(0)),
    pages: Number(data.readBigUInt64LE(16)),
    transaction: data.readBigUInt64LE(8),
  };
}

function lowestNode(page: Buffer): number {
  return page.readUInt16LE(UPPER_AT) + HEADER;
}
