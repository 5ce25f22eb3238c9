import { freeBytes } from '../lib/free-bytes.ts';
import type { Lease, MemoryPool } from '../lib/memory-pool.ts';
import { IndexWriter } from '../records/index-writer.ts';
import type { RecordIndex } from '../records/record-index.ts';
import type { BodyFormat, ScannedBody } from '../records/scan.ts';

/** The records of a request that belong to one partition, ready to become a block. */
export interface PartitionRecords {
  readonly partition: number;
  readonly index: RecordIndex;
  /** In the layout of a block: one comma between neighbours. */
  readonly payload: Uint8Array;
  /** Of the payload's memory, if that is used again. The owner of the group holds it. */
  readonly lease: Lease | undefined;
}

const COMMA = 0x2c;

/** The valid records of one body, and their partitions. */
export interface Share {
  readonly scanned: ScannedBody;
  readonly body: Uint8Array;
  /** Of the body's memory, if that is used again. The owner of the share holds it. */
  readonly lease: Lease | undefined;
  /** The root of each organisation in `scanned`, and its partition. */
  readonly roots: readonly number[];
  readonly partitions: readonly number[];
}

/**
 * Prepares the records of a body for `groupShares`. The body is changed: where records stand on lines, the first byte
 * between two of them becomes a comma.
 * @param rootOf the organisation at the root of an organisation's tree
 * @param partitionOf the partition of a root
 */
export function shareOf(
  scanned: ScannedBody,
  body: Uint8Array,
  format: BodyFormat,
  rootOf: (organisation: number) => number,
  partitionOf: (root: number) => number,
  lease?: Lease,
): Share {
  if (format === 'ndjson') joinLines(scanned, body);
  const roots = scanned.columns.organisations.map(rootOf);
  return { scanned, body, lease, roots, partitions: roots.map(partitionOf) };
}

/**
 * Distributes records of one kind over their partitions, one group for each partition. In a group, the records of an organisation
 * tree stand together: a data stream gets records of one tree, so they are one piece for it, however many organisations
 * the requests had. Among them, records keep the order of the shares, and in a share the order of its body.
 *
 * If there is one share, of one tree, and none of its records was skipped, then the body itself is the payload and nothing is
 * copied. Otherwise the bodies are not needed any more.
 * @param shares not empty
 * @param memory for copies
 */
export function groupShares(shares: readonly Share[], memory: MemoryPool): PartitionRecords[] {
  const [only] = shares;
  if (only && shares.length === 1) {
    const { scanned, body, lease, roots, partitions } = only;
    const { columns, breaks } = scanned;
    const whole = breaks.every((index) => index === columns.count);
    if (columns.count > 0 && whole && roots.every((root) => root === roots[0]))
      return [{ partition: partitions[0] as number, index: columns.toIndex(), payload: body, lease }];
  }
  const groups = copyOut(
    shares.filter(({ scanned }) => scanned.columns.count > 0),
    memory,
  );
  for (const { body, lease } of shares) {
    if (lease) lease.release();
    else freeBytes(body);
  }
  return groups;
}

/** The largest number of bytes in a group, if the share were split evenly. */
export function usualGroupBytes({ body, partitions }: Share): number {
  return body.length / Math.max(1, new Set(partitions).size);
}

/** Makes the white space between two lines a comma with white space. Behind a record's line nothing else can stand. */
function joinLines({ columns }: ScannedBody, body: Uint8Array): void {
  const { ends, count } = columns;
  for (let i = 1; i < count; i++) body[ends[i - 1] as number] = COMMA;
}

/** The records for one partition. */
interface Part {
  readonly partition: number;
  readonly organisations: number[];
  count: number;
  length: number;
}

/** How the records of some shares lie in the groups. Trees and parts have numbers, in the order in which they come. */
interface Layout {
  readonly parts: readonly Part[];
  /** By tree: its part, and how many records and bytes (a separator behind each run included) it has. */
  readonly partOf: readonly number[];
  readonly counts: readonly number[];
  readonly lengths: readonly number[];
  /** By share, and in it by organisation: its tree, and its position among the organisations of the part. */
  readonly trees: readonly Int32Array[];
  readonly ordinals: readonly Int32Array[];
}

