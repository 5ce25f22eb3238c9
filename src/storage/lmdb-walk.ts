import {
  BRANCH,
  branchNode,
  FLAGS_AT,
  HEADER,
  IS_TABLE,
  LEAF,
  type LeafNode,
  LOWER_AT,
  leafNode,
  type PageFile,
  type PageRun,
  placesOf,
  readTree,
  runOf,
  TREE_LENGTH,
  type Tree,
  UPPER_AT,
} from './lmdb-pages.ts';

/* Walks through all used pages of an LMDB file, and reports the damaged ones; see lmdb-pages.ts. */

/** Deeper than a tree of any size; a page that points back to an earlier one must not be followed for ever. */
const DEEPEST = 32;
/** The names of the two trees that are not tables. */
const FREE = '(free pages)';
const TABLES = '(tables)';

/** An unreadable part of the file. `table` is its table, if that is known. */
export interface PageDamage {
  readonly table: string | undefined;
  readonly page: number;
  readonly what: string;
}

/** One entry of a table. */
export interface StoreEntry {
  readonly table: string;
  readonly key: Buffer;
  /** The place of a value that is not beside its key. */
  readonly run: PageRun | undefined;
  /** The bytes; undefined if they lie outside the file. Each call reads the file. */
  value(): Buffer | undefined;
}

export interface WalkOptions {
  /** Called once with each damage. */
  damaged(damage: PageDamage): void;
  /** Called with the number of pages of trees that were read, for progress. */
  visited?(pages: number): void;
  /** Called with the place of each value that is not beside its key, also of the tree of free pages. */
  run?(run: PageRun): void;
  /** The most leaves to read of each table; missing: all. Branches are always read. */
  readonly mostLeaves?: number;
}

/**
 * Yields the entries of all tables, each table's in the order of its keys, and skips damaged ones. `claimed` gets the
 * number of entries that each tree claims, by table.
 */
export function* walkEntries(
  file: PageFile,
  options: WalkOptions,
  claimed: Map<string, number> = new Map(),
): Generator<StoreEntry> {
  const walk = new Walk(file, options);
  for (const node of walk.leaves(FREE, file.meta.freePages, false)) walk.takeFreePages(node);
  for (const node of walk.leaves(TABLES, file.meta.tables, true)) {
    const table = nameOf(node);
    if (!(node.flags & IS_TABLE) || node.data.length < TREE_LENGTH) {
      options.damaged({ table, page: node.page, what: 'the description of the table is damaged' });
      continue;
    }
    const tree = readTree(node.data, 0);
    claimed.set(table, tree.entries);
    for (const entry of walk.leaves(table, tree, true)) {
      yield { table, key: entry.key, run: runOf(entry), value: () => walk.value(entry) };
    }
  }
}

/**
 * Yields the places of a table's values for keys from `start` (included) to `end` (excluded), as far as its pages are
 * undamaged.
 */
export function* walkRuns(
  file: PageFile,
  table: string,
  start: Uint8Array,
  end: Uint8Array,
): Generator<PageRun> {
  const walk = new Walk(file, { damaged: () => {} });
  for (const node of walk.leaves(TABLES, file.meta.tables, true)) {
    if (nameOf(node) !== table || node.data.length < TREE_LENGTH) continue;
    for (const entry of walk.leaves(table, readTree(node.data, 0), true, start)) {
      if (Buffer.compare(entry.key, end) >= 0) return;
      const run = runOf(entry);
      if (run && Buffer.compare(entry.key, start) >= 0) yield run;
    }
  }
}

function nameOf({ key }: LeafNode): string {
  return key.toString('utf8').replace(/\0$/, '');
}

/** How far a tree is read. */
interface Plan {
  /** The level of the leaves. */
  readonly depth: number;
  /** How many of them are left to read. */
  leaves: number;
  readonly start: Uint8Array | undefined;
}

class Walk {
  readonly #file: PageFile;
  readonly #options: WalkOptions;
  readonly #seen: Uint8Array;
  #visited = 0;

  constructor(file: PageFile, options: WalkOptions) {
    this.#file = file;
    this.#options = options;
    // A bit a page: 8 MiB for a file of a terabyte.
    this.#seen = new Uint8Array((file.meta.lastPage >> 3) + 1);
  }

