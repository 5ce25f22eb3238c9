import { statSync, truncateSync } from 'node:fs';
import { headDiffers, mendHead, openPages, type PageFile } from './lmdb-pages.ts';
import { type PageDamage, type WalkOptions, walkEntries, walkRuns } from './lmdb-walk.ts';

/** The next step for a file that is not a store. */
const RESTORE = 'restore it from a backup, or start with an empty data directory';
const REPAIR =
  'restore it from a backup, or run `simstream check` to see what is lost and `simstream repair` to save the rest';

/** LMDB need not write the very last pages of a transaction that freed them again. */
const UNWRITTEN_PAGES = 64;
/**
 * How many of the lowest pages of each table are checked before the store is opened: they hold as many as 400,000 blocks,
 * and take a tenth of a second. `simstream check` checks all.
 */
const MOST_LEAVES = 1_024;

/** Reading the heads of this many values takes a twentieth of a second, or two where nothing of the file is in memory. */
const MOST_HEADS = 20_000;

/**
 * Looks at a file before LMDB opens it: the native code ends the process where it should report a file that is cut short, is
 * damaged where the tables are kept, or is not its own. Damage of the content of tables is found when it is read.
 * Accepts a missing file, and an empty file that was never used.
 * @param used whether the directory shows that it had a store: then an empty file means that the store was lost
 * @throws Error that names the fault of the file, and the next step
 */
export function requireStoreFile(path: string, used: boolean): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) return;
  // A process that was killed at its very first start leaves an empty file behind.
  if (size === 0 && !used) return;
  if (size === 0) throw new Error(`it is empty, although the directory was in use; ${RESTORE}`);
  const file = open(path, 'r+');
  try {
    const missing = missingBytes(file);
    if (missing > UNWRITTEN_PAGES * file.meta.pageSize)
      throw new Error(`it is cut short: it has ${size} bytes, and its data ${size + missing}; ${REPAIR}`);
    // Reading behind the end of a file ends the process with SIGBUS; a page of zeros is only a damaged one.
    if (missing > 0) truncateSync(path, size + missing);
    requireTables(file);
  } finally {
    file.close();
  }
}

/**
 * Checks only the head of a file and its length, and changes nothing: for a file that another process writes to.
 * @throws Error that names the fault of the file, and the next step
 */
export function requireStoreHead(path: string): void {
  const file = open(path, 'r');
  file.close();
  const missing = missingBytes(file);
  if (missing > UNWRITTEN_PAGES * file.meta.pageSize)
    throw new Error(
      `${path} is cut short: it has ${file.size} bytes, and its data ${file.size + missing}; ${REPAIR}`,
    );
}

function open(path: string, mode: 'r' | 'r+'): PageFile {
  try {
    return openPages(path, { mode });
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}; ${RESTORE}`, { cause: error });
  }
}

/** How many bytes of its own stated size the file lacks; 0 or less if none. */
export function missingBytes({ meta, size }: PageFile): number {
  return (meta.lastPage + 1) * meta.pageSize - size;
}

function requireTables(file: PageFile): void {
  let first: PageDamage | undefined;
  let count = 0;
  const damaged = (damage: PageDamage) => {
    first ??= damage;
    count++;
  };
  let heads = 0;
  const run: WalkOptions['run'] = (pages) => {
    if (heads++ < MOST_HEADS && headDiffers(file, pages)) mendHead(file, pages);
  };
  for (const _ of walkEntries(file, { damaged, run, mostLeaves: MOST_LEAVES }));
  if (first === undefined) return;
  const more = count === 1 ? '' : ` and at ${count - 1} more places`;
  throw new Error(`it is damaged at ${describeDamage(first)}${more}; ${REPAIR}`);
}

/** `page 12 (table log.blocks): the head of the page is damaged` */
function describeDamage({ page, table, what }: PageDamage): string {
  return `page ${page}${table === undefined ? '' : ` (table ${table})`}: ${what}`;
}

/**
 * Makes sure that LMDB frees the right pages when it removes the entries of a table from `start` on (included) to `end`
 * (excluded).
 * @param alone runs a function while no one else writes to the file
 */
export function mendHeads(
  path: string,
  table: string,
  range: { readonly start: Uint8Array; readonly end: Uint8Array },
  alone: (run: () => void) => void,
): void {
  // Without the lock first, because damage is very rare.
  if (eachHead(path, 'r', table, range, () => {}) === 0) return;
  alone(() => eachHead(path, 'r+', table, range, mendHead));
}

/**
 * Calls `found` for each head that differs.
 * @returns how many there were
 */
function eachHead(
  path: string,
  mode: 'r' | 'r+',
  table: string,
  { start, end }: { readonly start: Uint8Array; readonly end: Uint8Array },
  found: typeof mendHead,
): number {
  const file = openPages(path, { mode });
  let count = 0;
  try {
    for (const run of walkRuns(file, table, start, end)) {
      if (!headDiffers(file, run)) continue;
      found(file, run);
      count++;
    }
  } finally {
    file.close();
  }
  return count;
}