function layoutOf(shares: readonly Share[]): Layout {
  const parts: Part[] = [];
  const partOf: number[] = [];
  const counts: number[] = [];
  const lengths: number[] = [];
  const treeOf = new Map<number, number>();
  const partOfPartition = new Map<number, number>();
  const ordinalOf = new Map<number, number>();
  const trees: Int32Array[] = [];
  const ordinals: Int32Array[] = [];
  for (const { scanned, roots, partitions } of shares) {
    const { organisations } = scanned.columns;
    const own = { trees: new Int32Array(roots.length), ordinals: new Int32Array(roots.length) };
    for (let at = 0; at < roots.length; at++) {
      const root = roots[at] as number;
      let tree = treeOf.get(root);
      if (tree === undefined) {
        const partition = partitions[at] as number;
        let part = partOfPartition.get(partition);
        if (part === undefined) {
          part = parts.push({ partition, organisations: [], count: 0, length: 0 }) - 1;
          partOfPartition.set(partition, part);
        }
        tree = partOf.push(part) - 1;
        counts.push(0);
        lengths.push(0);
        treeOf.set(root, tree);
      }
      own.trees[at] = tree;
      const organisation = organisations[at] as number;
      let ordinal = ordinalOf.get(organisation);
      if (ordinal === undefined) {
        ordinal = (parts[partOf[tree] as number] as Part).organisations.push(organisation) - 1;
        ordinalOf.set(organisation, ordinal);
      }
      own.ordinals[at] = ordinal;
    }
    trees.push(own.trees);
    ordinals.push(own.ordinals);
    const { starts, ends } = scanned.columns;
    eachRun(scanned, own.trees, (tree, from, to) => {
      (counts[tree] as number) += to - from;
      (lengths[tree] as number) += (ends[to - 1] as number) - (starts[from] as number) + 1;
    });
  }
  return { parts, partOf, counts, lengths, trees, ordinals };
}

/** Calls `visit` with each run of neighbours of one tree: records `from` up to `to`. */
function eachRun(
  { columns, breaks }: ScannedBody,
  trees: Int32Array,
  visit: (tree: number, from: number, to: number) => void,
): void {
  const { ordinals, count } = columns;
  let nextBreak = 0;
  let from = 0;
  let tree = trees[ordinals[0] as number] as number;
  for (let i = 1; i <= count; i++) {
    const next = i < count ? (trees[ordinals[i] as number] as number) : -1;
    const broken = breaks[nextBreak] === i;
    if (broken) nextBreak++;
    if (next === tree && !broken) continue;
    visit(tree, from, i);
    from = i;
    tree = next;
  }
}

function copyOut(shares: readonly Share[], memory: MemoryPool): PartitionRecords[] {
  const [first] = shares;
  if (!first) return [];
  const { kind } = first.scanned.columns;
  const { parts, partOf, counts, lengths, trees, ordinals } = layoutOf(shares);
  // The next row and byte of each tree in its group.
  const rows = new Uint32Array(counts.length);
  const places = new Uint32Array(counts.length);
  for (const [tree, number] of partOf.entries()) {
    const part = parts[number] as Part;
    rows[tree] = part.count;
    places[tree] = part.length;
    part.count += counts[tree] as number;
    part.length += lengths[tree] as number;
  }
  const amounts = shares.some(({ scanned }) => scanned.columns.amounts !== undefined);
  const groups = parts.map(({ partition, organisations, count, length }) => {
    // Nothing separates the last record from the end.
    const lease = memory.take(length - 1);
    const { buffer, byteOffset, byteLength } = lease.bytes as Uint8Array;
    const payload = Buffer.from(buffer, byteOffset, byteLength);
    const writer = new IndexWriter(kind, count, Float64Array.from(organisations), amounts);
    return { partition, lease, payload, writer };
  });
  for (const [at, { scanned, body }] of shares.entries()) {
    const { columns } = scanned;
    const { starts, ends } = columns;
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    const own = ordinals[at] as Int32Array;
    eachRun(scanned, trees[at] as Int32Array, (tree, from, to) => {
      const { payload, writer } = groups[partOf[tree] as number] as (typeof groups)[number];
      const place = places[tree] as number;
      const row = rows[tree] as number;
      const start = starts[from] as number;
      const end = ends[to - 1] as number;
      // A run is copied at once, with the separators of its records; a comma separates two runs.
      bytes.copy(payload, place, start, end);
      const behind = place + end - start;
      if (behind < payload.length) payload[behind] = COMMA;
      writer.put(columns, from, to, row, place, own);
      rows[tree] = row + to - from;
      places[tree] = behind + 1;
    });
  }
  return groups.map(({ partition, lease, payload, writer }) => ({
    partition,
    index: writer.toIndex(),
    payload,
    lease,
  }));
}