  /** @param start entries before it are left out if that saves a page */
  *leaves(table: string, tree: Tree, ordered: boolean, start?: Uint8Array): Generator<LeafNode> {
    if (tree.root === undefined) return;
    let before: Buffer | undefined;
    const plan = { depth: tree.depth, leaves: this.#options.mostLeaves ?? Number.POSITIVE_INFINITY, start };
    for (const node of this.#below(table, tree.root, 1, plan)) {
      if (ordered && before && Buffer.compare(before, node.key) >= 0) {
        this.#damaged(table, node.page, 'an entry is out of order');
        continue;
      }
      before = node.key;
      yield node;
    }
  }

  /**
   * Marks the pages that an entry of the tree of free pages lists: LMDB would hand out a page twice if it is listed
   * twice.
   */
  takeFreePages(node: LeafNode): boolean {
    const fault = () => this.#damaged(FREE, node.page, 'a list of free pages is damaged');
    const list = this.value(node);
    const words = list && list.length >= 8 ? Number(list.readBigUInt64LE(0)) : -1;
    if (!list || words < 0 || (words + 1) * 8 > list.length) return fault();
    for (let word = 1; word <= words; word++) {
      const first = Number(list.readBigInt64LE(word * 8));
      if (first === 0) continue;
      if (first > 0) this.#take(FREE, node.page, first, 1);
      else if (++word <= words) this.#take(FREE, node.page, Number(list.readBigInt64LE(word * 8)), -first);
      else return fault();
    }
    return true;
  }

  /** The value of an entry; undefined if it is not in the file. */
  value(node: LeafNode): Buffer | undefined {
    const run = runOf(node);
    if (!run) return node.data;
    const bytes = this.#file.read(run.page, HEADER + node.length);
    return bytes.length < HEADER + node.length ? undefined : bytes.subarray(HEADER);
  }

  *#below(table: string, page: number, depth: number, plan: Plan): Generator<LeafNode> {
    if (depth >= plan.depth && plan.leaves-- <= 0) return;
    const bytes = this.#page(table, page, depth);
    if (!bytes) return;
    const leaf = (bytes.readUInt16LE(FLAGS_AT) & LEAF) !== 0;
    let unreadable = 0;
    const places = placesOf(bytes);
    for (const [index, place] of places.entries()) {
      if (leaf) {
        const node = leafNode(bytes, place, page);
        if (!node) unreadable++;
        else if (this.#takeRun(table, node)) yield node;
        continue;
      }
      const child = branchNode(bytes, place);
      const following = places[index + 1];
      const next = following === undefined ? undefined : branchNode(bytes, following);
      if (!child) unreadable++;
      else if (!(plan.start && next && Buffer.compare(next.key, plan.start) <= 0))
        yield* this.#below(table, child.page, depth + 1, plan);
    }
    if (unreadable > 0) this.#damaged(table, page, `${unreadable} of its entries cannot be read`);
  }

  /** A page of a tree whose head makes sense. */
  #page(table: string, page: number, depth: number): Buffer | undefined {
    const { meta } = this.#file;
    const fault = (what: string) => void this.#damaged(table, page, what);
    if (depth > DEEPEST || !this.#take(table, page, page, 1)) return undefined;
    this.#options.visited?.(++this.#visited);
    const bytes = this.#file.read(page, meta.pageSize);
    if (bytes.length < meta.pageSize) return fault('the page is behind the end of the file');
    const flags = bytes.readUInt16LE(FLAGS_AT);
    const [lower, upper] = [bytes.readUInt16LE(LOWER_AT), bytes.readUInt16LE(UPPER_AT)];
    if (Number(bytes.readBigUInt64LE(0)) !== page || (flags !== BRANCH && flags !== LEAF))
      return fault('the head of the page is damaged');
    if (bytes.readBigUInt64LE(8) > meta.transaction)
      return fault('the page is of a transaction that never was');
    if (lower % 2 !== 0 || lower > upper || upper > meta.pageSize - HEADER || lower === 0)
      return fault('the head of the page is damaged');
    return bytes;
  }

  /** Marks the pages that hold the value of an entry. */
  #takeRun(table: string, node: LeafNode): boolean {
    const { page, length } = node;
    const run = runOf(node);
    if (!run) return true;
    const { page: first, pages } = run;
    if (run.transaction > this.#file.meta.transaction)
      return this.#damaged(table, page, 'an entry is of a transaction that never was');
    if (HEADER + length > pages * this.#file.meta.pageSize || pages > length)
      return this.#damaged(table, page, 'an entry has another length than its pages');
    if (!this.#take(table, page, first, pages)) return false;
    this.#options.run?.(run);
    return true;
  }

  /** Marks pages as used. Reports it when they cannot be, because they are outside the file or used already. */
  #take(table: string, page: number, first: number, count: number): boolean {
    if (first < 2 || first + count - 1 > this.#file.meta.lastPage)
      return this.#damaged(table, page, 'it points outside the file');
    let twice = false;
    for (let taken = first; taken < first + count; taken++) {
      const bit = 1 << (taken & 7);
      const seen = this.#seen[taken >> 3] as number;
      twice ||= (seen & bit) !== 0;
      this.#seen[taken >> 3] = seen | bit;
    }
    return twice ? this.#damaged(table, page, 'it points to a page that is used twice') : true;
  }

  #damaged(table: string, page: number, what: string): false {
    this.#options.damaged({ table: table === TABLES ? undefined : table, page, what });
    return false;
  }
}
